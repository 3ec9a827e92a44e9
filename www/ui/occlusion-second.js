/** A second setting of the square beside the first: the same photo, the same scales, and in words what the two differ by. */

import { Sweep } from '../sweep.js';
import { number, rich, t } from '../words.js';
import { el, find } from './dom.js';
import { difference } from './occlusion-difference.js';
import { short } from './occlusion-look.js';
import { fillWords } from './occlusion-options.js';
import { Panels } from './occlusion-panels.js';
import { Place } from './occlusion-place.js';
import { RunLine } from './occlusion-run.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Store} Store */

/** What belongs to a setting, with the defaults. */
const OWN = { size: '', stride: '', grid: 'centre', fill: 'mean', class: '' };

const GOOD =
  /^(size|stride):[1-9]\d{0,5}$|^class:\d{1,6}$|^grid:inside$|^fill:(grey|black|white|blur|noise|[\da-f]{6})$/;

/** @param {string} b as in the link; what makes no sense there is left out @returns {typeof OWN} */
function parse(b) {
  const pairs = b.split(';').filter((pair) => GOOD.test(pair));
  return { ...OWN, ...Object.fromEntries(pairs.map((pair) => pair.split(':'))) };
}

/** The pieces of a link's second setting that are no settings. @param {string} b */
export const unknown = (b) => b.split(';').filter((pair) => b !== 'default' && !GOOD.test(pair));

/** @param {Partial<State>} state @returns {string} never empty: an empty one means that there is no second setting */
export function second(state) {
  const keys = /** @type {(keyof typeof OWN)[]} */ (Object.keys(OWN));
  const said = keys.filter((key) => state[key] && state[key] !== OWN[key]).map((key) => `${key}:${state[key]}`);
  return said.join(';') || 'default';
}

/** The store as the second setting sees it: its own five controls, all else shared. @param {Store} store */
export function view(store) {
  return {
    get state() {
      return { ...store.state, ...parse(store.state.b) };
    },
    /** @param {Partial<State>} change */
    set(change) {
      const shared = Object.entries(change).filter(([key]) => !(key in OWN));
      store.set({ ...Object.fromEntries(shared), b: second({ ...parse(store.state.b), ...change }) });
    },
  };
}

export class Second {
  /** @type {Scene} */ scene;
  /** @type {{ update(): void, place?(): void }[]} */ parts;
  #first;
  #root;

  /** @param {Scene} first */
  constructor(first) {
    this.#first = first;
    this.#root = find(first.root, '[data-second]');
    // The same line and panels once more, less what both share.
    const line = /** @type {HTMLElement} */ (find(first.root, '[data-occ-main] .run-line').cloneNode(true));
    for (const shared of line.querySelectorAll('.occ-show label')) shared.remove();
    const panels = /** @type {HTMLElement} */ (find(first.root, '.panels').cloneNode(true));
    for (const shared of panels.querySelectorAll('[data-panel=projection], .watch, canvas.lines')) shared.remove();
    this.#root.replaceChildren(line, panels);
    const place = new Place();
    this.scene = {
      ...first,
      root: this.#root,
      store: /** @type {Store} */ (/** @type {unknown} */ (view(first.store))),
      sweep: new Sweep(),
      place,
      findings: undefined,
      side: 'b',
      twin: first,
    };
    first.twin = this.scene;
    place.connect(this.scene);
    place.twin = first.place;
    first.place.twin = place;
    const run = new RunLine(this.scene);
    this.scene.sweep.addEventListener('change', () => run.update());
    this.parts = [run, new Panels(this.scene), this];
    const enter = (/** @type {'a' | 'b'} */ side) => {
      first.looked = side;
    };
    this.#root.addEventListener('pointerenter', () => enter('b'), true);
    find(first.root, '.panels').addEventListener('pointerenter', () => enter('a'), true);
  }

  /** What both are, and how they differ. */
  update() {
    const { root, session } = this.#first;
    for (const [side, scene] of /** @type {const} */ ([
      ['a', this.#first],
      ['b', this.scene],
    ])) {
      const part = scene.sweep.part;
      const { fill, grid } = scene.store.state;
      find(root, `[data-second-is=${side}]`).replaceChildren(
        el('b', {}, side.toUpperCase()),
        part
          ? ` ${t('occ.second.is', {
              size: part.size,
              stride: part.stride,
              fill: fillWords(fill),
              grid: t(`occ.grid.${grid}`),
              label: part.label === null ? '' : short(part.label),
            })}`
          : '',
      );
    }
    const words = find(root, '[data-second-words]');
    const [a, b] = [this.#first.findings, this.scene.findings];
    const [, height, width] = session.trace?.shape ?? [0, 1, 1];
    if (!a || !b) return words.replaceChildren();
    const d = difference(a, b, height, width);
    const three = (/** @type {number} */ value) => number(value, { digits: 3 });
    const sentences = [];
    if (a.p && b.p) {
      const key = a.part.class === b.part.class ? 'same' : 'other';
      sentences.push(rich(`occ.second.low.${key}`, { a: three(d.low[0]), b: three(d.low[1]) }));
      sentences.push(rich('occ.second.mean', { a: three(d.mean[0]), b: three(d.mean[1]) }));
      if (d.most > 0) sentences.push(rich('occ.second.most', { most: three(d.most), y: d.at[0], x: d.at[1] }));
      sentences.push(rich('occ.second.answer', { share: number(100 * d.answers, { digits: 0 }) }));
    }
    if (!Number.isNaN(d.alike)) sentences.push(rich('occ.second.alike', { r: number(d.alike, { digits: 2 }) }));
    words.replaceChildren(...sentences.flatMap((nodes) => [...nodes, ' ']));
  }
}
