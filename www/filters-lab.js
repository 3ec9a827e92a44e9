/** The line to the worker of the Filters view (filters-worker.js): one for the page, started with the first request. */

import { fail } from './errors.js';

/** @import { FilterCall } from './types.d.ts' */

export class FilterLab {
  /** @type {Worker | undefined} */ #worker;
  /** @type {Map<number, { done: (value: any) => void, failed: (error: Error) => void }>} */ #calls = new Map();
  #next = 1;

  /** @param {string} op @param {unknown[]} args @returns {Promise<any>} */
  call(op, ...args) {
    return new Promise((done, failed) => {
      const id = this.#next++;
      this.#calls.set(id, { done, failed });
      this.#worker ??= this.#start();
      this.#worker.postMessage(/** @type {FilterCall} */ ({ id, op, args }));
    });
  }

  #start() {
    const worker = new Worker(new URL('./filters-worker.js', import.meta.url), {
      type: 'module',
      name: 'unpool-filters',
    });
    worker.onmessage = ({ data: { id, value, error } }) => {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.failed(fail(error.name, error.message));
      else call?.done(value);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#worker = undefined;
      const calls = [...this.#calls.values()];
      this.#calls.clear();
      for (const { failed } of calls)
        failed(fail('Stopped', `The diagnosis could not run: ${event.message || 'its script did not load'}.`));
    };
    return worker;
  }
}
