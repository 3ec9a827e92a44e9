/** What the worker answers when it owns the package `lab`: sparse coding; training in a file of its own. The page's side is lab.js. */

import { sweep } from './engine-sweep.js';
import { fail } from './errors.js';
import { pixels } from './picture.js';

/**
 * @import { Call, Tools } from './engine.js'
 * @import { LabStage } from './types.js'
 */

/** A photo's pixels, or a tensor's parts. @param {any} input @returns {Promise<{ image?: ImageData, tensor: any }>} */
async function read(input) {
  if (input.data) return { tensor: [input.data, ...input.shape] };
  return { image: input.pixels ?? (await pixels(input.picture)), tensor: null };
}

/** @param {Tools} tools @returns {Record<string, (call: Call, ...args: any[]) => any>} */
export const requests = (tools) => {
  const { keep, find, grab, turn } = tools;
  /** @type {Record<string, (call: Call, ...args: any[]) => any> | undefined} */
  let training;
  /** The package that this worker owns here. */
  const lab = () =>
    /** @type {typeof import('./wasm/lab-single/unpool.js')} */ (/** @type {unknown} */ (tools.engine()));
  return {
    invert(_, /** @type {LabStage[]} */ stages, options) {
      const way = new (lab().Inversion)();
      for (const { layer, weights, bias, truth, crossings } of stages) {
        way.stage(JSON.stringify(layer), weights, bias, truth);
        for (const crossing of crossings) {
          if (crossing.unpool) way.unpool(crossing.unpool, .../** @type {[number, number, number]} */ (crossing.shape));
          else if (crossing.scale) way.scale(crossing.scale);
          else way.rectify();
        }
      }
      return { handle: keep(way.start(JSON.stringify(options))) };
    },
    async dictionary(call, /** @type {string | Uint8Array | Blob} */ source) {
      let bytes = source;
      if (typeof bytes === 'string') bytes = await (await grab(bytes, call.abort.signal, 'dictionary')).blob();
      if (bytes instanceof Blob) bytes = new Uint8Array(await bytes.arrayBuffer());
      const dictionary = lab().Dictionary.open(bytes);
      return { handle: keep(dictionary), info: dictionary.info() };
    },
    dictionaryBytes: (_, dictionary) => find(dictionary, 'dictionary').bytes(),
    atoms: (_, dictionary, layer) => find(dictionary, 'dictionary').filters(layer),
    async code(_, /** @type {number} */ dictionary, input, { normalised, ...options }) {
      const { image, tensor } = await read(input);
      const found = find(dictionary, 'dictionary');
      const json = JSON.stringify(options);
      if (image && normalised)
        throw fail('Parameter', 'normalised is for tensors: a photo’s contrast is not normalised.');
      const job = image
        ? found.code(image.width, image.height, image.data, json)
        : found.codeTensor(...tensor, json, normalised);
      return { handle: keep(job) };
    },
    async path(_, /** @type {number} */ dictionary, input, options) {
      const { image, tensor } = await read(input);
      const found = find(dictionary, 'dictionary');
      const json = JSON.stringify(options);
      return {
        handle: keep(
          image ? found.path(image.width, image.height, image.data, json) : found.pathTensor(...tensor, json),
        ),
      };
    },
    drawn: (_, coding, layer) => find(coding, 'sweep').filters(layer),
    decompose: (_, coding, layer, map, at, most) => find(coding, 'sweep').decompose(layer, map, at?.[0], at?.[1], most),
    async learn(call, /** @type {any[]} */ photos, options, from) {
      const job = new (lab().LearnJob)(JSON.stringify(options));
      try {
        for (const [i, input] of photos.entries()) {
          const { image } = await read(input);
          if (!image)
            throw fail('Parameter', `photo ${i + 1} is no photo: give an ImageData, an ImageBitmap or a Blob.`);
          job.add(image.width, image.height, /** @type {any} */ (image.data));
          call.progress(i + 1, photos.length);
          await turn(call);
        }
        job.begin(from);
      } catch (error) {
        job.free();
        throw error;
      }
      return { handle: keep(job) };
    },
    learned: (_, job) => find(job, 'sweep').bytes(),
    learnedDictionary(_, job) {
      const dictionary = find(job, 'sweep').dictionary();
      return { handle: keep(dictionary), info: dictionary.info() };
    },
    async training(call, /** @type {string} */ what, ...args) {
      training ??= (await import('./engine-training.js')).requests(tools);
      return training[what](call, ...args);
    },
    sweep: sweep(tools),
  };
};
