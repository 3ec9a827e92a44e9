/** Invariance (ZF14 Fig. 5): the photo moved, scaled or turned; how far do the features go, and does the answer hold? */

import { number, rich, t } from '../words.js';
import { chart, indexAt, mark } from './chart.js';
import { arrowKeys, context2d, el, find } from './dom.js';
import { short } from './occlusion-look.js';
import { saveCurves } from './occlusion-save.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../types.d.ts').InvariancePart} Part */
/** @typedef {import('../types.d.ts').Transform} Transform */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */

/** The amount at which the photo is as it is. @type {Record<Transform, number>} */
const NEUTRAL = { shift_vertically: 0, shift_horizontally: 0, scale: 1, rotate: 0 };
/** What is asked for unless the reader says otherwise: as in ZF14 Fig. 5. @type {Record<Transform, [number, number]>} */
const RANGES = { shift_vertically: [-60, 60], shift_horizontally: [-60, 60], scale: [0.6, 1.8], rotate: [0, 350] };
/** Kinds of layers that have no features of their own to compare. */
const NO_FEATURES = ['input', 'softmax', 'dropout', 'flatten'];
const STEPS = 25;
/** Pixels of a chart's height, and of what stands above all of them and around each. */
const TALLEST = 190;
const SHORTEST = 90;
const ABOVE = 250;
const AROUND = 60;

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

export class Invariance {
  #scene;
  #root;
  #charts;
  /** @type {Part | undefined} */ #part;
  /** @type {{ drawing: SVGElement, curve: import('./chart.js').Curve, value: HTMLElement }[]} */ #drawn = [];
  #key = '';
  #abort = new AbortController();
  #hover = -1;
  /** @type {unknown} */ #error;
  #asked = 0;
  /** @type {'idle' | 'running' | 'stopped' | 'done' | 'failed'} */ #phase = 'idle';
  /** What the chips were made for. */ #listed = '';

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    this.#root = find(scene.root, '[data-inv]');
    this.#charts = find(scene.root, '[data-inv-charts]');
    const { store } = scene;
    const kinds = find(scene.root, '[data-inv-kinds]');
    arrowKeys(kinds, '[role=radio]');
    kinds.addEventListener('click', (event) => {
      const transform = /** @type {HTMLElement} */ (event.target).closest('[data-kind]')?.getAttribute('data-kind');
      if (transform) store.set({ transform, amount: '', from: '', to: '' });
    });
    const more = /** @type {HTMLSelectElement} */ (find(this.#root, '[data-inv-layer]'));
    more.addEventListener('change', () => store.set({ layers: [...this.#layers(), more.value].join() }));
    for (const end of this.#ends) end.addEventListener('change', () => this.#limit(end));
    this.#root.addEventListener('click', (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const gone = target.closest('[data-inv-drop]')?.getAttribute('data-inv-drop');
      const left = this.#layers().filter((name) => name !== gone);
      if (gone) store.set({ layers: left.join() });
      const act = target.closest('[data-inv-act]')?.getAttribute('data-inv-act');
      if (act === 'stop') this.#stop();
      if (act === 'again') this.#run(this.#layers());
    });
    this.#charts.addEventListener('pointermove', (event) => this.#point(event));
    this.#charts.addEventListener('pointerleave', () => this.#look(-1));
    this.#charts.addEventListener('click', () => {
      const amount = this.#part?.amounts[this.#hover];
      if (amount !== undefined) store.set({ amount: String(Number(amount.toFixed(3))) });
    });
    this.#save.addEventListener('click', () => {
      if (this.#part) saveCurves(scene, this.#part);
    });
    new ResizeObserver(() => this.#draw()).observe(this.#charts);
  }

  get #save() {
    return /** @type {HTMLButtonElement} */ (find(this.#root, '[data-inv-save]'));
  }

  get #ends() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.#root.querySelectorAll('[data-inv-end]'));
  }

  /** Ends what runs: the tab was left. */
  leave() {
    this.#abort.abort();
    if (this.#phase !== 'running') return;
    this.#phase = 'idle';
    this.#key = '';
  }

  /** At once; what is there stays. */
  #stop() {
    this.#abort.abort();
    if (this.#phase === 'running') this.#phase = 'stopped';
    this.#draw();
  }

  #layers() {
    const { session, store } = this.#scene;
    const all = session.net?.info.layers ?? [];
    return compared(store.state.layers, all, watched(all, store.state.layer));
  }

  /** First and last amount: the reader's, where they make a range. @returns {[number, number]} */
  #range() {
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
    const known = text === '' || /^-?\d{1,4}(\.\d{1,3})?$/.test(text);
    end.setAttribute('aria-invalid', String(!known));
    if (known) this.#scene.store.set({ [end.dataset.invEnd ?? '']: text, amount: '' });
  }

  update() {
    const { session, store, root } = this.#scene;
    const { state } = store;
    const { trace, net } = session;
    if (!trace || !net || state.experiment !== 'invariance') return;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-kind]'))) {
      const on = button.dataset.kind === state.transform;
      button.setAttribute('aria-checked', String(on));
      button.tabIndex = on ? 0 : -1;
    }
    const layers = this.#layers();
    const range = this.#range();
    this.#list(layers);
    for (const [i, end] of this.#ends.entries())
      if (end !== document.activeElement) {
        end.value = String(range[i]);
        end.removeAttribute('aria-invalid');
      }
    const { transform, class: of } = state;
    const key = [trace.milliseconds, session.photo?.id, net.info.name, transform, range, of, layers].join();
    if (key !== this.#key) {
      this.#key = key;
      this.#run(layers);
    }
    this.#draw();
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

  /** @param {string[]} layers */
  async #run(layers) {
    const { session, store } = this.#scene;
    const { trace, net } = session;
    if (!trace || !net) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#part = undefined;
    this.#error = undefined;
    this.#phase = 'running';
    const [from, to] = this.#range();
    const wanted = store.state.class === '' ? undefined : Number(store.state.class);
    const known = wanted !== undefined && wanted < net.info.classes.length ? wanted : undefined;
    try {
      const transform = /** @type {Transform} */ (store.state.transform);
      const options = { transform, layers, from, to, steps: STEPS, class: known };
      for await (const part of trace.invariance(options, { signal })) {
        if (signal.aborted) return;
        this.#part = part;
        this.#draw();
      }
      this.#phase = 'done';
    } catch (error) {
      if (signal.aborted) return;
      this.#error = error;
      this.#phase = 'failed';
    }
    this.#draw();
  }

  /** @param {number} amount */
  #unit = (amount) => {
    const { transform } = this.#scene.store.state;
    if (transform === 'scale') return `×${number(amount, { digits: 2 })}`;
    return t(transform === 'rotate' ? 'inv.degrees' : 'occ.px', { n: Math.round(amount) });
  };

  #draw() {
    const part = this.#part;
    const { state } = this.#scene.store;
    const status = find(this.#root, '[data-inv-status]');
    if (this.#error) status.textContent = this.#error instanceof Error ? this.#error.message : String(this.#error);
    else {
      const done = Math.round((part?.fraction ?? 0) * STEPS);
      const key = part?.done ? 'done' : this.#phase === 'stopped' ? 'stopped' : 'running';
      status.textContent = t(`inv.${key}`, { done, n: STEPS });
    }
    this.#offer();
    this.#save.disabled = !part;
    const width = Math.floor(this.#charts.clientWidth);
    if (!part || width < 100) return void this.#charts.replaceChildren();
    const neutral = NEUTRAL[/** @type {Transform} */ (state.transform)];
    const curves = part.layers.map((layer, i) => ({
      title: rich('inv.distance', { layer }),
      label: t('inv.distance', { layer }),
      values: part.distances[i],
      hi: Math.max(...part.distances[i].filter((value) => !Number.isNaN(value)), 1e-6),
    }));
    if (part.class !== null) {
      const label = t('occ.a.p', { label: short(part.label ?? '') });
      curves.push({ title: rich('occ.a.p', { label: short(part.label ?? '') }), label, values: part.p, hi: 1 });
    }
    const room = (innerHeight - ABOVE) / curves.length - AROUND;
    const tall = Math.round(Math.max(SHORTEST, Math.min(TALLEST, room)));
    this.#drawn = curves.map(({ values, hi, label }) => {
      const curve = { amounts: part.amounts, values, hi, neutral, unit: this.#unit, width, tall, label };
      return { curve, drawing: chart(curve), value: el('span', { class: 'num' }) };
    });
    this.#charts.replaceChildren(
      ...this.#drawn.map(({ drawing, value }, i) =>
        el('figure', { class: 'chart' }, el('h2', {}, el('span', {}, ...curves[i].title), value), drawing),
      ),
    );
    this.#place();
  }

  #offer() {
    const act = this.#phase === 'running' ? 'stop' : this.#phase === 'idle' ? '' : 'again';
    const acts = find(this.#root, '[data-inv-acts]');
    const button = /** @type {HTMLElement | null} */ (acts.firstElementChild);
    if ((button?.dataset.invAct ?? '') === act && acts.lang === document.documentElement.lang) return;
    acts.lang = document.documentElement.lang;
    acts.replaceChildren(
      ...(act ? [el('button', { type: 'button', class: 'link', 'data-inv-act': act }, t(`cor.act.${act}`))] : []),
    );
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const drawing = this.#drawn[0]?.drawing;
    if (drawing && this.#part) this.#look(indexAt(drawing, this.#part.amounts, event.clientX));
  }

  /** @param {number} index */
  #look(index) {
    if (index === this.#hover) return;
    this.#hover = index;
    this.#place();
  }

  /** Arrow keys move the amount by steps. @param {number} steps */
  step(steps) {
    const part = this.#part;
    if (!part) return;
    const index = Math.max(0, Math.min(part.amounts.length - 1, this.#index() + steps));
    this.#hover = -1;
    this.#scene.store.set({ amount: String(Number(part.amounts[index].toFixed(3))) });
  }

  #index() {
    const { state } = this.#scene.store;
    const amounts = this.#part?.amounts ?? [];
    if (this.#hover >= 0) return this.#hover;
    const wanted = state.amount === '' ? NEUTRAL[/** @type {Transform} */ (state.transform)] : Number(state.amount);
    return amounts.reduce((best, one, i) => (Math.abs(one - wanted) < Math.abs(amounts[best] - wanted) ? i : best), 0);
  }

  /** The photo at the amount that is looked at, and the values there. */
  async #place() {
    const part = this.#part;
    const { session, store, root } = this.#scene;
    if (!part || store.state.experiment !== 'invariance') return;
    const index = this.#index();
    for (const { drawing, curve, value } of this.#drawn) {
      mark(drawing, curve, index);
      const digits = curve.hi <= 1 ? 3 : 1;
      value.textContent = Number.isNaN(curve.values[index]) ? '—' : number(curve.values[index], { digits });
    }
    const amount = part.amounts[index];
    find(root, '[data-occ-at]').textContent = `${t(`inv.${store.state.transform}`)} ${this.#unit(amount)}`;
    this.#asked += 1;
    const mine = this.#asked;
    const transform = /** @type {Transform} */ (store.state.transform);
    const photo = await session
      .once(`transformed ${transform} ${amount}`, (trace) => trace.transformed(transform, amount))
      .catch(() => undefined);
    if (!photo || mine !== this.#asked || store.state.experiment !== 'invariance') return;
    context2d(/** @type {HTMLCanvasElement} */ (find(root, '[data-occ-canvas]'))).putImageData(photo, 0, 0);
  }
}
