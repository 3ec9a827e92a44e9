/**
 * Sparse coding and training: a second worker with a package of its own, so that the engine stays small. Use Engine.lab().
 * @module
 */

import { check } from './check.js';
import { fail } from './errors.js';
import { dropped, sweep, Trace } from './unpool.js';

/**
 * @import * as types from './types.js'
 * @typedef {Parameters<typeof sweep>[0]} Line
 */

/** @param {unknown} value @param {string} what @returns {number} */
function positive(value, what) {
  const number = check.number(value, what);
  if (number > 0) return number;
  throw check.wrong(what, 'a number above 0', value);
}

/** @param {unknown} value @param {string} what @param {string[]} choices */
function choice(value, what, choices) {
  if (choices.includes(/** @type {string} */ (value))) return value;
  throw check.wrong(what, `one of ${choices.join(', ')}`, value);
}

/** @param {types.InvertOptions} options */
function inversion(options) {
  if (typeof options !== 'object' || options === null) throw check.wrong('options', '{ layer, … }', options);
  const { lambda, prior = [], step, method = 'fista', start = 'zero', iterations = 100 } = options;
  const list = lambda === undefined ? [] : Array.isArray(lambda) ? lambda : [lambda];
  return {
    lambda: list.map((one) => positive(one, 'lambda')),
    prior: (Array.isArray(prior) ? prior : [prior]).map((one) => choice(one, 'prior', ['sparse', 'smooth'])),
    step: step === undefined ? undefined : positive(step, 'step'),
    method: choice(method, 'method', ['ista', 'fista']),
    start: choice(start, 'start', ['zero', 'transpose']),
    iterations: check.integer(iterations, 'iterations', 1, 100_000),
  };
}

/** @param {types.CodeOptions} options */
function coding(options) {
  if (typeof options !== 'object' || options === null) throw check.wrong('options', '{ layers, lambda, … }', options);
  const { layers, lambda, method = 'fista', iterations = 10, normalised = false } = options;
  const list = lambda === undefined || lambda === 'auto' ? [] : Array.isArray(lambda) ? lambda : [lambda];
  return {
    layers: layers === undefined ? undefined : check.integer(layers, 'layers', 1, 64),
    lambda: list.map((one) => positive(one, 'lambda')),
    automatic: lambda === 'auto',
    method: choice(method, 'method', ['ista', 'fista']),
    iterations: check.integer(iterations, 'iterations', 1, 100_000),
    normalised: normalised === true,
  };
}

/** @implements {types.Dictionary} */
class Dictionary {
  #line;
  #handle;

  /** @param {Line} line @param {number} handle @param {types.DictionaryInfo} info */
  constructor(line, handle, info) {
    this.#line = line;
    this.#handle = handle;
    this.info = info;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {number} layer @returns {Promise<types.Tensor>} */
  async filters(layer) {
    return this.#line.call('atoms', [this.#handle, check.integer(layer, 'layer', 1)]);
  }

  /** @returns {Promise<Uint8Array>} */
  async bytes() {
    return this.#line.call('dictionaryBytes', [this.#handle]);
  }

  /** @param {types.Source} photo @param {types.CodeOptions} [options] @param {{ signal?: AbortSignal }} [how] @returns {Promise<Coding>} */
  async code(photo, options = {}, { signal } = {}) {
    const checked = coding(options);
    const { input, transfer } = check.source(photo);
    const { handle } = await this.#line.call('code', [this.#handle, input, checked], { signal, transfer });
    return new Coding(this.#line, handle);
  }

  /**
   * @param {types.Source} photo @param {types.PathOptions} [options] @param {{ signal?: AbortSignal, interval?: number }} [how]
   * @returns {AsyncGenerator<types.PathPart, void, void>}
   */
  async *path(photo, { lambda = [], count = 24, iterations = 40 } = {}, { signal, interval = 100 } = {}) {
    if (!Array.isArray(lambda)) throw check.wrong('lambda', 'a list of numbers', lambda);
    const options = {
      lambda: lambda.map((one) => positive(one, 'lambda')),
      count: check.integer(count, 'count', 2, 1000),
      iterations: check.integer(iterations, 'iterations', 1, 100_000),
    };
    const { input } = check.source(photo);
    yield* sweep(this.#line, 'path', [this.#handle, input, options], signal, interval);
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}

/**
 * A job that stays: it can be left, gone on with, and asked.
 * @param {Line} line @param {number} handle @param {AbortSignal | undefined} signal @param {number} interval
 * @returns {AsyncGenerator<any, void, void>}
 */
async function* steps(line, handle, signal, interval) {
  for (let done = false; !done; ) {
    const part = await line.call('sweep', [handle, interval], { signal });
    done = part.done;
    yield part;
  }
}

/** @implements {types.Coding} */
class Coding {
  #line;
  #handle;

  /** @param {Line} line @param {number} handle */
  constructor(line, handle) {
    this.#line = line;
    this.#handle = handle;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {{ signal?: AbortSignal, interval?: number }} [how] @returns {AsyncGenerator<types.CodePart, void, void>} */
  async *run({ signal, interval = 100 } = {}) {
    yield* steps(this.#line, this.#handle, signal, interval);
  }

  /** @param {number} layer @returns {Promise<(types.CodeMark | null)[]>} */
  async filters(layer) {
    return this.#line.call('drawn', [this.#handle, check.integer(layer, 'layer', 1)]);
  }

  /** @param {{ layer: number, map?: number, at?: [number, number], most?: number }} which @returns {Promise<types.CodeLevel[]>} */
  async decompose({ layer, map, at, most = 12 }) {
    if (at !== undefined && map === undefined) throw fail('Parameter', 'at says where in a map: give the map too.');
    return this.#line.call('decompose', [
      this.#handle,
      check.integer(layer, 'layer', 1),
      map === undefined ? undefined : check.integer(map, 'map'),
      at === undefined ? undefined : check.pair(at, 'at'),
      check.integer(most, 'most', 1, 1000),
    ]);
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}

/** @param {types.LearnOptions} options */
function learning(options) {
  const { layers = 1, maps = [], colour = false, side = 150, sigma = 3, share = [] } = options;
  const { epochs = 8, batch = 4, iterations = 10, steps = 2, seed = 1 } = options;
  return {
    about: {
      title: 'Learned in this page',
      side: check.integer(side, 'side', 1, 4096),
      sigma: positive(sigma, 'sigma'),
      channels: colour ? 3 : 1,
    },
    layers: check.integer(layers, 'layers', 1),
    maps: maps.map((one, i) => check.integer(one, `maps[${i}]`, 1)),
    share: share.map((one, i) => positive(one, `share[${i}]`)),
    epochs: check.integer(epochs, 'epochs', 1, 100_000),
    batch: check.integer(batch, 'batch', 1, 100_000),
    iterations: check.integer(iterations, 'iterations', 1, 100_000),
    steps: check.integer(steps, 'steps', 1, 100_000),
    seed: check.integer(seed, 'seed'),
  };
}

/** @implements {types.Learning} */
class Learning {
  #line;
  #handle;

  /** @param {Line} line @param {number} handle */
  constructor(line, handle) {
    this.#line = line;
    this.#handle = handle;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {{ signal?: AbortSignal, interval?: number }} [how] @returns {AsyncGenerator<types.LearnPart, void, void>} */
  async *run({ signal, interval = 200 } = {}) {
    yield* steps(this.#line, this.#handle, signal, interval);
  }

  /** @returns {Promise<Dictionary>} */
  async dictionary() {
    const { handle, info } = await this.#line.call('learnedDictionary', [this.#handle]);
    return new Dictionary(this.#line, handle, info);
  }

  /** @returns {Promise<Uint8Array>} */
  async bytes() {
    return this.#line.call('learned', [this.#handle]);
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}

/** @implements {types.Lab} */
export class Lab {
  #engine;
  #line;

  /**
   * @param {Line} engine @param {Line} line
   * @param {{ flavour: 'threads' | 'single', threads: number, reason: string, why: types.Why }} ready
   */
  constructor(engine, line, ready) {
    this.#engine = engine;
    this.#line = line;
    this.flavour = ready.flavour;
    this.threads = ready.threads;
    this.reason = ready.reason;
    this.why = ready.why;
  }

  /**
   * @param {Trace} trace @param {types.InvertOptions} options @param {{ signal?: AbortSignal, interval?: number }} [how]
   * @returns {AsyncGenerator<types.InvertPart, void, void>}
   */
  async *invert(trace, options, { signal, interval = 100 } = {}) {
    if (!(trace instanceof Trace)) throw check.wrong('trace', 'what Net.run() gave', trace);
    const checked = inversion(options);
    const layer = check.text(options.layer, 'layer');
    const depth = check.integer(options.down ?? 0, 'down', 0, 1000) + 1;
    const stages = await this.#engine.call('stages', [Trace.handleOf(trace), layer, depth], { signal });
    yield* sweep(this.#line, 'invert', [stages, checked], signal, interval);
  }

  /** @param {string | URL | ArrayBuffer | Uint8Array | Blob} source @param {{ signal?: AbortSignal }} [how] @returns {Promise<types.Dictionary>} */
  async dictionary(source, { signal } = {}) {
    const { handle, info } = await this.#line.call('dictionary', [check.model(source, 'the dictionary')], { signal });
    return new Dictionary(this.#line, handle, info);
  }

  /**
   * @param {Iterable<ImageData | ImageBitmap | Blob>} photos @param {types.LearnOptions} [options]
   * @param {{ signal?: AbortSignal, onprogress?: (done: number, total: number) => void }} [how] @returns {Promise<Learning>}
   */
  async learn(photos, options = {}, { signal, onprogress } = {}) {
    const checked = learning(options);
    const from = options.from === undefined ? undefined : check.model(options.from, 'from');
    const bytes = from instanceof Blob ? new Uint8Array(await from.arrayBuffer()) : from;
    const inputs = [...photos].map((one) => check.source(one).input);
    const { handle } = await this.#line.call('learn', [inputs, checked, bytes], { signal, onprogress });
    return new Learning(this.#line, handle);
  }

  /** @param {types.Experiment | types.NetworkSpec | string} source @returns {Promise<types.WholeExperiment>} */
  async experiment(source) {
    return (await import('./training.js')).experiment(this.#line, source);
  }

  /** @param {types.NetworkSpec | string} network @returns {Promise<types.LayerSize[]>} */
  async sizes(network) {
    return (await import('./training.js')).sizes(this.#line, network);
  }

  /**
   * @param {types.TrainingSource} source @param {{ signal?: AbortSignal, onprogress?: (done: number, total: number) => void }} [how]
   * @returns {Promise<types.TrainingData>}
   */
  async trainingData(source, how = {}) {
    return (await import('./training.js')).data(this.#line, source, how);
  }

  /**
   * @param {types.Experiment | types.NetworkSpec | string | null} experiment @param {types.TrainingData} data
   * @param {{ from?: ArrayBuffer | Uint8Array | Blob, weights?: ArrayBuffer | Uint8Array | Blob }} [options]
   * @param {{ signal?: AbortSignal }} [how] @returns {Promise<types.TrainingRun>}
   */
  async train(experiment, data, options = {}, how = {}) {
    return (await import('./training.js')).train(this.#line, experiment, data, options, how);
  }

  /**
   * @param {string | URL | ArrayBuffer | Uint8Array | Blob} model @param {types.TrainingData} data @param {types.EvolutionOptions} options
   * @param {{ signal?: AbortSignal, interval?: number }} [how] @returns {AsyncGenerator<types.EvolutionPart, void, void>}
   */
  async *evolve(model, data, options, how = {}) {
    yield* (await import('./training.js')).evolve(this.#line, model, data, options, how);
  }

  stop() {
    this.#line.stop(fail('Stopped', 'The lab was stopped. Start a new one with Engine.lab().'));
  }
}
