/** @import * as types from './types.js' */

/**
 * @param {types.ErrorKind} kind @param {string} message
 * @returns {Error} whose name is the kind
 */
export const fail = (kind, message) => Object.assign(new Error(message), { name: kind });
