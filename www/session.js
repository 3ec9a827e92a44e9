/**
 * What the page works on: engine → network → photo → trace → the chosen unit, each made when the state asks for it and kept
 * until the state asks for another. A step that fails reports a sentence and leaves the last good one in place.
 */

import { startEngine } from './early.js';
import { Facts } from './facts.js';
import { modelURL } from './models.js';
import { fromBlob, fromSample, PhotoError, samples } from './photo.js';
import { firstChoice, stageOf, stages } from './stages.js';

/** @typedef {import('./types.d.ts').Net} Net */
/** @typedef {import('./types.d.ts').Trace} Trace */
/** @typedef {import('./types.d.ts').LayerInfo} LayerInfo */
/** @typedef {import('./photo.js').Photo} Photo */

/** @typedef {{ done: number, total: number, since: number }} Progress */
/** @typedef {{ key: string, values: Record<string, string | number>, kind: string }} Problem */

/** The notice about weights that are no numbers. */
const BROKEN = 'import.broken';

export class Session extends Facts {
  /** @type {import('./unpool.js').Engine | undefined} */ engine;
  /** @type {Photo | undefined} */ photo;
  /** `loading` until there is a first trace, `empty` without a photo. @type {'loading' | 'empty' | 'ready'} */ phase =
    'loading';
  /** What goes on now. @type {'' | 'engine' | 'model' | 'photo' | 'run' | 'import'} */ busy = 'engine';
  /** Since when, in the page's milliseconds. */ busySince = 0;
  /** @type {Progress | undefined} */ progress;
  /** @type {Problem | undefined} */ problem;
  /** @type {Problem[]} */ notices = [];
  /** @type {import('./photo.js').Credit[]} */ credits = [];

  /** @type {Map<string, { key: unknown, promise: Promise<any>, abort: AbortController, done: boolean }>} */
  #steps = new Map();
  /** @type {Photo | undefined} */ #own;
  /** What was dismissed, of which state. @type {{ state?: unknown, notices: Problem[] }} */ #heard = { notices: [] };
  /** A file in our own format that the visitor opened. @type {Blob | undefined} */ ownModel;
  /** What is shown. */
  good = { model: '', photo: '' };
  /** Counts changes of headers of kept networks. */
  edition = 0;

  /** @param {import('./state.js').Store} store */
  constructor(store) {
    super(store);
    store.addEventListener('change', () => this.update());
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }

  /** Does what is missing for the present state. */
  async update() {
    const { state } = this.store;
    for (const { key, value } of this.store.rejected) this.notice('notice.value', { key, value });
    this.store.rejected = [];
    try {
      const photo = this.step('photo', state.photo === 'own' ? this.#own : state.photo, (signal) =>
        this.#openPhoto(state.photo, signal),
      );
      // Shown as soon as it is there, while the network is still on its way.
      photo.then(
        (found) => {
          if (found && state.photo === this.store.state.photo) this.photo = found;
          this.#tell();
        },
        () => {},
      );
      const engine = await this.step('engine', 'engine', startEngine);
      this.engine = engine;
      const key = state.model === 'own' ? this.ownModel : state.model + this.edition;
      const net = await this.step('model', key, (signal) => this.#openModel(engine, state.model, signal));
      if (this.net !== net) this.#useNet(net);
      this.photo = await photo;
      this.good = { model: state.model, photo: state.photo };
      if (!this.photo) {
        this.phase = 'empty';
        this.#tell();
        return;
      }
      const { file, bitmap } = this.photo;
      const trace = await this.step('run', [net, this.photo].map(identity).join(), (signal) =>
        net.run(file ?? bitmap, { signal }),
      );
      if (this.trace !== trace) this.#useTrace(trace);
      await this.#choose(net, trace);
    } catch (error) {
      // What failed for a state that is no longer wanted was aborted on purpose.
      if (state.model === this.store.state.model && state.photo === this.store.state.photo) this.#fail(error);
    }
  }

  /**
   * One step of the chain: made anew when its key changes (what was under way is aborted), else the one there is.
   * @template T @param {'engine' | 'model' | 'photo' | 'run' | 'import'} name @param {unknown} key @param {(signal: AbortSignal) => Promise<T>} make @returns {Promise<T>}
   */
  step(name, key, make) {
    const last = this.#steps.get(name);
    if (last && last.key === key) return last.promise;
    last?.abort.abort();
    const abort = new AbortController();
    this.#begin(name);
    const step = { key, abort, done: false, promise: make(abort.signal) };
    this.#steps.set(name, step);
    const current = () => this.#steps.get(name) === step;
    step.promise.then(
      () => {
        step.done = true;
        if (current()) this.#end(name);
      },
      () => {
        if (!current()) return;
        // What worked before this stays at hand: going back to it costs nothing.
        if (last?.done) this.#steps.set(name, last);
        else this.#steps.delete(name);
        this.#end(name);
      },
    );
    return step.promise;
  }

  /** @param {'engine' | 'model' | 'photo' | 'run' | 'import'} name */
  #begin(name) {
    this.busy = name;
    this.busySince = performance.now();
    this.progress = undefined;
    this.#tell();
  }

  /** @param {string} name */
  #end(name) {
    if (this.busy === name) this.busy = '';
    this.#tell();
  }

  /** Stops what goes on now, as far as it can be stopped. */
  cancel() {
    this.#steps.get(this.busy)?.abort.abort();
  }

  /** @param {string} id @param {AbortSignal} signal @returns {Promise<Photo | undefined>} */
  async #openPhoto(id, signal) {
    if (!this.credits.length) this.credits = await samples();
    if (id === 'own') return this.#own;
    if (id.includes('@')) return (await import('./pool-photo.js')).fromPool(id, signal);
    let credit = this.credits.find((one) => one.id === id);
    if (!credit) {
      this.notice('notice.photo', { value: id });
      credit = this.credits[0];
    }
    return fromSample(credit, signal);
  }

  /** @param {import('./unpool.js').Engine} engine @param {string} name @param {AbortSignal} signal */
  async #openModel(engine, name, signal) {
    const since = performance.now();
    const own = name.includes('~')
      ? (await import('./ui/import.js')).attend(this, name)
      : name === 'own' && this.ownModel;
    const source = (await own) || modelURL(name);
    return engine.load(source, {
      signal,
      onprogress: (done, total) => {
        this.progress = { done, total, since };
        this.#tell();
      },
    });
  }

  /** @param {Net} net */
  #useNet(net) {
    this.net?.close();
    this.net = net;
    this.notices = this.notices.filter(({ key }) => key !== BROKEN);
    this.judge(net);
    this.stages = stages(net.info.layers);
    this.trace = undefined;
    this.choice = undefined;
    this.#tell();
  }

  /** Says so where weights are no numbers: whatever a network shows then may mean nothing. @param {Net} net */
  judge({ info: { broken, title, name } }) {
    if (broken) this.notice(BROKEN, { n: broken, model: title || name });
  }

  /** @param {Trace} trace */
  #useTrace(trace) {
    this.trace?.close();
    this.trace = trace;
    this.choice = undefined;
    this.memo.clear();
    if (this.phase !== 'ready') document.dispatchEvent(new CustomEvent('unpool:ready'));
    this.phase = 'ready';
    this.#tell();
  }

  /** Turns layer, map and position of the state into a unit that exists. @param {Net} net @param {Trace} trace */
  async #choose(net, trace) {
    const { state } = this.store;
    let layer = net.info.layers.find(({ name }) => name === state.layer);
    if (!layer) {
      if (state.layer) this.notice('notice.layer', { value: state.layer, model: net.info.title || net.info.name });
      const first = firstChoice(this.stages, net.info.input.shape[1]);
      layer = /** @type {LayerInfo} */ (net.info.layers.find(({ name }) => name === first));
    }
    const infos = await this.maps(layer.name);
    if (trace !== this.trace || state !== this.store.state) return;
    const shape = trace.shapes[layer.name];
    const strongest = infos.reduce((best, info) => (info.peak > best.peak ? info : best), infos[0]);
    let map = state.map === '' ? strongest.map : Number(state.map);
    if (map >= shape[0]) {
      this.notice('notice.map', { value: state.map, layer: layer.name, n: shape[0] });
      map = strongest.map;
    }
    let at = /** @type {[number, number]} */ (state.at.split(',').map(Number));
    if (!state.at || at[0] >= shape[1] || at[1] >= shape[2]) {
      // A position in a layer that is not there says nothing about this one.
      if (state.at && layer.name === (state.layer || layer.name))
        this.notice('notice.at', { value: state.at, layer: layer.name, size: `${shape[1]}×${shape[2]}` });
      at = infos[map].at;
    }
    const { rule, seed, unpool, lrn, weights } = state;
    const key = [layer.name, map, at, rule, seed, unpool, lrn, weights].join();
    if (key === this.choice?.key) return;
    this.settle({ layer, stage: stageOf(this.stages, layer.name), shape, infos, map, at, key });
    this.problem = undefined;
    this.#tell();
  }

  /** Opens a photo of the visitor's own; what was shown stays if it cannot be read. @param {Blob} file @param {string} name */
  async openPhoto(file, name) {
    this.#begin('photo');
    try {
      const photo = await fromBlob(file, name);
      this.usePhoto(photo);
      if (photo.odd) this.notice(`photo.${photo.odd}`, { name });
    } catch (error) {
      this.report(error);
    } finally {
      this.#end('photo');
    }
  }

  /** @param {Photo} photo of the visitor's own */
  usePhoto(photo) {
    this.#own = photo;
    // What was said of the last one.
    this.notices = this.notices.filter(({ key }) => !key.startsWith('photo.'));
    this.store.set({ photo: 'own', at: '' });
    this.update();
  }

  /** @param {File[]} files a network of the visitor's own, with what belongs to it */
  openModel(files) {
    import('./ui/import.js').then((it) => it.openFiles(this, files)).catch((error) => this.report(error));
  }

  /** @param {string} key @param {Record<string, string | number>} values */
  notice(key, values) {
    const same = JSON.stringify(values);
    // What was dismissed is not said anew of the same state.
    const heard = this.#heard.state === this.store.state ? this.#heard.notices : [];
    if ([...this.notices, ...heard].some((one) => one.key === key && JSON.stringify(one.values) === same)) return;
    this.notices = [...this.notices, { key, values, kind: 'notice' }];
    this.#tell();
  }

  dismiss() {
    this.problem = undefined;
    this.#heard = { state: this.store.state, notices: this.notices };
    this.notices = [];
    this.#tell();
  }

  /** @param {unknown} error */
  report(error) {
    const { name, message, code } = /** @type {Error & { code?: string }} */ (
      error instanceof Error ? error : new Error(String(error))
    );
    if (name === 'Aborted' || name === 'AbortError') return;
    this.problem =
      error instanceof PhotoError
        ? { key: error.key, values: error.values, kind: name }
        : { key: code === 'simd' ? 'error.simd' : 'error.engine', values: { message }, kind: name };
    document.dispatchEvent(new CustomEvent('unpool:error', { detail: { kind: name, message } }));
    this.#tell();
  }

  /** Reports, and goes back to what worked. @param {unknown} error */
  #fail(error) {
    this.report(error);
    const { state } = this.store;
    const { model, photo } = this.good;
    if (!this.trace && !this.problem) this.problem = { key: 'error.cancelled', values: {}, kind: 'Aborted' };
    if (model && (state.model !== model || state.photo !== photo)) this.store.set({ model, photo });
    else if (!this.trace && this.net && !this.photo) this.phase = 'empty';
    this.busy = '';
    this.#tell();
  }
}

/** A small number for an object, so that two can stand in one key. */
const numbers = new WeakMap();
let next = 0;
/** @param {object} object */
function identity(object) {
  if (!numbers.has(object)) {
    next += 1;
    numbers.set(object, next);
  }
  return numbers.get(object);
}
