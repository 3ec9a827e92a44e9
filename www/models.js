/** Networks that lie beside the page, in `models/`. VGG16 is large: it is fetched when it is chosen, not before. */

export const MODELS = /** @type {const} */ ([
  ['squeezenet', 'SqueezeNet 1.1', ''],
  ['alexnet', 'AlexNet', ''],
  ['vgg16', 'VGG16', '29 MB'],
]);

/** @param {string} name as in the hash @returns {string} as people write it */
export const modelTitle = (name) => MODELS.find(([one]) => one === name)?.[1] ?? name;

/** Relative to the page, so that it works under any path; `run.NAME` is a checkpoint in `trained/`. @param {string} name */
export const modelURL = (name) =>
  new URL(`${name.startsWith('run.') ? `trained/${name.slice(4)}` : `models/${name}`}.safetensors`, document.baseURI);
