/** Training as lab.js hands it out: data, runs, the evolution of features. Loaded with the first such call; the worker's side is engine-training.js. */

import { check } from './check.js';
import { fail } from './errors.js';
import { dropped } from './unpool.js';

/**
 * @import * as types from './types.js'
 * @import { Calls } from './unpool.js'
 * @typedef {{ signal?: AbortSignal, onprogress?: (done: number, total: number) => void }} How
 */

/** @param {unknown} value @param {string} wanted @returns {string} as JSON, which the engine reads and judges */
function written(value, wanted) {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null))
    throw check.wrong('the network', wanted, value);
  return JSON.stringify(typeof value === 'string' ? { network: value } : value);
}

const EXPERIMENT = "{ network, training }, a network's spec or the name of a built-in one";

/** @param {Calls} line @param {unknown} source @returns {Promise<types.WholeExperiment>} */
export const experiment = async (line, source) => line.call('training', ['experiment', written(source, EXPERIMENT)]);

/** @param {Calls} line @param {unknown} network @returns {Promise<types.LayerSize[]>} */
export const sizes = async (line, network) => line.call('training', ['sizes', written(network, EXPERIMENT)]);

// --- data --------------------------------------------------------------------------------------

/** @param {unknown} value @returns {number} one in so many is kept to test with; 0: none */
function hold(value = 0.1) {
  const share = check.number(value, 'hold');
  if (share < 0 || share > 0.5) throw check.wrong('hold', 'a share from 0 to 0.5', value);
  return share && Math.round(1 / share);
}

/** @param {unknown} value */
function shape(value) {
  if (!Array.isArray(value) || value.length !== 3) throw check.wrong('shape', '[channels, height, width]', value);
  return value.map((side, i) => check.integer(side, `shape[${i}]`, 1, 4096));
}

/** @param {unknown} list @param {string} what @returns {any[]} */
function listed(list, what) {
  const iterable = typeof list === 'object' && list !== null && Symbol.iterator in list;
  if (!iterable) throw check.wrong(what, 'a list of files', list);
  return [.../** @type {Iterable<any>} */ (list)];
}

/** @param {unknown} photo @param {string} name */
function picture(photo, name) {
  if (photo instanceof Blob || photo instanceof ImageData) return photo;
  throw check.wrong(name, 'a Blob or an ImageData', photo);
}

/**
 * Which class each file belongs to: the folder it lies in, below the one that was chosen.
 * @param {unknown} list @returns {{ classes: string[], files: { name: string, label: number, photo: Blob | ImageData }[], outside: string[] }}
 */
export function labelled(list) {
  const all = listed(list, 'folders')
    .map((one) => {
      const name = one instanceof File ? one.webkitRelativePath || one.name : check.text(one?.name, 'a name');
      return { path: name.split('/').filter(Boolean), photo: picture(one instanceof File ? one : one.photo, name) };
    })
    .filter(({ path }) => path.length && !path.some((part) => part.startsWith('.')));
  // The folder that was chosen is no class where it holds folders.
  const root = all.length && all.every(({ path }) => path[0] === all[0].path[0] && path.length > 1);
  const deep = root && all.some(({ path }) => path.length > 2);
  const inside = all.map(({ path, photo }) => ({ path: deep ? path.slice(1) : path, photo }));
  const files = inside.filter(({ path }) => path.length > 1).map((one) => ({ ...one, name: one.path.join('/') }));
  const classes = [...new Set(files.map(({ path }) => path[0]))].sort();
  files.sort((a, b) => Number(a.name > b.name) - Number(a.name < b.name));
  return {
    classes,
    files: files.map(({ path, name, photo }) => ({ name, label: classes.indexOf(path[0]), photo })),
    outside: inside.filter(({ path }) => path.length === 1).map(({ path }) => path[0]),
  };
}

/** @param {any} one @param {number} i */
function photo(one, i) {
  const bare = typeof one === 'string' || one instanceof URL || one instanceof Blob || one instanceof ImageData;
  const { name, photo: what } = bare ? { name: undefined, photo: one } : (one ?? {});
  const place = typeof what === 'string' || what instanceof URL;
  const called = name ?? (place ? String(what) : what instanceof File ? what.name : `photo ${i + 1}`);
  return { name: check.text(called, 'a name'), photo: place ? check.url(what, called) : picture(what, called) };
}

/** @param {any} one */
function file(one) {
  const given = one instanceof File ? { name: one.name, file: one } : (one ?? {});
  const name = check.text(given.name, 'a name');
  if (given.file instanceof Uint8Array) return { name, file: given.file.slice() };
  if (given.file instanceof Blob) return { name, file: given.file };
  throw check.wrong(name, 'a Blob or a Uint8Array', given.file);
}

/** @param {any} source as it crosses to the worker */
function sourceOf(source) {
  if (typeof source === 'object' && source !== null) {
    if (source.set !== undefined) {
      const base = check.url(source.set, 'set');
      return { set: base.endsWith('/') ? base : `${base}/` };
    }
    if (source.files !== undefined) {
      const classes = (source.classes ?? []).map((/** @type {unknown} */ name) => check.text(name, 'a class'));
      return { files: listed(source.files, 'files').map(file), classes, every: hold(source.hold) };
    }
    if (source.folders !== undefined)
      return { folders: labelled(source.folders), shape: shape(source.shape), every: hold(source.hold) };
    if (source.photos !== undefined)
      return { photos: listed(source.photos, 'photos').map(photo), shape: shape(source.shape) };
  }
  throw check.wrong('the data', '{ set }, { files }, { folders, shape } or { photos, shape }', source);
}

/** @implements {types.TrainingData} */
class TrainingData {
  #line;
  #handle;

  /** @param {Calls} line @param {{ handle: number, info: types.TrainingDataInfo }} made */
  constructor(line, { handle, info }) {
    this.#line = line;
    this.#handle = handle;
    this.info = info;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {unknown} data @returns {number} */
  static handleOf(data) {
    if (data instanceof TrainingData) return data.#handle;
    throw check.wrong('the data', 'what Lab.trainingData() gave', data);
  }

  /** @param {number} index @param {'train' | 'test'} [part] @returns {Promise<{ image: ImageData, label: number }>} */
  async image(index, part = 'train') {
    if (part !== 'train' && part !== 'test') throw check.wrong('part', 'train or test', part);
    return this.#line.call('training', ['image', this.#handle, check.integer(index, 'index'), part === 'test']);
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}

/** @param {Calls} line @param {types.TrainingSource} source @param {How} how @returns {Promise<TrainingData>} */
export const data = async (line, source, how) =>
  new TrainingData(line, await line.call('training', ['data', sourceOf(source)], how));

// --- runs --------------------------------------------------------------------------------------

/** @param {unknown} source @param {string} what @returns {Promise<Uint8Array | undefined>} */
async function bytes(source, what) {
  if (source === undefined) return undefined;
  const file = check.model(source, what);
  if (typeof file === 'string') throw check.wrong(what, 'an ArrayBuffer, a Uint8Array or a Blob', source);
  return file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : file;
}

/** @param {types.EvolutionOptions} options @param {number} [most] */
function watched(options, most) {
  if (typeof options !== 'object' || options === null) throw check.wrong('options', '{ layer, maps }', options);
  if (!Array.isArray(options.maps)) throw check.wrong('maps', 'a list of numbers', options.maps);
  const images = options.images ?? most;
  return {
    layer: check.text(options.layer, 'layer'),
    maps: options.maps.map((map, i) => check.integer(map, `maps[${i}]`)),
    images: images === undefined ? undefined : check.integer(images, 'images', 1),
  };
}

/** @implements {types.TrainingRun} */
class TrainingRun {
  #line;
  #handle;
  /** Points that the caller has. */
  #told = 0;

  /** @param {Calls} line @param {Pick<types.TrainingRun, 'experiment' | 'layers' | 'parameters'> & { handle: number }} made */
  constructor(line, { handle, experiment, layers, parameters }) {
    this.#line = line;
    this.#handle = handle;
    this.experiment = experiment;
    this.layers = layers;
    this.parameters = parameters;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {{ signal?: AbortSignal, interval?: number, stops?: number[] }} [how] @returns {AsyncGenerator<types.TrainingPart, void, void>} */
  async *run({ signal, interval = 250, stops = [] } = {}) {
    const ends = stops.map((epoch, i) => check.integer(epoch, `stops[${i}]`));
    for (let over = false; !over; ) {
      const part = await this.#ask('go', check.number(interval, 'interval'), signal, ends);
      over = part.done || part.diverged !== null;
      yield part;
    }
  }

  /** @param {number} [batches] @param {{ signal?: AbortSignal }} [how] @returns {Promise<types.TrainingPart>} */
  async step(batches = 1, { signal } = {}) {
    return this.#ask('batches', check.integer(batches, 'batches'), signal);
  }

  /** @param {number} rate */
  async setRate(rate) {
    await this.#call('rate', check.number(rate, 'rate'));
  }

  /** @param {number} epochs */
  async setEpochs(epochs) {
    await this.#call('epochs', check.integer(epochs, 'epochs', 1, 2 ** 20));
  }

  /** @returns {Promise<Uint8Array>} */
  async checkpoint() {
    return this.#call('checkpoint');
  }

  /** @param {{ half?: boolean }} [options] @returns {Promise<Uint8Array>} */
  async model({ half = false } = {}) {
    return this.#call('model', Boolean(half));
  }

  /** @param {types.EvolutionOptions} options @param {{ signal?: AbortSignal }} [how] @returns {Promise<types.EvolutionCell[]>} */
  async projections(options, { signal } = {}) {
    const made = await this.#line.call('training', ['watch', this.#handle, watched(options, 100)], { signal });
    try {
      for (;;) {
        const part = await this.#line.call('training', ['evolved', made.handle, 1000], { signal });
        if (part.done) return part.cells;
      }
    } finally {
      this.#line.free(made.handle);
    }
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }

  /** @param {string} op @param {number} much @param {AbortSignal} [signal] @param {unknown[]} more @returns {Promise<types.TrainingPart>} */
  async #ask(op, much, signal, ...more) {
    const told = this.#told;
    const part = await this.#line.call('training', [op, this.#handle, told, much, ...more], { signal });
    this.#told = Math.max(this.#told, told + part.points.length);
    return part;
  }

  /** @param {string} op @param {unknown[]} args */
  #call(op, ...args) {
    return this.#line.call('training', [op, this.#handle, ...args]);
  }
}

/**
 * @param {Calls} line @param {unknown} experiment @param {types.TrainingData} data
 * @param {{ from?: ArrayBuffer | Uint8Array | Blob, weights?: ArrayBuffer | Uint8Array | Blob }} options @param {How} how
 * @returns {Promise<TrainingRun>}
 */
export async function train(line, experiment, data, { from, weights }, { signal }) {
  if (from !== undefined && weights !== undefined)
    throw fail('Parameter', 'from and weights exclude each other: a checkpoint has its own weights.');
  if (experiment === null && from === undefined) throw check.wrong('the network', EXPERIMENT, experiment);
  const text = experiment === null ? undefined : written(experiment, EXPERIMENT);
  const files = [await bytes(from, 'from'), await bytes(weights, 'weights')];
  return new TrainingRun(
    line,
    await line.call('training', ['train', text, TrainingData.handleOf(data), ...files], { signal }),
  );
}

/**
 * @param {Calls} line @param {string | URL | ArrayBuffer | Uint8Array | Blob} model @param {types.TrainingData} data
 * @param {types.EvolutionOptions} options @param {{ signal?: AbortSignal, interval?: number }} how
 * @returns {AsyncGenerator<types.EvolutionPart, void, void>}
 */
export async function* evolve(line, model, data, options, { signal, interval = 250 }) {
  const args = ['evolve', check.model(model), TrainingData.handleOf(data), watched(options)];
  const { handle } = await line.call('training', args, { signal });
  try {
    for (let done = false; !done; ) {
      const part = await line.call('training', ['evolved', handle, check.number(interval, 'interval')], { signal });
      done = part.done;
      yield part;
    }
  } finally {
    line.free(handle);
  }
}
