/** Step 4: the chosen unit. Patch and projection side by side at the same scale, the rules, and how it is seeded and shown. */

import { patch } from '../draw/patch.js';
import { contrast, projection } from '../draw/projection.js';
import { number, rich, t } from '../words.js';
import { arrowKeys, context2d, find, task } from './dom.js';
import { Readout } from './readout.js';
import { saveAs } from './save.js';

/** @typedef {import('./explore.js').Scene} Scene */
/** @typedef {import('../types.d.ts').Projection} Projection */
/** @typedef {import('../types.d.ts').Rect} Rect */
/** @typedef {{ projection: Projection, rect: Rect, max: number, gain: number, random?: Projection }} Shown */

/** Pixels of the rules' own pictures: 64 CSS pixels, for sharp screens too. */
const THUMB = 128;
const RULES = /** @type {const} */ (['deconvnet', 'gradient', 'guided']);

export class Unit {
  #scene;
  #readout;
  #turn = 0;
  /** @type {WeakMap<Projection, { rect: string, max: number, auto: number }>} */
  #contrasts = new WeakMap();
  #key = '';
  /** @type {unknown} */ #trace;
  /** What is on the plates now. @type {Shown | undefined} */ shown;

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root, store, session } = scene;
    this.#readout = new Readout(scene, () => this.shown);
    root.addEventListener('click', (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const rule = target.closest('[data-rule]')?.getAttribute('data-rule');
      if (rule) store.set({ rule });
      const tab = target.closest('[data-tab]')?.getAttribute('data-tab');
      if (tab) store.set({ tab });
      const kind = target.closest('[data-save]')?.getAttribute('data-save');
      if (kind && this.shown) saveAs(kind, scene, this.shown).catch((error) => session.report(error));
    });
    arrowKeys(find(root, '[data-rules]'), '[data-rule]');
    arrowKeys(find(root, '[role=tablist]'), '[role=tab]');
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (root.querySelectorAll('[data-pick]'))) {
      pick.addEventListener('change', () => store.set({ [pick.dataset.pick ?? '']: pick.value }));
    }
  }

  update() {
    const { root, session, store } = this.#scene;
    const { choice, trace } = session;
    const { state } = store;
    this.#controls();
    const key = choice ? [choice.key, state.contrast, document.documentElement.lang, this.#isStage()].join() : '';
    if (key === this.#key && trace === this.#trace) return;
    this.#key = key;
    this.#trace = trace;
    this.#turn += 1;
    if (choice && trace) this.#show(this.#turn);
    else {
      this.shown = undefined;
      find(root, '[data-unit-id]').replaceChildren();
    }
  }

  /** In an embed and in the lecture hall there is room for the pictures only. */
  #isStage() {
    const { present, embed } = this.#scene.store.state;
    return Boolean(present || embed);
  }

  #controls() {
    const { root, session, store } = this.#scene;
    const { state } = store;
    const shown = this.#isStage() ? 'projection' : state.tab;
    for (const rule of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-rule]'))) {
      const on = rule.dataset.rule === state.rule;
      rule.setAttribute('aria-checked', String(on));
      rule.tabIndex = on ? 0 : -1;
    }
    for (const tab of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[role=tab]'))) {
      const on = tab.dataset.tab === shown;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    for (const panel of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-panel]')))
      panel.hidden = panel.dataset.panel !== shown;
    find(root, '[data-unit]').dataset.shows = shown;
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (root.querySelectorAll('[data-pick]'))) {
      const value = state[/** @type {'seed'} */ (pick.dataset.pick)];
      // A link may hold a value that the menu does not offer, such as the 50 strongest.
      if (![...pick.options].some((one) => one.value === value)) pick.append(new Option(`×${value}`, value));
      pick.value = value;
      if (pick.dataset.pick === 'seed')
        for (const one of pick.options) if (+one.value) one.textContent = t('f.k', { n: +one.value });
    }
    find(root, '[data-lrn]').hidden = !session.net?.info.layers.some(({ kind }) => kind === 'lrn');
    find(root, '[data-pair]').dataset.n = state.weights === 'random' ? '3' : '2';
    const third = find(root, '[data-plate=random]').parentElement;
    if (third) third.hidden = state.weights !== 'random';
  }

  /** @param {number} turn */
  async #show(turn) {
    const { session, store } = this.#scene;
    const { trace, choice } = session;
    const { state } = store;
    const current = () => turn === this.#turn && trace === session.trace;
    if (!trace || !choice) return;
    try {
      const result = await session.project(session.options());
      if (!current()) return;
      const [, height, width] = result.shape;
      const rect = state.seed === 'unit' ? result.receptiveField : /** @type {Rect} */ ([0, 0, height, width]);
      const { max, auto, gain } = this.#contrast(result, rect);
      this.shown = { projection: result, rect, max, gain };
      this.#identify(result, auto);
      await task();
      if (!current()) return;
      this.#plates(trace, this.shown);
      if (state.weights === 'random') {
        const random = await session.project(session.options({ random: true }));
        if (!current()) return;
        this.shown.random = random;
        this.#picture('random', random, rect);
      }
      for (const rule of RULES) {
        const other = await session.project(session.options({ rule }));
        if (!current()) return;
        await task();
        const canvas = /** @type {HTMLCanvasElement} */ (find(this.#scene.root, `[data-rule=${rule}] canvas`));
        this.#paint(canvas, other, rect, THUMB);
      }
    } catch (error) {
      if (current()) session.report(error);
    }
  }

  /** @param {Projection} result @param {number} auto */
  #identify({ value, at, units }, auto) {
    const { root, session, store } = this.#scene;
    const { choice } = session;
    if (!choice) return;
    const { layer, map, infos } = choice;
    const rank = 1 + infos.filter(({ peak }) => peak > infos[map].peak).length;
    const which = store.state.seed === 'unit' ? 'unit' : 'units';
    const values = {
      layer: layer.name,
      map,
      nth: rank,
      rank,
      maps: infos.length,
      y: at[0],
      x: at[1],
      units,
      value: number(value, { digits: Math.abs(value) < 10 ? 3 : 1 }),
    };
    const name = session.className(map);
    const line = find(root, '[data-unit-id]');
    line.replaceChildren(...rich(`${which}.id`, values), ...(name ? [` (${name})`] : []));
    line.title = line.textContent ?? '';
    const option = /** @type {HTMLOptionElement} */ (find(root, '[data-pick=contrast] option'));
    option.textContent = t('f.auto', { c: number(auto, { digits: 2 }) });
    document.dispatchEvent(new CustomEvent('unpool:select', { detail: { layer: layer.name, map, at, value } }));
  }

  /** @param {import('../types.d.ts').Trace} trace @param {Shown} shown */
  #plates(trace, { projection: result, rect }) {
    const { root, session } = this.#scene;
    const { choice } = session;
    if (!choice) return;
    const size = `${rect[3] - rect[1]}×${rect[2] - rect[0]}`;
    const canvas = /** @type {HTMLCanvasElement} */ (find(root, '[data-plate=patch] canvas'));
    if (trace.photo) patch(context2d(canvas), trace.photo, rect);
    canvas.setAttribute('aria-label', t('patch.label', { size, layer: choice.layer.name }));
    this.#shape(find(root, '[data-plate=patch]'), rect);
    const { seed, weights } = this.#scene.store.state;
    const short = this.#isStage() || weights === 'random' ? '.short' : '';
    find(root, '[data-cap=patch]').textContent = t(seed === 'unit' ? `cap.patch${short}` : 'cap.photo', { size });
    find(root, '[data-cap=projection]').textContent = t(`cap.proj${short}`);
    find(root, '[data-cap=random]').textContent = t('cap.random');
    this.#picture('projection', result, rect);
    this.#readout.rest();
  }

  /** @param {'projection' | 'random'} plate @param {Projection} result @param {Rect} rect */
  #picture(plate, result, rect) {
    const { root } = this.#scene;
    const canvas = /** @type {HTMLCanvasElement} */ (find(root, `[data-plate=${plate}] canvas`));
    const { max } = this.#paint(canvas, result, rect);
    const values = {
      layer: result.layer,
      map: result.map,
      rule: t(`rule.${result.rule}`),
      y: result.at[0],
      x: result.at[1],
      max: number(max, { significant: 3 }),
    };
    canvas.setAttribute('aria-label', t(`${plate}.label`, values));
    this.#shape(find(root, `[data-plate=${plate}]`), rect);
  }

  /** @param {HTMLElement} plate @param {Rect} rect */
  #shape(plate, [y0, x0, y1, x1]) {
    plate.style.aspectRatio = `${x1 - x0} / ${y1 - y0}`;
  }

  /** @param {HTMLCanvasElement} canvas @param {Projection} result @param {Rect} rect @param {number} [side] */
  #paint(canvas, result, rect, side) {
    const { session } = this.#scene;
    const { max, gain } = this.#contrast(result, rect);
    projection(context2d(canvas), result.data, {
      shape: result.shape,
      rect,
      order: session.net?.info.input.order ?? 'rgb',
      gain,
      max,
      side,
    });
    return { max, gain };
  }

  /** @param {Projection} result @param {Rect} rect @returns {{ max: number, auto: number, gain: number }} */
  #contrast(result, rect) {
    const known = this.#contrasts.get(result) ?? { rect: '', max: 0, auto: 1 };
    if (known.rect !== rect.join())
      Object.assign(known, { rect: rect.join() }, contrast(result.data, result.shape, rect));
    this.#contrasts.set(result, known);
    const { contrast: wanted } = this.#scene.store.state;
    return { ...known, gain: wanted === 'auto' ? known.auto : Number(wanted) };
  }
}
