/** What the second experiment compares: layers, and over which range of amounts. */

import { amount } from '../state.js';
import { t } from '../words.js';
import { el, find } from './dom.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../types.d.ts').Transform} Transform */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */

/** What is asked for unless the reader says otherwise: as in ZF14 Fig. 5. @type {Record<Transform, [number, number]>} */
const RANGES = { shift_vertically: [-60, 60], shift_horizontally: [-60, 60], scale: [0.6, 1.8], rotate: [0, 350] };
/** Kinds of layers that have no features of their own to compare. */
const NO_FEATURES = ['input', 'softmax', 'dropout', 'flatten'];

/** The first and the last features, as in the paper, and between them the layer that the reader chose. @param {LayerInfo[]} layers @param {string} chosen */
export function watched(layers, chosen) {
  const first = layers.find(({ kind }) => kind === 'relu') ?? layers.find(({ kind }) => kind === 'conv');
  const by = (/** @type {string} */ name) => layers.find((layer) => layer.name === name);
  const softmax = layers.some(({ kind }) => kind === 'softmax');
  const scores = layers.findLast(({ kind }) => kind === 'conv' || kind === 'dense');
  let last = softmax ? by(scores?.inputs[0] ?? '') : layers.at(-1);
  while (last?.kind === 'dropout' || last?.kind === 'flatten') last = by(last.inputs[0]);
  return [...new Set([first?.name, by(chosen)?.name, last?.name])].filter((name) => name !== undefined);
}

/** The layers of a link that this network has; without any those that the page would choose. @param {string} wanted @param {LayerInfo[]} layers @param {string[]} usual @returns {string[]} */
export function compared(wanted, layers, usual) {
  const known = wanted.split(',').filter((name) => layers.some((one) => one.name === name));
  return known.length ? [...new Set(known)] : usual;
}

/** The layers that could be compared, too, for a select. @param {LayerInfo[]} all @param {string[]} layers */
export const further = (all, layers) => [
  el('option', { value: '' }, t('cor.layer')),
  ...all
    .filter(({ name, kind }) => !layers.includes(name) && !NO_FEATURES.includes(kind))
    .map(({ name }) => el('option', { value: name }, name)),
];

export class Sets {
  #scene;
  #root;
  /** What the chips were made for. */ #listed = '';

  /** @param {Scene} scene @param {HTMLElement} root of the experiment */
  constructor(scene, root) {
    this.#scene = scene;
    this.#root = root;
    const { store } = scene;
    const more = /** @type {HTMLSelectElement} */ (find(root, '[data-inv-layer]'));
    more.addEventListener('change', () => store.set({ layers: [...this.layers, more.value].join() }));
    for (const end of this.#ends) end.addEventListener('change', () => this.#limit(end));
    root.addEventListener('click', (event) => {
      const gone = /** @type {HTMLElement} */ (event.target).closest('[data-inv-drop]')?.getAttribute('data-inv-drop');
      if (gone) store.set({ layers: this.layers.filter((name) => name !== gone).join() });
    });
  }

  update() {
    this.#list(this.layers);
    const { range } = this;
    for (const [i, end] of this.#ends.entries())
      if (end !== document.activeElement) {
        end.value = String(range[i]);
        end.removeAttribute('aria-invalid');
      }
  }

  get #ends() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.#root.querySelectorAll('[data-inv-end]'));
  }

  get layers() {
    const { session, store } = this.#scene;
    const all = session.net?.info.layers ?? [];
    return compared(store.state.layers, all, watched(all, store.state.layer));
  }

  /** First and last amount: the reader's, where they make a range. @returns {[number, number]} */
  get range() {
    const { session, store } = this.#scene;
    const { state } = store;
    const transform = /** @type {Transform} */ (state.transform);
    const usual = RANGES[transform];
    const [from, to] = [state.from, state.to].map((text, i) => (text === '' ? usual[i] : Number(text)));
    if (from < to && (transform !== 'scale' || from > 0)) return [from, to];
    session.notice('notice.range', { from: state.from || from, to: state.to || to, lo: usual[0], hi: usual[1] });
    return usual;
  }

  /** An end of the range was typed. @param {HTMLInputElement} end */
  #limit(end) {
    const text = end.value.trim().replace(',', '.').replace('−', '-');
    const known = text === '' || amount(text);
    end.setAttribute('aria-invalid', String(!known));
    if (known) this.#scene.store.set({ [end.dataset.invEnd ?? '']: text, amount: '' });
  }

  /** The layers with what removes them, and those that could be added. @param {string[]} layers */
  #list(layers) {
    const all = this.#scene.session.net?.info.layers ?? [];
    const key = [this.#scene.session.net?.info.name, layers, document.documentElement.lang].join();
    if (key === this.#listed) return;
    this.#listed = key;
    find(this.#root, '[data-inv-layer]').replaceChildren(...further(all, layers));
    const drop = (/** @type {string} */ layer) =>
      el(
        'button',
        { type: 'button', class: 'link', 'data-inv-drop': layer, 'aria-label': t('cor.drop', { layer }) },
        '×',
      );
    find(this.#root, '[data-inv-chips]').replaceChildren(
      ...layers.map((layer) => el('span', {}, el('i', {}, layer), ...(layers.length > 1 ? [drop(layer)] : []))),
    );
  }
}
