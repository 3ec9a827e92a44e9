/** Controls of the Sparse view: every one stands for a key of the link. */

import { arrowKeys, find } from './dom.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../state.js').State} State */
/** @typedef {{ values: number[], read: () => number, write: (value: number) => Partial<State>, show: (value: number) => string }} Slide a slider over a list of values */

/** Milliseconds without a move after which a slider's value is meant. */
const SETTLED = 150;

export const ITERATIONS = [1, 2, 3, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000];

/** @param {number[]} values @param {number} value the position of the nearest, by ratio */
const nearest = (values, value) =>
  values.reduce(
    (best, one, i) => (Math.abs(Math.log(one / value)) < Math.abs(Math.log(values[best] / value)) ? i : best),
    0,
  );

export class Controls {
  #root;
  #store;
  /** @type {Record<string, Slide>} */ #slides;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #settle;

  /** @param {HTMLElement} root @param {Store} store @param {Record<string, Slide>} slides by name */
  constructor(root, store, slides) {
    this.#root = root;
    this.#store = store;
    this.#slides = slides;
    for (const pick of this.#picks)
      pick.addEventListener('change', () => store.set({ [pick.dataset.spaPick ?? '']: pick.value }));
    for (const group of this.#groups) {
      arrowKeys(group, '[role=radio]');
      group.addEventListener('click', (event) => {
        const word = /** @type {HTMLElement} */ (event.target).closest('[data-value]');
        if (word) store.set({ [group.dataset.spaWords ?? '']: word.getAttribute('data-value') ?? '' });
      });
    }
    for (const [name, slide] of Object.entries(slides)) {
      const input = this.#input(name);
      input.addEventListener('input', () => {
        const value = slide.values[Number(input.value)];
        this.#value(name).textContent = slide.show(value);
        input.setAttribute('aria-valuetext', slide.show(value));
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => store.set(slide.write(value)), SETTLED);
      });
    }
  }

  get #picks() {
    return /** @type {NodeListOf<HTMLSelectElement>} */ (this.#root.querySelectorAll('[data-spa-pick]'));
  }

  get #groups() {
    return /** @type {NodeListOf<HTMLElement>} */ (this.#root.querySelectorAll('[data-spa-words]'));
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (find(this.#root, `[data-spa-slide=${name}]`));
  }

  /** @param {string} name */
  #value(name) {
    return find(this.#root, `[data-spa-value=${name}]`);
  }

  update() {
    const state = /** @type {Record<string, string>} */ (/** @type {unknown} */ (this.#store.state));
    for (const pick of this.#picks) pick.value = state[pick.dataset.spaPick ?? ''];
    for (const group of this.#groups)
      for (const word of /** @type {NodeListOf<HTMLElement>} */ (group.querySelectorAll('[data-value]'))) {
        const on = word.dataset.value === state[group.dataset.spaWords ?? ''];
        word.setAttribute('aria-checked', String(on));
        word.tabIndex = on ? 0 : -1;
      }
    for (const [name, slide] of Object.entries(this.#slides)) {
      const input = this.#input(name);
      const value = slide.read();
      const known = Number.isFinite(value) && slide.values.length > 0;
      input.disabled = !known;
      if (!known) continue;
      input.max = String(slide.values.length - 1);
      // While somebody drags, the knob is his.
      if (document.activeElement !== input || !input.matches(':active'))
        input.value = String(nearest(slide.values, value));
      const text = slide.show(value);
      this.#value(name).textContent = text;
      input.setAttribute('aria-valuetext', text);
    }
  }
}
