/** The Sparse view: inverting a layer, coding a photo in strokes, layers of strokes, and learning them, as one story. */

import { showAlert } from './alert.js';
import { arrowKeys, find, rounds } from './dom.js';
import { furnish } from './furnish.js';
import { Code } from './sparse-code.js';
import { Dictionaries } from './sparse-dictionary.js';
import { Invert } from './sparse-invert.js';
import { Layers } from './sparse-layers.js';
import { Learn } from './sparse-learn.js';
import { Photos } from './sparse-photos.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../types.d.ts').Lab} Lab */

/**
 * What every chapter is given.
 * @typedef {object} Scene
 * @property {Store} store
 * @property {Session} session
 * @property {Dictionaries} dictionaries
 * @property {() => Promise<Lab>} lab starts with the first work that needs it
 * @property {() => void} redraw
 * @property {(object: object) => number} identity a small number, so that objects can stand in keys
 */

export class SparseView extends HTMLElement {
  /** @type {Scene} */ #scene = /** @type {any} */ (undefined);
  /** @type {Record<string, { update(): Promise<void>, attend(looked: boolean): void }>} */ #chapters = {};
  #redraw = rounds(() => this.#draw());
  /** @type {Promise<Lab> | undefined} */ #lab;
  /** @type {Photos | undefined} */ #photos;

  /** @param {Store} store @param {Session} session */
  async connect(store, session) {
    await furnish(this, 'sparse');
    /** @type {WeakMap<object, number>} */
    const numbers = new WeakMap();
    let next = 0;
    this.#scene = {
      ...{ store, session, dictionaries: new Dictionaries() },
      lab: () => this.#start(),
      redraw: () => this.update(),
      identity(object) {
        const number = numbers.get(object) ?? next++;
        numbers.set(object, number);
        return number;
      },
    };
    const panel = (/** @type {string} */ name) => find(this, `[data-chapter-panel=${name}]`);
    this.#chapters = {
      invert: new Invert(this.#scene, panel('invert')),
      code: new Code(this.#scene, panel('code')),
      layers: new Layers(this.#scene, panel('layers')),
      learn: new Learn(this.#scene, panel('learn')),
    };
    this.#photos = new Photos(this.#scene, find(this, '[data-spa-photo]'));
    const tabs = find(this, '[data-spa-tabs]');
    arrowKeys(tabs, '[role=tab]');
    this.addEventListener('click', (event) => {
      const tab = /** @type {HTMLElement} */ (event.target).closest('[data-chapter]');
      // A map that was looked at in one chapter says nothing in another.
      if (tab) store.set({ chapter: tab.getAttribute('data-chapter') ?? '', channel: '', iterations: '' });
    });
    for (const source of [store, session, this.#scene.dictionaries])
      source.addEventListener('change', () => this.update());
    document.addEventListener('unpool:redraw', () => this.update());
    addEventListener('resize', () => this.update());
    this.update();
  }

  #start() {
    const { engine } = this.#scene.session;
    if (!engine) return Promise.reject(new Error('The engine has not started yet.'));
    this.#lab ??= engine.lab().catch((error) => {
      this.#lab = undefined;
      throw error;
    });
    return this.#lab;
  }

  update() {
    const { chapter } = this.#scene.store.state;
    for (const [name, one] of Object.entries(this.#chapters)) one.attend(!this.hidden && name === chapter);
    if (!this.hidden) this.#redraw();
  }

  async #draw() {
    const { store, session } = this.#scene;
    const { chapter } = store.state;
    document.documentElement.dataset.phase = session.phase;
    showAlert(find(this, '[data-alert]'), session);
    this.#photos?.update();
    for (const tab of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[role=tab]'))) {
      const on = tab.dataset.chapter === chapter;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    for (const panel of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[data-chapter-panel]')))
      panel.hidden = panel.dataset.chapterPanel !== chapter;
    try {
      await this.#chapters[chapter].update();
    } catch (error) {
      session.report(error);
    }
  }
}

customElements.define('unpool-sparse', SparseView);
