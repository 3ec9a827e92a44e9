/** Invariance (ZF14 Fig. 5): the photo moved, scaled or turned; how far do the features go, and does the answer hold? */

import { number, rich, t } from '../words.js';
import { chart, indexAt, mark } from './chart.js';
import { arrowKeys, context2d, el, find } from './dom.js';
import { Sets } from './occlusion-invariance-sets.js';
import { short } from './occlusion-look.js';
import { saveCurves } from './occlusion-save.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../types.d.ts').InvariancePart} Part */
/** @typedef {import('../types.d.ts').Transform} Transform */

/** The amount at which the photo is as it is. @type {Record<Transform, number>} */
const NEUTRAL = { shift_vertically: 0, shift_horizontally: 0, scale: 1, rotate: 0 };
const STEPS = 25;
/** Pixels of a chart's height, and of what stands above all of them and around each. */
const TALLEST = 190;
const SHORTEST = 90;
const ABOVE = 250;
const AROUND = 60;

export class Invariance {
  #scene;
  #root;
  #charts;
  #sets;
  /** @type {Part | undefined} */ #part;
  /** @type {{ drawing: SVGElement, curve: import('./chart.js').Curve, value: HTMLElement }[]} */ #drawn = [];
  #key = '';
  #abort = new AbortController();
  #hover = -1;
  /** @type {unknown} */ #error;
  #asked = 0;
  /** @type {'idle' | 'running' | 'stopped' | 'done' | 'failed'} */ #phase = 'idle';

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    this.#root = find(scene.root, '[data-inv]');
    this.#charts = find(scene.root, '[data-inv-charts]');
    this.#sets = new Sets(scene, this.#root);
    const { store } = scene;
    const kinds = find(scene.root, '[data-inv-kinds]');
    arrowKeys(kinds, '[role=radio]');
    kinds.addEventListener('click', (event) => {
      const transform = /** @type {HTMLElement} */ (event.target).closest('[data-kind]')?.getAttribute('data-kind');
      if (transform) store.set({ transform, amount: '', from: '', to: '' });
    });
    this.#root.addEventListener('click', (event) => {
      const act = /** @type {HTMLElement} */ (event.target).closest('[data-inv-act]')?.getAttribute('data-inv-act');
      if (act === 'stop') this.#stop();
      if (act === 'again') this.#run();
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
    this.#sets.update();
    const { layers, range } = this.#sets;
    const { transform, class: of } = state;
    const key = [trace.milliseconds, session.photo?.id, net.info.name, transform, range, of, layers].join();
    if (key !== this.#key) {
      this.#key = key;
      this.#run();
    }
    this.#draw();
  }

  async #run() {
    const { session, store } = this.#scene;
    const { trace, net } = session;
    if (!trace || !net) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#part = undefined;
    this.#error = undefined;
    this.#phase = 'running';
    const { layers, range } = this.#sets;
    const [from, to] = range;
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
