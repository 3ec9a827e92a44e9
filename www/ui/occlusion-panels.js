/** Panels a, b, c of ZF14 Fig. 7: probability, most probable class, activation, each over the positions of the square. */

import { edges, outlines, ridges, smooth } from '../draw/edges.js';
import { heat } from '../draw/heat.js';
import { labels, regions, swatch } from '../draw/labels.js';
import { frame } from '../draw/square.js';
import { number, rich, t } from '../words.js';
import { context2d, el, find, task } from './dom.js';
import { lie, short } from './occlusion-look.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../findings.js').Findings} Findings */
/** @typedef {import('../findings.js').Field} Field */

/** Positions from the border of a region at which its name fits. */
const DEEP = 3;

/** @param {Field} field @param {number} value @param {string} show */
export function format({ lo, hi }, value, show) {
  if (Number.isNaN(value)) return '—';
  if (show === 'p' || show === 'difference') {
    const sign = show === 'difference' && value > 0 ? '+' : '';
    return sign + number(value, { digits: 3 });
  }
  return number(value, { digits: Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.max(1e-3, hi - lo))))) });
}

export class Panels {
  #scene;
  /** What the maps and the outlines were last drawn from. @type {unknown} */ #drawn;
  /** @type {unknown} */ #outlined;

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    for (const name of ['p', 'class', 'activation']) {
      const map = find(this.#panel(name), 'canvas.map');
      map.after(el('canvas', { class: 'lines', 'aria-hidden': 'true' }));
    }
    find(scene.root, '[data-legend]').addEventListener('click', (event) => {
      const entry = /** @type {HTMLElement} */ (event.target).closest('[data-best]');
      if (entry) scene.place.pinAt(Number(entry.getAttribute('data-best')));
    });
    find(scene.root, '.panels').addEventListener('click', (event) => {
      const larger = /** @type {HTMLElement} */ (event.target).closest('[data-larger]');
      if (larger) scene.store.set({ size: larger.getAttribute('data-larger') ?? '' });
    });
  }

  /** @param {string} name */
  #panel(name) {
    return find(this.#scene.root, `[data-panel=${name}]`);
  }

  update() {
    const { root, findings, store, session } = this.#scene;
    find(root, '.panels').classList.toggle('no-lines', store.state.outlines === 'off');
    this.#outline();
    if (!findings || !session.trace) {
      this.#drawn = undefined;
      for (const map of /** @type {NodeListOf<HTMLCanvasElement>} */ (root.querySelectorAll('canvas.map')))
        map.width = 0;
      find(root, '[data-legend]').replaceChildren();
      find(root, '[data-regions]').replaceChildren();
      return this.place();
    }
    const key = [findings, document.documentElement.lang].map(String).join();
    if (this.#drawn !== findings || root.dataset.drawn !== key) {
      this.#drawn = findings;
      root.dataset.drawn = key;
      this.#heat('p', findings.p, findings.show);
      this.#heat('activation', findings.activation, 'sum');
      this.#classes(findings);
      this.#words(findings);
    }
    this.place();
  }

  /** @param {string} name @param {Field | undefined} field @param {string} show */
  #heat(name, field, show) {
    const { findings, session } = this.#scene;
    if (!field || !findings || !session.trace) return;
    const panel = this.#panel(name);
    const canvas = /** @type {HTMLCanvasElement} */ (find(panel, 'canvas.map'));
    const [rows, columns] = findings.grid.shape;
    heat(context2d(canvas), field.values, { rows, columns, from: findings.from, lo: field.lo, hi: field.hi });
    lie(canvas, frame(findings.grid), session.trace.shape);
    const say = (/** @type {number} */ value) => format(field, value, show);
    find(panel, '[data-lo]').textContent = say(field.lo);
    find(panel, '[data-hi]').textContent = say(field.hi);
    find(panel, '[data-base]').textContent = t('occ.base', { value: say(field.base) });
    find(panel, '.whole').style.left = `${100 * share(field, field.base)}%`;
    const [y, x] = field.at < 0 ? [0, 0] : findings.square(field.at);
    canvas.setAttribute(
      'aria-label',
      t('occ.map.label', {
        what: this.#title(name),
        rows,
        columns,
        lo: say(field.min),
        hi: say(field.max),
        y,
        x,
        base: say(field.base),
      }),
    );
  }

  /** @param {string} name */
  #title(name) {
    const { findings } = this.#scene;
    if (!findings) return '';
    if (name === 'p') return t(`occ.a.${findings.show}`, { label: short(findings.part.label ?? '') });
    return t('occ.c', { layer: findings.watched.layer, map: findings.watched.map });
  }

  /** @param {Findings} findings */
  #words(findings) {
    const { root } = this.#scene;
    const { p, part, watched } = findings;
    const settled = part.fraction > 1 / 16;
    find(root, '[data-panel=p] [data-head]').replaceChildren(
      ...rich(`occ.a.${findings.show}`, { label: short(part.label ?? '') }),
    );
    find(root, '[data-panel=activation] [data-head]').replaceChildren(
      ...rich('occ.c', { layer: watched.layer, map: watched.map }),
    );
    for (const [name, field, key] of /** @type {const} */ ([
      ['p', p, 'a'],
      ['activation', findings.activation, 'c'],
    ]))
      find(this.#panel(name), '[data-say]').replaceChildren(
        ...(field?.flat && settled ? this.#flat(field, key) : [t(`occ.${key}.say`)]),
      );
  }

  /** Why a map is flat, and a larger square if that could help. @param {Field} field @param {'a' | 'c'} letter */
  #flat({ flat, min, max }, letter) {
    const { findings, session } = this.#scene;
    const [, height, width] = session.trace?.shape ?? [0, 1, 1];
    const size = findings?.grid.size ?? 1;
    const larger = Math.min(height, width, Math.round(size * 1.6));
    const words = rich(letter === 'c' ? `occ.c.flat.${flat}` : `occ.flat.${flat}`, {
      lo: number(min, { significant: 2 }),
      hi: number(max, { significant: 2 }),
    });
    // What is silent stays silent under any square.
    if (larger <= size || flat === 'silent') return words;
    return [
      ...words,
      ' ',
      el('button', { type: 'button', class: 'link', 'data-larger': larger }, t('occ.larger', { size: larger })),
    ];
  }

  /** @param {Findings} findings */
  #classes(findings) {
    const { session } = this.#scene;
    const { winners, kinds, grid } = findings;
    if (!winners.length || !session.trace) return;
    const panel = this.#panel('class');
    const canvas = /** @type {HTMLCanvasElement} */ (find(panel, 'canvas.map'));
    const [rows, columns] = grid.shape;
    const parts = regions(kinds, rows, columns);
    labels(context2d(canvas), kinds, { rows, columns, parts });
    lie(canvas, frame(grid), session.trace.shape);
    const name = (/** @type {number} */ label) => short(session.net?.info.classes[label] ?? String(label));
    const [top, left, bottom, right] = frame(grid);
    const [, height, width] = session.trace.shape;
    const named = parts.filter(({ depth, size }) => depth >= DEEP && 40 * size >= rows * columns).slice(0, 6);
    find(panel, '[data-regions]').replaceChildren(
      ...named.map(({ kind, at }) => {
        const word = el('span', { lang: 'en' }, name(winners[kind].label));
        const y = top + ((bottom - top) * (Math.floor(at / columns) + 0.5)) / rows;
        const x = left + ((right - left) * ((at % columns) + 0.5)) / columns;
        word.style.top = `${(100 * y) / height}%`;
        word.style.left = `clamp(2.5rem, ${(100 * x) / width}%, 100% - 2.5rem)`;
        return word;
      }),
    );
    find(panel, '[data-legend]').replaceChildren(
      ...winners.map(({ label, count, best }, kind) => this.#entry(name(label), count, best, kind)),
    );
    canvas.setAttribute(
      'aria-label',
      `${t('occ.b')}: ${winners.map(({ label, count }) => `${name(label)} ${count}`).join(', ')}`,
    );
  }

  /** @param {string} name @param {number} count @param {number} best @param {number} kind */
  #entry(name, count, best, kind) {
    const colour = el('canvas', { 'aria-hidden': 'true' });
    swatch(context2d(colour), kind);
    const words = [colour, el('span', { lang: 'en' }, name), el('span', { class: 'count' }, String(count))];
    const button = el('button', { type: 'button', 'data-best': best, title: t('occ.entry') }, ...words);
    button.disabled = best < 0;
    return el('li', {}, button);
  }

  place() {
    const { root, findings, place, session } = this.#scene;
    const index = findings ? place.index : -1;
    for (const name of ['p', 'class', 'activation']) {
      const panel = this.#panel(name);
      find(panel, '.at').hidden = index < 0;
      if (!findings || index < 0 || !session.trace) {
        find(panel, '[data-value]').textContent = '—';
        continue;
      }
      const [top, left, bottom] = frame(findings.grid);
      const [rows, columns] = findings.grid.shape;
      const cell = (bottom - top) / rows;
      const [y, x] = [top + Math.floor(index / columns) * cell, left + (index % columns) * cell];
      lie(find(panel, '.at'), [y, x, y + cell, x + cell], session.trace.shape);
    }
    if (!findings || index < 0) return;
    for (const [name, field, show] of /** @type {const} */ ([
      ['p', findings.p, findings.show],
      ['activation', findings.activation, 'sum'],
    ])) {
      if (!field) continue;
      find(root, `[data-panel=${name}] [data-value]`).textContent = format(field, field.values[index], show);
      find(root, `[data-panel=${name}] .here`).style.left = `${100 * share(field, field.values[index])}%`;
    }
    const label = findings.part.top[index];
    find(root, '[data-panel=class] [data-value]').textContent = short(session.net?.info.classes[label] ?? '—');
  }

  /** The outlines of the photo, once for each. */
  async #outline() {
    const { session, root } = this.#scene;
    const photo = session.trace?.photo;
    if (!photo || this.#outlined === photo) return;
    this.#outlined = photo;
    const { width, height } = photo;
    await task();
    const light = smooth(photo);
    await task();
    const ridge = ridges(light, width, height);
    await task();
    const on = edges(ridge, width);
    for (const canvas of /** @type {NodeListOf<HTMLCanvasElement>} */ (root.querySelectorAll('canvas.lines'))) {
      await task();
      if (this.#outlined !== photo) return;
      outlines(context2d(canvas), on, width, height);
    }
  }
}

/** Where a value stands on its scale, 0…1. @param {Field} field @param {number} value */
const share = ({ lo, hi }, value) => Math.max(0, Math.min(1, (value - lo) / (hi - lo || 1)));
