/**
 * The worker: picks the threaded or the single-threaded package, owns it, and answers unpool.js.
 * The only importer of the WebAssembly. Long work is done in slices, between which it listens:
 * a request that was cancelled, or overtaken by a newer one, is dropped there.
 */

import { fail } from './errors.js';
import { pixels } from './picture.js';

/**
 * @import * as types from './types.js'
 * @import { Net, Trace } from './wasm/single/unpool.js'
 * @typedef {typeof import('./wasm/single/unpool.js')} Package
 * @typedef {{ id: number, cancelled: boolean, held?: boolean, abort: AbortController, progress: (done: number, total: number) => void }} Call
 */

const worker = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** Milliseconds of one slice: short enough for a cancelled request to cost nothing, long enough for its overhead not to count. */
const SLICE = 30;
/** Pages of WebAssembly memory in a megabyte. */
const PAGES = 16;
/** Threads beyond this gain nothing on images of this size. */
const MOST_THREADS = 8;
/** Milliseconds after which a pool that has not started is given up. */
const POOL_PATIENCE = 10_000;

/** Which package this worker owns: the engine, or with `lab-` the one for sparse coding. */
let prefix = '';
/** @type {Package} */
let wasm;
/** Nets, traces, jobs and the like by handle. @type {Map<number, { free: () => void }>} */
const kept = new Map();
let nextHandle = 1;
/** @type {Map<number, Call>} */
const calls = new Map();
/** Model files on their way before anyone asked. @type {Map<string, Promise<Response>>} */
const preloaded = new Map();

// --- breathing ---------------------------------------------------------------------------------

const breath = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
breath.port1.onmessage = () => waiting.shift()?.();

/**
 * Lets the messages in that have arrived meanwhile; then throws if the call was cancelled.
 * A message to oneself, not a timer: timers wait 4 ms after a few turns.
 * @param {Call} call
 */
async function turn(call) {
  await new Promise((done) => {
    waiting.push(() => done(undefined));
    breath.port2.postMessage(null);
  });
  if (call.cancelled) throw fail('Aborted', 'The request was cancelled.');
}

// --- which package -----------------------------------------------------------------------------

const bytes = (/** @type {number[]} */ ...code) =>
  WebAssembly.validate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, ...code));
/** (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt) */
const hasSimd = () => bytes(1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);
/** (memory 1 1 shared) (func i32.const 0 i32.atomic.load drop) */
const hasAtomics = () =>
  bytes(1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11);
/** (func (result v128) i8x16.relaxed_swizzle of two splats) */
const hasRelaxed = () =>
  bytes(1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11);

/** @param {number | undefined} wanted @returns {{ threads: number, why: types.Why, reason: string }} */
function choose(wanted) {
  const cores = navigator.hardwareConcurrency || 1;
  const one = (/** @type {types.Why} */ why, /** @type {string} */ reason) => ({
    threads: 1,
    why,
    reason: `One thread: ${reason}.`,
  });
  if (wanted === 1) return one('asked', 'only one was asked for');
  if (!wanted && cores === 1) return one('one-core', 'this machine has one core');
  if (!worker.crossOriginIsolated) {
    return one(
      'not-isolated',
      'this page is not cross-origin isolated (its host sends no isolation headers, and here a service worker cannot add them)',
    );
  }
  if (typeof SharedArrayBuffer !== 'function' || !hasAtomics())
    return one('no-shared-memory', 'this browser has no shared memory for WebAssembly');
  const threads = wanted ?? Math.min(cores, MOST_THREADS);
  return { threads, why: 'isolated', reason: `${threads} threads: the page is cross-origin isolated.` };
}

/** iOS refuses a large shared maximum, so it is asked for less and less. @returns {{ memory: WebAssembly.Memory, limit: number }} */
function sharedMemory() {
  for (const megabytes of [1024, 512, 256]) {
    try {
      const memory = new WebAssembly.Memory({ initial: 8 * PAGES, maximum: megabytes * PAGES, shared: true });
      return { memory, limit: megabytes * 2 ** 20 };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new RangeError('not even 256 MB of shared memory');
}

/** @param {'threads' | 'relaxed' | 'single'} flavour @param {WebAssembly.Memory} [memory] @returns {Promise<Package>} */
async function open(flavour, memory) {
  // Both on their way at once; WebAssembly compiles while it streams in.
  const module_or_path = fetch(new URL(`./wasm/${prefix}${flavour}/unpool_bg.wasm`, import.meta.url));
  module_or_path.catch(() => {}); // told by the line below
  const glue = await import(`./wasm/${prefix}${flavour}/unpool.js`);
  await glue.default(memory ? { module_or_path, memory } : { module_or_path });
  return /** @type {Package} */ (glue);
}

/** @param {{ threads?: number, preload?: string, id: string, lab?: boolean }} options */
async function start({ threads: wanted, preload, id, lab }) {
  if (lab) prefix = 'lab-';
  if (preload) preloaded.set(preload, grab(preload));
  if (typeof WebAssembly !== 'object' || !hasSimd()) {
    const error = fail(
      'Unsupported',
      'This browser cannot run the engine: it has no WebAssembly SIMD. Chrome 91, Firefox 89, Safari 16.4 or newer have it.',
    );
    throw Object.assign(error, { code: 'simd' });
  }
  let choice = choose(wanted);
  if (choice.threads > 1) {
    try {
      const { memory, limit } = sharedMemory();
      const glue = /** @type {any} */ (await open(!prefix && hasRelaxed() ? 'relaxed' : 'threads', memory));
      glue.start(id, limit);
      const patience = new Promise((_, late) =>
        setTimeout(() => late(new Error('they did not start in time')), POOL_PATIENCE),
      );
      await Promise.race([glue.initThreadPool(choice.threads), patience]);
      glue.watch();
      wasm = glue;
      return { flavour: 'threads', ...choice };
    } catch (error) {
      choice = {
        threads: 1,
        why: 'pool-failed',
        reason: `One thread: threads could not be started (${/** @type {Error} */ (error).message}).`,
      };
    }
  }
  try {
    wasm = await open('single');
  } catch (error) {
    throw fail(
      'Unsupported',
      `The engine could not be loaded (${/** @type {Error} */ (error).message}). Reload the page; if that does not help, its files are incomplete.`,
    );
  }
  wasm.start(id, 2 ** 31);
  return { flavour: 'single', ...choice };
}

// --- requests ----------------------------------------------------------------------------------

/** @param {string} url @param {AbortSignal} [signal] @param {string} [what] @returns {Promise<Response>} */
async function grab(url, signal, what = 'model') {
  let response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    if (signal?.aborted) throw fail('Aborted', 'The request was cancelled.');
    throw fail(
      'Parameter',
      `${url} could not be fetched (${/** @type {Error} */ (error).message}); check the address and the connection.`,
    );
  }
  if (!response.ok)
    throw fail('Parameter', `there is no ${what} at ${url} (the host answers ${response.status}); check the address.`);
  return response;
}

/** @param {Call} call @param {string | Uint8Array | Blob} source @returns {Promise<{ stream: ReadableStream<Uint8Array>, total: number }>} */
async function streamOf(call, source) {
  if (typeof source === 'string') {
    const early = preloaded.get(source);
    preloaded.delete(source);
    const response = await (early ?? grab(source, call.abort.signal));
    // The length is that of what was sent; of compressed content it says nothing about what comes out.
    const total = response.headers.has('content-encoding') ? 0 : Number(response.headers.get('content-length'));
    return { stream: response.body ?? new Blob().stream(), total };
  }
  const blob = source instanceof Blob ? source : new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (source)]);
  return { stream: blob.stream(), total: blob.size };
}

/** @param {number} handle @param {'net' | 'trace' | 'sweep' | 'gallery' | 'dictionary' | 'data' | 'training'} what @returns {any} */
function find(handle, what) {
  const found = kept.get(handle);
  if (!found) {
    const again = what === 'trace' || what === 'sweep' ? 'run the network' : 'load it';
    throw fail('Parameter', `this ${what} was closed; ${again} again.`);
  }
  return found;
}

/** @param {any} object @returns {number} */
function keep(object) {
  kept.set(nextHandle, object);
  return nextHandle++;
}

/** A forward pass to its end. @param {Call} call @param {import('./wasm/single/unpool.js').Pass} pass */
async function finish(call, pass) {
  const begun = performance.now();
  let trace;
  try {
    while (pass.step(SLICE) < 1) await turn(call);
    const seen = pass.pixels();
    trace = pass.finish();
    const milliseconds = performance.now() - begun;
    const shapes = trace.shapes();
    const [, height, width] = shapes.data;
    const photo = seen ? new ImageData(/** @type {any} */ (seen), width, height) : null;
    return { handle: keep(trace), milliseconds, photo, shape: shapes.data, shapes };
  } finally {
    if (!trace) pass.free();
  }
}

/** What the requests in other files need. @typedef {typeof tools} Tools */
const tools = { SLICE, find, keep, turn, grab, finish, engine: () => wasm };

/** @type {Record<string, (call: Call, ...args: any[]) => any>} */
const requests = {
  start: (_, options) => start(options),

  async load(call, /** @type {string | Uint8Array | Blob} */ source) {
    const { stream, total } = await streamOf(call, source);
    const file = new wasm.ModelFile(total);
    const reader = stream.getReader();
    let done = 0;
    try {
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        file.push(piece.value);
        done += piece.value.length;
        call.progress(done, Math.max(total, done));
        if (call.cancelled) throw fail('Aborted', 'The request was cancelled.');
      }
      await turn(call);
    } catch (error) {
      file.free();
      reader.cancel().catch(() => {}); // the error that matters is the one at hand
      if (call.cancelled || !(error instanceof TypeError)) throw error;
      throw fail(
        'Parameter',
        `the model stopped arriving after ${done} bytes (${error.message}); check the connection and try again.`,
      );
    }
    const net = file.open();
    return { handle: keep(net), info: net.info() };
  },

  async run(call, /** @type {number} */ handle, input) {
    let image = input.pixels ?? null;
    if (input.picture) {
      image = await pixels(input.picture);
      await turn(call);
    }
    const net = find(handle, 'net');
    const pass = image
      ? net.startPicture(image.width, image.height, image.data)
      : net.startTensor(input.data, ...input.shape);
    return finish(call, pass);
  },

  filters: (_, net, layer) => find(net, 'net').filters(layer),
  top: (_, trace, k) => find(trace, 'trace').top(k),
  activation: (_, trace, layer) => find(trace, 'trace').activation(layer),
  map: (_, trace, layer, map) => find(trace, 'trace').map(layer, map),
  maps: (_, trace, layer) => find(trace, 'trace').maps(layer),
  thumbnails: (_, trace, layer, side) => find(trace, 'trace').thumbnails(layer, side),
  receptiveField: (_, trace, layer, [y, x]) => find(trace, 'trace').receptiveField(layer, y, x),
  unitAt: (_, trace, layer, map, [y, x]) => find(trace, 'trace').unitAt(layer, map, y, x),
  project: (_, trace, options) => find(trace, 'trace').project(JSON.stringify(options)),
  way: (_, trace, options) => find(trace, 'trace').way(JSON.stringify(options)),
  step: (_, trace, options, layer, map) => find(trace, 'trace').step(JSON.stringify(options), layer, map),
};

/** The arrays of an answer, to be handed over instead of copied. @param {any} value @returns {Transferable[]} */
function buffers(value) {
  if (ArrayBuffer.isView(value)) return [/** @type {ArrayBuffer} */ (value.buffer)];
  if (Array.isArray(value)) return value.length && typeof value[0] === 'object' ? value.flatMap(buffers) : [];
  if (value instanceof ImageData) return [value.data.buffer];
  return value && typeof value === 'object' ? Object.values(value).flatMap(buffers) : [];
}

/** @param {number} id @param {string} op @param {any[]} args */
async function serve(id, op, args) {
  /** @type {Call} */
  const call = {
    id,
    cancelled: false,
    abort: new AbortController(),
    progress: (done, total) => worker.postMessage({ id, progress: [done, total] }),
  };
  calls.set(id, call);
  try {
    // Lets a cancellation in that was sent right after the request: a caller who drags changes his mind often.
    await turn(call);
    // What a first look does not need is loaded when somebody asks for it.
    if (!requests[op])
      Object.assign(
        requests,
        (await (prefix ? import('./engine-lab.js') : import('./engine-more.js'))).requests(tools),
      );
    const value = await requests[op](call, ...args);
    if (call.cancelled) return void (value?.handle && drop(value.handle));
    worker.postMessage({ id, value }, buffers(value));
  } catch (error) {
    // A trap leaves the memory in no state to go on with.
    if (error instanceof WebAssembly.RuntimeError) worker.postMessage({ stopped: error.message });
    else if (!call.cancelled) worker.postMessage({ id, error: told(error) });
  } finally {
    calls.delete(id);
  }
}

const kinds = ['Malformed', 'Unsupported', 'Shape', 'Limit', 'Parameter', 'Aborted'];

/** @param {any} error @returns {{ name: string, message: string, code?: string }} `code`: what the page says in the reader's language */
function told(error) {
  if (kinds.includes(error?.name)) return { name: error.name, message: error.message, code: error.code };
  if (error instanceof RangeError)
    return {
      name: 'Limit',
      message: `this browser has no memory left for that (${error.message}); use a smaller picture or network.`,
    };
  return {
    name: 'Stopped',
    message: `the engine failed at this (${error?.message ?? error}); this is a fault of Unpool's, please report it.`,
  };
}

/** @param {number} handle */
function drop(handle) {
  kept.get(handle)?.free();
  kept.delete(handle);
}

worker.onmessage = ({ data: { id, op, args, cancel, free, hold } }) => {
  if (free) drop(free);
  else if (hold) for (const call of calls.values()) call.held = true;
  else if (cancel) {
    const call = calls.get(cancel);
    if (call) call.cancelled = true;
    call?.abort.abort();
  } else serve(id, op, args);
};
