/**
 * Unpool as a module: a network, a photo, and what every unit of the network saw in it.
 * The work is done by a worker (engine.js); nothing here blocks the page. Types: types.d.ts.
 * @module
 */

import { check } from './check.js';
import { fail } from './errors.js';

/**
 * @import * as types from './types.js'
 * @typedef {{ signal?: AbortSignal, onprogress?: (done: number, total: number) => void, transfer?: Transferable[] }} CallOptions
 * @typedef {{ op: string, done: (value: any) => void, failed: (error: Error) => void, onprogress?: CallOptions['onprogress'] }} Call
 */

/** What its parts in other files use of it. @typedef {Pick<Line, 'call' | 'free'>} Calls */

/** The line to the worker: requests out, answers, progress and errors back. */
class Line {
  /** @type {Map<number, Call>} */
  #calls = new Map();
  #next = 1;
  /** @type {Error | null} */
  #stopped = null;
  /** @type {Worker} */
  #worker;
  /** @type {BroadcastChannel | null} */
  #alarm = null;

  /** @param {Worker} worker @param {string} id the engine's own, to hear of threads that died */
  constructor(worker, id) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.stop(
        fail('Stopped', `The engine could not run: ${event.message || 'its script did not load'}. Reload the page.`),
      );
    };
    // A thread that dies takes its message with it while the worker waits for it for ever; it calls from here.
    if (typeof BroadcastChannel === 'function') {
      this.#alarm = new BroadcastChannel(`unpool-${id}`);
      this.#alarm.onmessage = ({ data }) => this.stop(broken(String(data)));
    }
  }

  /**
   * @param {string} op @param {unknown[]} args @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(op, args, { signal, onprogress, transfer = [] } = {}) {
    return new Promise((done, failed) => {
      if (this.#stopped) return failed(this.#stopped);
      if (signal?.aborted) return failed(aborted(signal));
      const id = this.#next++;
      const onabort = () => {
        // The caller learns it at once; the worker stops at its next slice, and its answer is not waited for.
        this.#calls.delete(id);
        this.#worker.postMessage({ cancel: id });
        failed(aborted(/** @type {AbortSignal} */ (signal)));
      };
      const off = () => signal?.removeEventListener('abort', onabort);
      signal?.addEventListener('abort', onabort, { once: true });
      this.#calls.set(id, {
        op,
        onprogress,
        done: (value) => {
          off();
          done(value);
        },
        failed: (error) => {
          off();
          failed(error);
        },
      });
      this.#worker.postMessage({ id, op, args }, transfer);
    });
  }

  /** Ends the slices of sweeps that are under way: their parts come at once. */
  hold() {
    this.#worker.postMessage({ hold: true });
  }

  /** @param {number} handle what the worker no longer needs to keep */
  free(handle) {
    if (!this.#stopped) this.#worker.postMessage({ free: handle });
  }

  /** @param {Error} error what every open and every later call is told */
  stop(error) {
    if (this.#stopped) return;
    this.#stopped = error;
    this.#worker.terminate();
    this.#alarm?.close();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.failed(error);
  }

  /** @param {any} message */
  #receive(message) {
    if (message.stopped) return this.stop(broken(message.stopped));
    const call = this.#calls.get(message.id);
    if (!call) {
      // Its caller has gone: what it made is nobody's.
      if (message.value?.handle) this.free(message.value.handle);
      return;
    }
    if (message.progress) return void call.onprogress?.(message.progress[0], message.progress[1]);
    this.#calls.delete(message.id);
    const { error } = message;
    if (error) call.failed(Object.assign(fail(error.name, error.message), { code: error.code }));
    else call.done(message.value);
  }
}

/** @param {AbortSignal} signal */
const aborted = (signal) => Object.assign(fail('Aborted', 'The request was cancelled.'), { cause: signal.reason });

/** @param {string} detail */
const broken = (detail) =>
  fail(
    'Stopped',
    `The engine stopped (${detail}). Start a new one with Engine.start(); this is a fault of Unpool's, please report it.`,
  );

/** Frees in the worker what the page has dropped without close(). */
export const dropped = new FinalizationRegistry((/** @type {{ line: Calls, handle: number }} */ { line, handle }) =>
  line.free(handle),
);

/** What the worker calls a trace. @type {WeakMap<Trace, number>} */
const handles = new WeakMap();

/**
 * A job in the worker, stepped as long as somebody asks for more.
 * @param {Line} line @param {string} op @param {unknown[]} args @param {AbortSignal | undefined} signal @param {number} interval
 * @returns {AsyncGenerator<any, void, void>}
 */
export async function* sweep(line, op, args, signal, interval) {
  const { handle } = await line.call(op, args, { signal });
  try {
    for (let done = false; !done; ) {
      const part = await line.call('sweep', [handle, interval], { signal });
      done = part.done;
      yield part;
    }
  } finally {
    line.free(handle);
  }
}

/** @implements {types.Engine} */
export class Engine {
  /** @type {Line} */
  #line;

  /** Use Engine.start(). @param {Line} line @param {{ flavour: 'threads' | 'single', threads: number, reason: string, why: types.Why }} ready */
  constructor(line, ready) {
    this.#line = line;
    this.flavour = ready.flavour;
    this.threads = ready.threads;
    this.reason = ready.reason;
    this.why = ready.why;
  }

  /** @param {{ threads?: number, preload?: string | URL }} [options] @returns {Promise<Engine>} */
  static async start(options = {}) {
    return new Engine(...(await connect(options)));
  }

  /** @param {{ threads?: number }} [options] @returns {Promise<types.Lab>} */
  async lab(options = {}) {
    const { Lab } = await import('./lab.js');
    return new Lab(this.#line, ...(await connect(options, true)));
  }

  /**
   * @param {string | URL | ArrayBuffer | Uint8Array | Blob} source
   * @param {types.LoadOptions} [options]
   * @returns {Promise<Net>}
   */
  async load(source, { onprogress, signal } = {}) {
    const model = check.model(source);
    const transfer = model instanceof Uint8Array ? [model.buffer] : [];
    const { handle, info } = await this.#line.call('load', [model], { onprogress, signal, transfer });
    return new Net(this.#line, handle, info);
  }

  stop() {
    this.#line.stop(fail('Stopped', 'The engine was stopped. Start a new one with Engine.start().'));
  }
}

/**
 * A worker with its package running, and the line to it.
 * @param {{ threads?: number, preload?: string | URL }} options @param {true} [lab] sparse coding instead of the engine
 * @returns {Promise<[Line, { flavour: 'threads' | 'single', threads: number, reason: string, why: types.Why }]>}
 */
async function connect(options, lab) {
  const threads = options.threads === undefined ? undefined : check.integer(options.threads, 'threads', 1, 64);
  const preload = options.preload === undefined ? undefined : check.url(options.preload, 'preload');
  const id = Math.random().toString(36).slice(2, 10);
  const line = new Line(await worker(), id);
  const ready = await line.call('start', [{ threads, preload, id, lab }]).catch((error) => {
    line.stop(error);
    throw error;
  });
  return [line, ready];
}

/** A module worker; from another origin by way of a small script of this page's own, the only way browsers allow. */
async function worker() {
  const url = new URL('./engine.js', import.meta.url);
  const name = 'unpool';
  if (url.origin === location.origin) return new Worker(url, { type: 'module', name });
  const script = new Blob([`import ${JSON.stringify(url.href)};`], { type: 'text/javascript' });
  return new Worker(URL.createObjectURL(script), { type: 'module', name });
}

/** @implements {types.Net} */
export class Net {
  #line;
  #handle;

  /** Use Engine.load(). @param {Line} line @param {number} handle @param {types.NetInfo} info */
  constructor(line, handle, info) {
    this.#line = line;
    this.#handle = handle;
    this.info = info;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {types.Source} source @param {{ signal?: AbortSignal }} [options] @returns {Promise<Trace>} */
  async run(source, { signal } = {}) {
    const { input, transfer } = check.source(source);
    const made = await this.#line.call('run', [this.#handle, input], { signal, transfer });
    return new Trace(this.#line, made);
  }

  /** @param {types.GallerySource} source @param {types.GalleryOptions} [options] @returns {Promise<types.Gallery>} */
  async gallery(source, options) {
    const { open } = await import('./gallery.js');
    return open(this.#line, this.#handle, source, options);
  }

  /**
   * @param {Iterable<{ name: string, photo: Blob | ImageData }>} files @param {types.BuildOptions} [options]
   * @returns {Promise<types.GalleryBuild>}
   */
  async buildGallery(files, options) {
    const { build } = await import('./gallery.js');
    return build(this.#line, this.#handle, files, options);
  }

  /** @param {string} layer @returns {Promise<types.Tensor>} */
  async filters(layer) {
    return this.#line.call('filters', [this.#handle, check.text(layer, 'layer')]);
  }

  /**
   * @param {{ trace: Trace, part: types.Rect }[]} marks @param {types.CorrespondenceOptions} options
   * @param {{ signal?: AbortSignal, interval?: number }} [how]
   * @returns {AsyncGenerator<types.CorrespondencePart, void, void>}
   */
  async *correspondence(marks, options, { signal, interval = 100 } = {}) {
    const checked = await import('./check-marks.js');
    const { parts, ...rest } = checked.correspondence(marks, options, (one) => one instanceof Trace);
    const traces = marks.map(({ trace }) => handles.get(trace));
    yield* sweep(this.#line, 'correspondence', [traces, parts, rest], signal, interval);
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}

/** @implements {types.Trace} */
export class Trace {
  #line;
  #handle;

  /**
   * Use Net.run().
   * @param {Line} line
   * @param {{ handle: number, milliseconds: number, photo: ImageData | null, shape: [number, number, number],
   *   shapes: Record<string, [number, number, number]> }} made
   */
  constructor(line, { handle, milliseconds, photo, shape, shapes }) {
    this.#line = line;
    this.#handle = handle;
    this.milliseconds = milliseconds;
    this.photo = photo;
    this.shape = shape;
    this.shapes = shapes;
    dropped.register(this, { line, handle }, this);
    handles.set(this, handle);
  }

  /** For this module's own parts. @param {Trace} trace */
  static handleOf(trace) {
    return trace.#handle;
  }

  /** @param {number} [k] @returns {Promise<types.Prediction[]>} */
  async top(k = 5) {
    return this.#call('top', check.integer(k, 'k', 1));
  }

  /** @param {string} layer @returns {Promise<types.Tensor>} */
  async activation(layer) {
    return this.#call('activation', check.text(layer, 'layer'));
  }

  /** @param {string} layer @param {number} map @returns {Promise<types.Tensor>} */
  async map(layer, map) {
    return this.#call('map', check.text(layer, 'layer'), check.integer(map, 'map'));
  }

  /** @param {string} layer @returns {Promise<types.MapInfo[]>} */
  async maps(layer) {
    return this.#call('maps', check.text(layer, 'layer'));
  }

  /** @param {string} layer @param {number} side @returns {Promise<{ data: Uint8Array, shape: [number, number, number] }>} */
  async thumbnails(layer, side) {
    return this.#call('thumbnails', check.text(layer, 'layer'), check.integer(side, 'side', 1, 4096));
  }

  /** @param {string} layer @param {[number, number]} at @returns {Promise<types.Rect>} */
  async receptiveField(layer, at) {
    return this.#call('receptiveField', check.text(layer, 'layer'), check.pair(at, 'at'));
  }

  /** @param {string} layer @param {number} map @param {[number, number]} pixel */
  async unitAt(layer, map, pixel) {
    return this.#call('unitAt', check.text(layer, 'layer'), check.integer(map, 'map'), check.pair(pixel, 'pixel'));
  }

  /** @param {types.ProjectOptions} options @returns {Promise<types.Projection>} */
  async project(options) {
    return this.#line.call('project', [this.#handle, check.projection(options)], { signal: options.signal });
  }

  /** @param {types.ProjectOptions} options @returns {Promise<types.Step[]>} */
  async way(options) {
    return this.#line.call('way', [this.#handle, check.projection(options)], { signal: options.signal });
  }

  /** @param {types.ProjectOptions} options @param {string} layer @param {number} map @returns {Promise<types.StepMap>} */
  async step(options, layer, map) {
    const args = [this.#handle, check.projection(options), check.text(layer, 'layer'), check.integer(map, 'map')];
    return this.#line.call('step', args, { signal: options.signal });
  }

  /**
   * @param {types.OccludeOptions} [options] @param {{ signal?: AbortSignal, interval?: number }} [how]
   * @returns {AsyncGenerator<types.OcclusionPart, void, void>}
   */
  async *occlude(options = {}, { signal, interval = 100 } = {}) {
    yield* sweep(this.#line, 'occlude', [this.#handle, check.occlusion(options)], signal, interval);
  }

  /**
   * @param {types.InvarianceOptions} options @param {{ signal?: AbortSignal, interval?: number }} [how]
   * @returns {AsyncGenerator<types.InvariancePart, void, void>}
   */
  async *invariance(options, { signal, interval = 100 } = {}) {
    yield* sweep(this.#line, 'invariance', [this.#handle, check.invariance(options)], signal, interval);
  }

  hold() {
    this.#line.hold();
  }

  /** @param {types.Transform} transform @param {number} amount @returns {Promise<ImageData>} */
  async transformed(transform, amount) {
    return this.#call('transformed', check.transform(transform), check.number(amount, 'amount'));
  }

  /** @param {{ fill: types.OccludeOptions['fill'], size?: number }} options @returns {Promise<ImageData>} */
  async cover(options) {
    return this.#call('cover', check.occlusion(options));
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }

  /** @param {string} op @param {unknown[]} args */
  #call(op, ...args) {
    return this.#line.call(op, [this.#handle, ...args]);
  }
}
