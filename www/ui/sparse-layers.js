/** Chapter 3: a photo coded in layers of strokes, and one activation taken apart down to the pixels (ADN11, Fig. 1). */

import { Job } from '../job.js';
import { number, rich, t } from '../words.js';
import { arrowKeys, el, find, task } from './dom.js';
import { Controls, ITERATIONS } from './sparse-controls.js';
import { percent, plate, scaleOf, sized } from './sparse-plate.js';
import { RunLine } from './sparse-run.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('../types.d.ts').CodePart} CodePart */
/** @typedef {import('../types.d.ts').CodeMark} CodeMark */
/** @typedef {import('../types.d.ts').CodeLevel} CodeLevel */
/** @typedef {import('../types.d.ts').Coding} Coding */
/** @typedef {import('../types.d.ts').Rect} Rect */

/** Filters shown of a layer, parts shown of a level. */
const FILTERS = 40;
const PARTS = 12;

export class Layers {
  #scene;
  #panel;
  #job = new Job();
  #run;
  #controls;
  /** @type {CodePart | undefined} */ #part;
  /** @type {Coding | undefined} */ #coding;
  /** The dictionary's layers. @type {import('../types.d.ts').DictionaryInfo['layers']} */ #layers = [];
  /** Filters in pixels by layer, once all is coded. @type {Map<number, (CodeMark | null)[]>} */ #filters = new Map();
  /** @type {{ key: string, levels: CodeLevel[] } | undefined} */ #apart;
  #drawn = '';

  /** @param {Scene} scene @param {HTMLElement} panel */
  constructor(scene, panel) {
    this.#scene = scene;
    this.#panel = panel;
    const { store, session } = scene;
    this.#run = new RunLine(find(panel, '[data-spa-run]'), this.#job, {
      waits: () => t(session.photo || session.busy ? 'load.wait' : 'occ.empty'),
    });
    this.#job.addEventListener('change', () => scene.redraw());
    this.#controls = new Controls(panel, store, {
      iterations: {
        values: ITERATIONS,
        read: () => this.#iterations,
        write: (value) => ({ iterations: String(value) }),
        show: (value) => number(value),
      },
    });
    const words = find(panel, '[data-spa-levels]');
    arrowKeys(words, '[role=radio]');
    words.addEventListener('click', (event) => {
      const word = /** @type {HTMLElement} */ (event.target).closest('[data-level]');
      if (word) store.set({ level: word.getAttribute('data-level') ?? '', channel: '' });
    });
    find(panel, '[data-spa-filters]').addEventListener('click', (event) => {
      const filter = /** @type {HTMLElement} */ (event.target).closest('[data-map]');
      if (filter) store.set({ channel: filter.getAttribute('data-map') ?? '' });
    });
  }

  get #iterations() {
    return Number(this.#scene.store.state.iterations || 10);
  }

  /** @param {boolean} looked */
  attend(looked) {
    this.#job.attend(looked);
  }

  /** The layer that is looked into: the link's, else the top. */
  get #level() {
    const asked = Number(this.#scene.store.state.level);
    return asked > 0 && asked <= this.#layers.length ? asked : this.#layers.length;
  }

  async update() {
    const { session, store, dictionaries, identity } = this.#scene;
    const { photo } = session;
    const { lambdas } = store.state;
    // Both chapters share the controls' words; of the two solvers this one takes one.
    const method = store.state.solver === 'fista' ? 'fista' : 'ista';
    if (photo && session.engine) {
      const which = dictionaries.key;
      const key = [
        identity(photo),
        which === 'shipped' ? which : identity(which),
        lambdas,
        method,
        this.#iterations,
      ].join();
      this.#job.begin(key, (signal) => this.#work(signal, photo.bitmap, lambdas === 'auto', method, this.#iterations));
    }
    this.#controls.update();
    this.#run.update();
    await this.#draw();
  }

  /**
   * @param {AbortSignal} signal @param {ImageBitmap} photo @param {boolean} auto @param {'ista' | 'fista'} method @param {number} iterations
   * @returns {AsyncGenerator<number, void, void>}
   */
  async *#work(signal, photo, auto, method, iterations) {
    const { lab, dictionaries } = this.#scene;
    const dictionary = await dictionaries.open(await lab());
    const coding = await dictionary.code(photo, { lambda: auto ? 'auto' : undefined, method, iterations }, { signal });
    this.#coding?.close();
    this.#coding = coding;
    this.#layers = dictionary.info.layers;
    this.#filters = new Map();
    this.#apart = undefined;
    this.#drawn = '';
    for await (const part of coding.run({ signal, interval: 150 })) {
      this.#part = part;
      yield 0.9 * part.fraction;
    }
    for (const [i] of this.#layers.entries()) {
      this.#filters.set(i + 1, await coding.filters(i + 1));
      yield 0.9 + (0.1 * (i + 1)) / this.#layers.length;
    }
  }

  async #draw() {
    const part = this.#part;
    if (!part) return;
    await this.#reconstructions(part);
    const ready = this.#filters.size === this.#layers.length && this.#layers.length > 0;
    find(this.#panel, '[data-spa-apart]').hidden = !ready;
    if (!ready) return;
    this.#words();
    await this.#strokes();
    await this.#decomposition(part);
  }

  /** The photo, and what each layer makes of it. @param {CodePart} part */
  async #reconstructions({ image, layers }) {
    const box = find(this.#panel, '[data-spa-recs]');
    const wanted = this.#layers.length + 1;
    while (box.children.length > wanted) box.lastElementChild?.remove();
    while (box.children.length < wanted)
      box.append(el('figure', {}, el('canvas', { class: 'pixels' }), el('figcaption')));
    const scale = scaleOf(image);
    for (const [i, figure] of [...box.children].entries()) {
      await task();
      const canvas = /** @type {HTMLCanvasElement} */ (find(figure, 'canvas'));
      const caption = find(figure, 'figcaption');
      const layer = layers[i - 1];
      if (i === 0) {
        plate(canvas, image, { scale, label: t('spa.code.image') });
        caption.replaceChildren(...rich('spa.code.image'));
      } else if (layer) {
        plate(canvas, layer.reconstruction, { scale, label: t('spa.layers.label', { layer: i }) });
        const [maps] = layer.z.shape;
        caption.replaceChildren(
          ...rich('spa.layers.caption', {
            layer: i,
            maps,
            error: layer.error === null ? '…' : percent(layer.error),
            support: layer.support === null ? '…' : percent(layer.support),
            lambda: layer.lambda === null ? '…' : sized(layer.lambda),
          }),
        );
      } else {
        canvas.style.aspectRatio = `${image.shape[2]} / ${image.shape[1]}`;
        caption.replaceChildren(...rich('spa.layers.waits', { layer: i }));
      }
    }
    await task();
  }

  #words() {
    const box = find(this.#panel, '[data-spa-levels]');
    const key = `${this.#layers.length} ${document.documentElement.lang}`;
    if (box.dataset.for !== key) {
      box.dataset.for = key;
      box.replaceChildren(
        ...this.#layers.map((_, i) =>
          el('button', { type: 'button', role: 'radio', 'data-level': i + 1 }, t('spa.layers.word', { layer: i + 1 })),
        ),
      );
    }
    for (const word of /** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll('[data-level]'))) {
      const on = Number(word.dataset.level) === this.#level;
      word.setAttribute('aria-checked', String(on));
      word.tabIndex = on ? 0 : -1;
    }
  }

  /** Filters of the layer in pixels, as this photo's switches make them. */
  async #strokes() {
    const level = this.#level;
    const box = find(this.#panel, '[data-spa-filters]');
    const all = (this.#filters.get(level) ?? []).filter((mark) => mark !== null);
    const shown = all.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, FILTERS);
    find(this.#panel, '[data-spa-filters-say]').replaceChildren(
      ...rich('spa.layers.filters', {
        layer: level,
        n: shown.length,
        used: all.length,
        maps: this.#filters.get(level)?.length ?? 0,
      }),
    );
    const key = `${level} ${shown.map(({ map }) => map)}`;
    if (this.#drawn !== key) {
      this.#drawn = key;
      const buttons = [];
      for (const [i, mark] of shown.entries()) {
        const canvas = el('canvas', { class: 'pixels' });
        plate(canvas, mark, { label: t('spa.filter', { map: mark.map }) });
        buttons.push(el('button', { type: 'button', 'data-map': mark.map }, canvas));
        if (i % 10 === 9) await task();
      }
      box.replaceChildren(...buttons);
    }
    const top = this.#apart?.levels[0]?.parts[0]?.map;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll('[data-map]')))
      button.setAttribute('aria-pressed', String(Number(button.dataset.map) === top));
  }

  /** One activation, from its layer down to strokes and pixels. @param {CodePart} part */
  async #decomposition({ image }) {
    const coding = this.#coding;
    const level = this.#level;
    const { channel } = this.#scene.store.state;
    const known = channel !== '' && Number(channel) < (this.#filters.get(level)?.length ?? 0);
    const map = known ? Number(channel) : undefined;
    const key = `${level} ${map}`;
    if (this.#apart?.key !== key) {
      const tree = find(this.#panel, '[data-spa-tree]');
      if (!tree.children.length) tree.append(el('p', { class: 'say' }, t('load.wait')));
      const levels = await coding?.decompose({ layer: level, map, most: PARTS });
      if (!levels || coding !== this.#coding) return;
      this.#apart = { key, levels };
      await this.#strokes();
    }
    const { levels } = this.#apart;
    const box = find(this.#panel, '[data-spa-tree]');
    // What is drawn is the same at every level: only what it is drawn with becomes finer.
    const top = levels[0]?.parts[0];
    if (!top) return box.replaceChildren(el('p', { class: 'say' }, t('spa.layers.none')));
    if (box.dataset.for === key && box.children.length) return;
    const rows = [];
    const photo = el('canvas', { class: 'pixels' });
    plate(photo, crop(image, top.rect), { label: t('spa.layers.patch') });
    rows.push(el('div', { class: 'spa-level' }, el('figure', {}, photo, el('figcaption', {}, t('spa.layers.patch')))));
    for (const { layer, count, parts } of levels) {
      const whole = el('canvas', { class: 'pixels' });
      plate(whole, top, { label: t('spa.layers.whole', { layer }) });
      const single = parts.map((mark) => {
        const canvas = el('canvas', { class: 'pixels', title: number(mark.value, { significant: 3 }) });
        plate(canvas, mark, { label: t('spa.filter', { map: mark.map }) });
        return canvas;
      });
      const says = rich('spa.layers.level', { layer, n: count, shown: Math.min(count, parts.length) });
      rows.push(
        el(
          'div',
          { class: 'spa-level' },
          el('figure', {}, whole, el('figcaption', {}, ...says)),
          el('div', { class: 'spa-parts' }, ...single),
        ),
      );
      await task();
    }
    box.dataset.for = key;
    box.replaceChildren(...rows);
  }
}

/** @param {{ data: Float32Array, shape: number[] }} image @param {Rect} rect may reach beyond it */
function crop({ data, shape: [channels, height, width] }, [y0, x0, y1, x1]) {
  const out = new Float32Array(channels * (y1 - y0) * (x1 - x0));
  let at = 0;
  for (let c = 0; c < channels; c += 1)
    for (let y = y0; y < y1; y += 1)
      for (let x = x0; x < x1; x += 1, at += 1)
        if (y >= 0 && x >= 0 && y < height && x < width) out[at] = data[(c * height + y) * width + x];
  return { data: out, shape: [channels, y1 - y0, x1 - x0] };
}
