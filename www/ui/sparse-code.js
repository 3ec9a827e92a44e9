/** Chapter 2: a photo as a sum of few strokes, and what λ makes of it. */

import { support } from '../draw/support.js';
import { Job, together } from '../job.js';
import { number, rich, t } from '../words.js';
import { context2d, el, find, inks, task } from './dom.js';
import { objectives, path } from './sparse-chart.js';
import { Controls, ITERATIONS } from './sparse-controls.js';
import { curves, facts, pace, sparsity } from './sparse-facts.js';
import { figure, mapOf, parts, percent, plate, scaleOf, sized } from './sparse-plate.js';
import { RunLine } from './sparse-run.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('../types.d.ts').CodePart} CodePart */
/** @typedef {import('../types.d.ts').CodeLayer} CodeLayer */
/** @typedef {import('../types.d.ts').PathPart} PathPart */
/** @typedef {'ista' | 'fista'} Method */
/** @typedef {{ lambda: number, image: import('../types.d.ts').Tensor, strokes: import('../types.d.ts').Tensor, runs: Partial<Record<Method, CodeLayer>>, path?: PathPart }} Found */

/** λ around the dictionary's own. */
const LAMBDAS = Array.from({ length: 41 }, (_, i) => 10 ** ((i - 20) / 10));
/** Share of the time that the coding takes; the path takes the rest. */
const SHARE = 0.6;

export class Code {
  #scene;
  #panel;
  #job = new Job();
  #run;
  #controls;
  /** @type {Found | undefined} */ #found;
  /** The dictionary's λ. */ #own = Number.NaN;

  /** @param {Scene} scene @param {HTMLElement} panel */
  constructor(scene, panel) {
    this.#scene = scene;
    this.#panel = panel;
    const { store, session, dictionaries } = scene;
    this.#run = new RunLine(find(panel, '[data-spa-run]'), this.#job, {
      waits: () => t(session.photo || session.busy ? 'load.wait' : 'occ.empty'),
    });
    this.#job.addEventListener('change', () => scene.redraw());
    this.#controls = new Controls(panel, store, {
      strength: {
        values: LAMBDAS,
        read: () =>
          store.state.strength ? Number(store.state.strength) / this.#own : Number.isFinite(this.#own) ? 1 : Number.NaN,
        write: (value) => ({ strength: value === 1 ? '' : String(Number((this.#own * value).toPrecision(3))) }),
        show: (value) => sized(this.#own * value),
      },
      iterations: {
        values: ITERATIONS,
        read: () => this.#iterations,
        write: (value) => ({ iterations: String(value) }),
        show: (value) => number(value),
      },
    });
    find(panel, '[data-spa-trio]').append(figure('image'), figure('reconstruction'), figure('left'));
    find(panel, '[data-spa-z]').addEventListener('click', (event) => {
      const map = /** @type {HTMLElement} */ (event.target).closest('[data-map]')?.getAttribute('data-map') ?? '';
      store.set({ channel: map === store.state.channel ? '' : map });
    });
    const pick = /** @type {HTMLSelectElement} */ (find(panel, '[data-spa-strokes]'));
    pick.addEventListener('change', () => dictionaries.choose(/** @type {'own'} */ (pick.value)));
  }

  get #iterations() {
    return Number(this.#scene.store.state.iterations || 100);
  }

  /** @param {boolean} looked */
  attend(looked) {
    this.#job.attend(looked);
  }

  async update() {
    const { session, store, dictionaries, identity } = this.#scene;
    const { photo } = session;
    const { strength, solver } = store.state;
    const pick = /** @type {HTMLSelectElement} */ (find(this.#panel, '[data-spa-strokes]'));
    find(this.#panel, '[data-spa-own]').hidden = !dictionaries.own;
    pick.value = dictionaries.chosen;
    if (photo && session.engine) {
      const which = dictionaries.key;
      const key = [
        identity(photo),
        which === 'shipped' ? which : identity(which),
        strength,
        solver,
        this.#iterations,
      ].join();
      /** @type {Method[]} */
      const methods = solver === 'both' ? ['ista', 'fista'] : [/** @type {Method} */ (solver)];
      this.#job.begin(key, (signal) => this.#work(signal, photo.bitmap, methods, Number(strength), this.#iterations));
    }
    this.#controls.update();
    this.#run.update();
    await this.#draw();
  }

  /**
   * @param {AbortSignal} signal @param {ImageBitmap} photo @param {Method[]} methods @param {number} strength 0: the dictionary's @param {number} iterations
   * @returns {AsyncGenerator<number, void, void>}
   */
  async *#work(signal, photo, methods, strength, iterations) {
    const { lab, dictionaries } = this.#scene;
    const dictionary = await dictionaries.open(await lab());
    const strokes = await dictionaries.strokes(dictionary);
    this.#own = dictionary.info.layers[0].lambda;
    const lambda = strength || this.#own;
    const codings = [];
    try {
      for (const method of methods)
        codings.push(await dictionary.code(photo, { layers: 1, lambda, method, iterations }, { signal }));
      /** @type {Found['runs']} */
      const runs = {};
      const all = codings.map((coding) => coding.run({ signal, interval: 80 }));
      const work = together(all, (/** @type {CodePart} */ { image, layers: [layer] }, i) => {
        if (!layer) return;
        runs[methods[i]] = layer;
        // The path of the same photo and strokes stands until there is a new one.
        this.#found = { lambda, image, strokes, runs };
      });
      for await (const fraction of work) yield SHARE * fraction;
    } finally {
      for (const coding of codings) coding.close();
    }
    for await (const part of dictionary.path(photo, {}, { signal })) {
      if (this.#found) this.#found.path = part;
      yield SHARE + (1 - SHARE) * part.fraction;
    }
  }

  async #draw() {
    const found = this.#found;
    const layer = found?.runs.fista ?? found?.runs.ista;
    if (!found || !layer) return;
    const { image, strokes, runs } = found;
    const scale = scaleOf(image);
    const { store } = this.#scene;
    const [maps] = layer.z.shape;
    const asked = Number(store.state.channel);
    const map = store.state.channel !== '' && asked < maps ? asked : undefined;
    await task();
    this.#picture(found, layer, scale, map);
    await task();
    const after = parts(this.#panel, 'reconstruction');
    plate(after.canvas, layer.reconstruction, { scale, label: t('spa.code.reconstruction.label') });
    after.caption.replaceChildren(
      ...rich('spa.code.reconstruction', { method: runs.fista ? 'FISTA' : 'ISTA', n: layer.objective.length }),
    );
    await task();
    const rest = parts(this.#panel, 'left');
    const difference = Float32Array.from(image.data, (value, i) => value - layer.reconstruction.data[i]);
    plate(rest.canvas, { data: difference, shape: image.shape }, { scale, label: t('spa.code.left.label') });
    rest.caption.replaceChildren(...rich('spa.code.left', { share: percent(layer.error ?? 1) }));
    await task();
    objectives(find(this.#panel, '[data-spa-chart]'), curves(runs), this.#iterations);
    await task();
    this.#facts(found, layer);
    await task();
    path(find(this.#panel, '[data-spa-path]'), found.path?.points ?? [], found.lambda);
    await task();
    await this.#maps(layer, strokes, map);
  }

  /** The photo, with the places where strokes begin when one of the maps is chosen. @param {Found} found @param {CodeLayer} layer @param {import('./sparse-plate.js').Scale} scale @param {number | undefined} map */
  #picture({ image, strokes }, layer, scale, map) {
    const { canvas, caption } = parts(this.#panel, 'image');
    const shown = this.#scene.store.state.overlay === 'on' || map !== undefined;
    plate(canvas, image, { scale, label: t('spa.code.image') });
    if (!shown) return caption.replaceChildren(...rich('spa.code.image'));
    const [, height, width] = image.shape;
    const shift = Math.floor((strokes.shape[2] - 1) / 2);
    const n = support(
      context2d(canvas),
      mapOf(image, 0).data,
      { height, width, max: scale.max / scale.auto, mark: inks().mark },
      { data: layer.z.data, shape: layer.z.shape, shift, map },
    );
    caption.replaceChildren(
      ...(map === undefined ? rich('spa.code.over', { n }) : rich('spa.code.over.map', { map, n })),
    );
  }

  /** Every map with its filter, the most used first. @param {CodeLayer} layer @param {import('../types.d.ts').Tensor} strokes @param {number | undefined} chosen */
  async #maps({ z }, strokes, chosen) {
    const box = find(this.#panel, '[data-spa-z]');
    const [maps, rows, columns] = z.shape;
    /** @type {number[]} */
    const used = [];
    for (let map = 0; map < maps; map += 1) {
      let n = 0;
      for (const value of mapOf(z, map).data) if (value) n += 1;
      used.push(n);
      if (map % 4 === 3) await task();
    }
    const order = [...used.keys()].sort((a, b) => used[b] - used[a] || a - b);
    await task();
    const scale = scaleOf(z);
    await task();
    while (box.children.length > maps) box.lastElementChild?.remove();
    while (box.children.length < maps)
      box.append(
        el(
          'button',
          { type: 'button', class: 'spa-zmap' },
          el('canvas', { class: 'pixels' }),
          el('canvas', { class: 'pixels spa-f' }),
          el('span', { class: 'num' }),
        ),
      );
    for (const [i, map] of order.entries()) {
      const button = /** @type {HTMLElement} */ (box.children[i]);
      const [canvas, filter] = button.querySelectorAll('canvas');
      const share = percent(used[map] / (rows * columns));
      button.dataset.map = String(map);
      button.setAttribute('aria-pressed', String(map === chosen));
      plate(canvas, mapOf(z, map), { scale, side: 100, label: t('spa.code.map', { map, share }) });
      await task();
      stroke(filter, strokes, map);
      /** @type {HTMLElement} */ (button.lastElementChild).textContent = share;
      await task();
    }
  }

  /** @param {Found} found @param {CodeLayer} layer */
  #facts({ lambda, runs }, layer) {
    /** @type {import('./sparse-facts.js').Row[]} */
    const rows = [['λ', sized(lambda), lambda === this.#own ? t('spa.fact.dictionary') : t('spa.fact.chosen')]];
    if (layer.step !== null) rows.push([t('spa.fact.step'), sized(layer.step), t('spa.fact.safe')]);
    facts(find(this.#panel, '[data-spa-facts]'), [...rows, ...sparsity(layer), ...pace(runs)]);
  }
}

/** One filter of layer 1. @param {HTMLCanvasElement} canvas @param {import('../types.d.ts').Tensor} strokes @param {number} map */
export function stroke(canvas, strokes, map) {
  const [, channels, height, width] = strokes.shape;
  const size = channels * height * width;
  plate(
    canvas,
    { data: strokes.data.subarray(map * size, (map + 1) * size), shape: [channels, height, width] },
    { label: t('spa.filter', { map }) },
  );
}
