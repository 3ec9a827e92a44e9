/** The worker's answers about training; engine-lab.js loads them with the first such request. The page's side is training.js. */

import { fail } from './errors.js';
import { pixels } from './picture.js';

/**
 * @import { Call, Tools } from './engine.js'
 * @import { TrainJob, TrainingData, TrainingSource } from './wasm/lab-single/unpool.js'
 * @typedef {{ name: string, label?: number, photo: Blob | ImageData | string }} Photo
 * @typedef {{ name: string, file: Blob | Uint8Array }} File
 */

/** The files of a set, as `./build.sh data` packs them. */
const SET = ['train-images', 'train-labels', 'test-images', 'test-labels'].map((part) => `${part}.idx.gz`);
/** What one file may unpack to: ten times MNIST. */
const MOST_BYTES = 2 ** 29;
/** What a photo may be refused for; anything else is the engine's own trouble. */
const FAULTS = ['Malformed', 'Unsupported', 'Parameter'];

/** @param {Tools} tools @returns {Record<string, (call: Call, ...args: any[]) => any>} */
export const requests = ({ SLICE, keep, find, grab, turn, engine }) => {
  const lab = () => /** @type {typeof import('./wasm/lab-single/unpool.js')} */ (/** @type {unknown} */ (engine()));
  const run = (/** @type {number} */ handle) => /** @type {TrainJob} */ (find(handle, 'training'));
  const dataOf = (/** @type {number} */ handle) => /** @type {TrainingData} */ (find(handle, 'data'));

  /** @param {Call} call @param {ReadableStream<Uint8Array>} stream @param {string} name @param {(bytes: number) => void} [onbytes] */
  async function whole(call, stream, name, onbytes) {
    const reader = stream.getReader();
    /** @type {Uint8Array<ArrayBuffer>[]} */
    const pieces = [];
    let total = 0;
    try {
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        pieces.push(/** @type {Uint8Array<ArrayBuffer>} */ (piece.value));
        total += piece.value.length;
        onbytes?.(piece.value.length);
        if (total > MOST_BYTES) throw fail('Limit', `${name} holds more than ${MOST_BYTES} bytes; give a smaller set.`);
        if (call.cancelled) throw fail('Aborted', 'The request was cancelled.');
      }
    } catch (error) {
      reader.cancel().catch(() => {}); // the error that matters is the one at hand
      if (!(error instanceof TypeError)) throw error;
      throw fail('Malformed', `${name} is damaged or was cut short (${error.message}); get it again.`);
    }
    return new Uint8Array(await new Blob(pieces).arrayBuffer());
  }

  /** @param {Call} call @param {string} name @param {Uint8Array} bytes unpacked, where they are packed */
  async function unpacked(call, name, bytes) {
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    const packed = new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)]).stream();
    return whole(call, packed.pipeThrough(new DecompressionStream('gzip')), name);
  }

  /** @param {Call} call @param {TrainingSource} source @param {string} base @returns {Promise<string[]>} the classes */
  async function fetched(call, source, base) {
    const { signal } = call.abort;
    const answers = await Promise.all(SET.map((name) => grab(base + name, signal, 'training data')));
    const total = answers.reduce((sum, { headers }) => sum + Number(headers.get('content-length')), 0);
    let done = 0;
    for (const [i, { body }] of answers.entries()) {
      const bytes = await whole(call, body ?? new Blob().stream(), SET[i], (more) => {
        done += more;
        call.progress(done, Math.max(total, done));
      });
      source.file(SET[i], await unpacked(call, SET[i], bytes));
    }
    // Without names classes are numbers.
    const names = await grab(`${base}classes.txt`, signal).catch(() => null);
    return names ? (await names.text()).split('\n').filter(Boolean) : [];
  }

  /** @param {Call} call @param {TrainingSource} source @param {Photo[]} photos */
  async function pictured(call, source, photos) {
    for (const [i, { name, label = 0, photo }] of photos.entries()) {
      try {
        const file = typeof photo === 'string' ? await (await grab(photo, call.abort.signal, 'photo')).blob() : photo;
        const { width, height, data } = file instanceof Blob ? await pixels(file) : file;
        source.add(label, width, height, /** @type {any} */ (data));
      } catch (error) {
        const fault = /** @type {Error} */ (error);
        if (!FAULTS.includes(fault.name)) throw error;
        source.skip(name, fault.message);
      }
      call.progress(i + 1, photos.length);
      await turn(call);
    }
  }

  /** @param {Call} call @param {TrainingSource} source @param {any} asked @returns {Promise<string[]>} the classes of files */
  async function gathered(call, source, asked) {
    if (asked.set) return fetched(call, source, asked.set);
    for (const [i, { name, file }] of /** @type {File[]} */ (asked.files ?? []).entries()) {
      const bytes = file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : file;
      source.file(name, await unpacked(call, name, bytes));
      call.progress(i + 1, asked.files.length);
    }
    for (const name of asked.folders?.outside ?? []) source.skip(name, 'it lies in no folder of a class');
    await pictured(call, source, asked.folders?.files ?? asked.photos ?? []);
    return asked.classes ?? [];
  }

  /** @param {number} handle @param {number} from points that the page has */
  const part = (handle, from) => run(handle).part(from);

  return {
    experiment: (_, text) => lab().experiment(text),
    sizes: (_, text) => lab().sizes(text),

    async data(call, asked) {
      const { shape, folders, every = 0 } = asked;
      const wanted = shape && JSON.stringify({ classes: folders?.classes, shape, every });
      const source = new (lab().TrainingSource)(wanted);
      let classes;
      try {
        classes = await gathered(call, source, asked);
      } catch (error) {
        source.free();
        throw error;
      }
      const data = source.finish(classes, every);
      return { handle: keep(data), info: data.info() };
    },

    image(_, handle, index, test) {
      const { label, width, height, pixels } = dataOf(handle).image(index, test);
      return { label, image: new ImageData(pixels, width, height) };
    },

    train(_, text, data, from, weights) {
      const job = dataOf(data).train(text, from, weights);
      return { handle: keep(job), ...job.info() };
    },

    async go(call, handle, from, milliseconds, /** @type {number[]} */ stops) {
      const job = run(handle);
      const end = performance.now() + milliseconds;
      // A slice ends with an epoch.
      const next = stops.find((epoch) => epoch > job.epoch()) ?? Number.POSITIVE_INFINITY;
      while (!job.step(SLICE) && performance.now() < end && job.epoch() < next) await turn(call);
      return part(handle, from);
    },

    async batches(call, handle, from, count) {
      const job = run(handle);
      const goal = job.steps() + count;
      // Behind the last batch of an epoch comes its test.
      while (count && (job.steps() < goal || job.closing()) && !job.step(0)) await turn(call);
      return part(handle, from);
    },

    rate: (_, handle, rate) => run(handle).rate(rate),
    epochs: (_, handle, epochs) => run(handle).epochs(epochs),
    checkpoint: (_, handle) => run(handle).checkpoint(),
    model: (_, handle, half) => run(handle).model(half),

    watch: (_, handle, { layer, maps, images = 0 }) => ({
      handle: keep(run(handle).watch(layer, Uint32Array.from(maps), images)),
    }),
    async evolve(call, /** @type {string | Uint8Array | Blob} */ source, data, { layer, maps, images = 0 }) {
      let bytes = source;
      if (typeof bytes === 'string') bytes = await (await grab(bytes, call.abort.signal)).blob();
      if (bytes instanceof Blob) bytes = new Uint8Array(await bytes.arrayBuffer());
      return { handle: keep(dataOf(data).evolve(bytes, layer, Uint32Array.from(maps), images)) };
    },
    async evolved(call, handle, milliseconds) {
      const job = find(handle, 'sweep');
      const end = performance.now() + milliseconds;
      while (!job.step(SLICE) && performance.now() < end) await turn(call);
      const { cells, ...rest } = job.part();
      for (const cell of cells)
        for (const name of ['patch', 'picture']) cell[name] = new ImageData(cell[name], cell.shape[1], cell.shape[0]);
      return { ...rest, cells };
    },
  };
};
