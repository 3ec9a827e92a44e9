/** A job in the worker goes on for a while, breathing between its slices, and says how far it is. */

/** @import { Call, Tools } from './engine.js' */

/** @param {Tools} tools @returns {(call: Call, handle: number, milliseconds: number) => Promise<any>} */
export const sweep =
  ({ SLICE, find, turn }) =>
  async (call, handle, milliseconds) => {
    const job = find(handle, 'sweep');
    const end = performance.now() + milliseconds;
    while (!job.step(SLICE) && performance.now() < end && !call.held) await turn(call);
    return job.part();
  };
