/** Chapter 1: a layer's input from its response. ISTA and FISTA side by side, and what one step back gives. */

import { Job, together } from '../job.js';
import { number, t } from '../words.js';
import { el, find } from './dom.js';
import { Controls, ITERATIONS } from './sparse-controls.js';
import { Down, reach, readsPhoto } from './sparse-down.js';
import { sized } from './sparse-plate.js';
import { Recovery } from './sparse-recovery.js';
import { RunLine } from './sparse-run.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('../types.d.ts').InvertStage} InvertStage */
/** @typedef {import('../types.d.ts').InvertPart} InvertPart */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */
/** @typedef {'ista' | 'fista'} Method */

/** Steps in units of 1/(λ‖F‖²): above 1 nothing is promised, above 2 it runs away. */
const STEPS = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10];
/** λ in units of the one that keeps about 5 % of the values. */
const LAMBDAS = Array.from({ length: 49 }, (_, i) => 10 ** ((i - 8) / 8));
/** Where the page begins: what comes in is rarely so sparse as that, and from here it is recovered. */
const FIRST = 100;
/** Parts hold copies of everything: so many numbers a millisecond are no burden. */
const NUMBERS = 10_000;

/** @typedef {{ layer: string, auto: number, norm2: number, lambda: number, step: number, runs: Partial<Record<Method, InvertStage>>, way: InvertStage[] }} Found */

export class Invert {
  #scene;
  #panel;
  #job = new Job();
  #run;
  #controls;
  #down;
  #recovery;
  /** @type {Found | undefined} */ #found;
  /** λ for 5 % and ‖F‖², once for a trace and layer. @type {{ key: string, lambda: number, norm2: number } | undefined} */ #probe;

  /** @param {Scene} scene @param {HTMLElement} panel */
  constructor(scene, panel) {
    this.#scene = scene;
    this.#panel = panel;
    const { store, session } = scene;
    this.#run = new RunLine(find(panel, '[data-spa-run]'), this.#job, {
      waits: () => t(session.trace || session.busy ? 'load.wait' : 'occ.empty'),
    });
    this.#job.addEventListener('change', () => scene.redraw());
    this.#controls = new Controls(panel, store, {
      lambda: {
        values: LAMBDAS,
        read: () =>
          this.#found ? (Number(store.state.lambda) || FIRST * this.#found.auto) / this.#found.auto : Number.NaN,
        write: (value) => ({
          lambda: value === FIRST ? '' : String(Number(((this.#found?.auto ?? 1) * value).toPrecision(3))),
        }),
        show: (value) => sized((this.#found?.auto ?? 1) * value),
      },
      beta: {
        values: STEPS,
        read: () => Number(store.state.beta),
        write: (value) => ({ beta: String(value) }),
        show: (value) => `${number(value, { digits: value % 1 ? 1 : 0 })}×`,
      },
      iterations: {
        values: ITERATIONS,
        read: () => this.#iterations,
        write: (value) => ({ iterations: String(value) }),
        show: (value) => number(value),
      },
    });
    const layer = /** @type {HTMLSelectElement} */ (find(panel, '[data-spa-layer]'));
    layer.addEventListener('change', () =>
      store.set({ layer: layer.value, map: '', at: '', channel: '', lambda: '', down: '0' }),
    );
    this.#recovery = new Recovery(scene, panel);
    this.#down = new Down(scene, find(panel, '[data-spa-down]'));
  }

  get #iterations() {
    return Number(this.#scene.store.state.iterations || 100);
  }

  /** Convolutions, in running order. @returns {LayerInfo[]} */
  get #layers() {
    return this.#scene.session.net?.info.layers.filter(({ kind }) => kind === 'conv') ?? [];
  }

  /** The convolution that the link means: itself, or the last one before it. @returns {LayerInfo | undefined} */
  get #layer() {
    const all = this.#scene.session.net?.info.layers ?? [];
    const { layer } = this.#scene.store.state;
    const at = all.findIndex(({ name }) => name === layer);
    if (at >= 0) {
      const found = all.slice(0, at + 1).findLast(({ kind }) => kind === 'conv');
      if (found) return found;
    }
    // What a convolution over maps reads is sparse by itself: there the method shows what it can.
    const shapes = this.#scene.session.trace?.shapes ?? {};
    const size = (/** @type {LayerInfo} */ one) =>
      (shapes[one.inputs[0]] ?? [0, 0, 0]).reduce((n, side) => n * side, 1);
    const field = (/** @type {LayerInfo} */ one) => all.find(({ name }) => name === one.inputs[0])?.receptive_field[0];
    // Wider than a pixel, and over in seconds.
    const fit = (/** @type {LayerInfo} */ one) =>
      !readsPhoto(all, one.inputs[0]) && one.receptive_field[0] > (field(one) ?? 0) && size(one) < 1e6;
    return this.#layers.find(fit) ?? this.#layers[0];
  }

  /** @param {boolean} looked */
  attend(looked) {
    this.#job.attend(looked);
  }

  async update() {
    const { session, store } = this.#scene;
    const { trace } = session;
    const layer = this.#layer;
    this.#options(layer);
    this.#controls.update();
    if (trace && layer) this.#begin(trace, layer, store.state);
    this.#run.update();
    if (this.#found?.layer !== layer?.name) return;
    if (!this.#found) return;
    await this.#recovery.update(this.#found, this.#iterations);
    await this.#down.update(this.#found.way);
  }

  /** @param {import('../types.d.ts').Trace} trace @param {LayerInfo} layer @param {import('../state.js').State} state */
  #begin(trace, layer, { lambda, beta, solver, start, down }) {
    const where = `${this.#scene.identity(trace)} ${layer.name}`;
    const key = [where, lambda, beta, solver, start, down, this.#iterations].join();
    /** @type {Method[]} */
    const methods = solver === 'both' ? ['ista', 'fista'] : [/** @type {Method} */ (solver)];
    this.#job.begin(key, (signal) =>
      this.#work(signal, {
        trace,
        where,
        layer: layer.name,
        methods,
        lambda,
        beta: Number(beta),
        start: /** @type {'zero'} */ (start),
        down: Number(down),
        iterations: this.#iterations,
      }),
    );
  }

  /**
   * @param {AbortSignal} signal
   * @param {{ trace: import('../types.d.ts').Trace, where: string, layer: string, methods: Method[], lambda: string, beta: number, start: 'zero' | 'transpose', down: number, iterations: number }} wanted
   * @returns {AsyncGenerator<number, void, void>}
   */
  async *#work(signal, { trace, where, layer, methods, lambda, beta, start, down, iterations }) {
    const lab = await this.#scene.lab();
    if (this.#probe?.key !== where) {
      for await (const { stages } of lab.invert(trace, { layer, iterations: 1 }, { signal })) {
        const [stage] = stages;
        if (stage.lambda) this.#probe = { key: where, lambda: stage.lambda, norm2: stage.norm2 };
        yield 0;
      }
    }
    const { lambda: auto, norm2 } = /** @type {{ lambda: number, norm2: number }} */ (this.#probe);
    const chosen = Number(lambda) || FIRST * auto;
    const step = beta / (chosen * norm2);
    /** @type {Found} */
    const found = { layer, auto, norm2, lambda: chosen, step, runs: {}, way: [] };
    const size = (trace.shapes[layer] ?? [0, 0, 0]).reduce((n, side) => n * side, 1);
    const interval = Math.max(80, (4 * size) / NUMBERS);
    const share = down ? 0.6 : 1;
    const all = methods.map((method) =>
      lab.invert(
        trace,
        { layer, lambda: chosen, step: beta === 1 ? undefined : step, method, start, iterations },
        { signal, interval },
      ),
    );
    const work = together(all, (/** @type {InvertPart} */ { stages: [stage] }, i) => {
      found.runs[methods[i]] = stage;
      this.#found = found;
    });
    for await (const fraction of work) yield share * fraction;
    if (!down) return;
    const method = methods[methods.length - 1];
    for await (const { stages, fraction } of lab.invert(
      trace,
      // Of a layer below only what the switches carry down is known: its λ stays the one that keeps few values.
      { layer, down, lambda: [chosen], method, iterations },
      { signal, interval: 2 * interval },
    )) {
      found.way = stages;
      yield share + (1 - share) * fraction;
    }
  }

  /** @param {LayerInfo | undefined} layer */
  #options(layer) {
    const pick = /** @type {HTMLSelectElement} */ (find(this.#panel, '[data-spa-layer]'));
    const names = this.#layers.map(({ name }) => name);
    if (pick.dataset.for !== names.join()) {
      pick.dataset.for = names.join();
      pick.replaceChildren(...names.map((name) => el('option', { value: name }, name)));
    }
    if (layer) pick.value = layer.name;
    const down = /** @type {HTMLSelectElement} */ (find(this.#panel, '[data-spa-pick=down]'));
    const below = layer ? Math.min(5, reach(this.#scene.session.net?.info.layers ?? [], layer.name)) : 0;
    const key = `${below} ${document.documentElement.lang}`;
    if (down.dataset.for === key) return;
    down.dataset.for = key;
    down.replaceChildren(
      ...Array.from({ length: below + 1 }, (_, n) =>
        el('option', { value: n }, n ? t('spa.down.n', { n }) : t('spa.down.no')),
      ),
    );
  }
}
