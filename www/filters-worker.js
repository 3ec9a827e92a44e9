/**
 * The worker of the Filters view: it owns the package `lab`, is given filters, peaks and projections, and answers with
 * the diagnosis. The engine computes what it is given.
 */

import start, { Filters } from './wasm/lab-single/unpool.js';

/** @import { FilterCall } from './types.d.ts' */

const worker = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const ready = start({ module_or_path: fetch(new URL('./wasm/lab-single/unpool_bg.wasm', import.meta.url)) });
ready.catch(() => {}); // told by the first request

/** One for each network that is looked at. @type {Map<number, Filters>} */
const kept = new Map();
let next = 1;
const find = (/** @type {number} */ key) => /** @type {Filters} */ (kept.get(key));

/** @type {Record<string, (...args: any[]) => unknown>} */
const requests = {
  open(head, weights) {
    kept.set(next, new Filters(JSON.stringify(head), weights));
    return next++;
  },
  found: (key, inputs, peaks) => find(key).found(inputs, peaks),
  second: (key, layer, step) => find(key).second(layer, step),
  projection: (key, map, data, shape) =>
    find(key).projection(map, data, .../** @type {[number, number, number]} */ (shape)),
  diagnose: (key, rules) => find(key).diagnose(JSON.stringify(rules)),
  against: (key, before) => find(key).against(find(before)),
  close(key) {
    find(key).free();
    kept.delete(key);
  },
};

worker.onmessage = async ({ data }) => {
  const { id, op, args } = /** @type {FilterCall} */ (data);
  try {
    await ready;
    worker.postMessage({ id, value: requests[op](...args) });
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    worker.postMessage({ id, error: { name, message } });
  }
};
