/**
 * The first script of the page, on as few others as can be: the engine starts, and the network is fetched, while the
 * rest of the page is still on its way. That is worth 0.2 s to the first prediction.
 */

import { isolate } from './isolate.js';
import { modelURL } from './models.js';
import { Store } from './state.js';
import { Engine } from './unpool.js';

export const store = new Store();

/** Threads need an isolated page: where the server does not see to it, the service worker does, after one reload. */
export const isolation = isolate();

function begin() {
  const { model } = store.state;
  // The visitor's own networks are in the browser.
  return Engine.start(/^own$|~/.test(model) ? {} : { preload: modelURL(model) });
}

/** @type {Promise<Engine> | undefined} */
let first = crossOriginIsolated
  ? begin()
  : isolation.then((state) => (state === 'reloading' ? new Promise(() => {}) : begin()));
first.catch(() => {}); // told by whoever asks for it

/** The engine that is on its way since the page began, or a new one after that failed. @returns {Promise<Engine>} */
export function startEngine() {
  const engine = first ?? begin();
  first = undefined;
  return engine;
}
