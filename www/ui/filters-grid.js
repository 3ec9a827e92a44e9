/** Filters as a grid of pictures: in an order, flagged, one of them looked at. */

import { filter, largest } from '../draw/filter.js';
import { number, rich, t } from '../words.js';
import { context2d, el, task } from './dom.js';

/** @typedef {import('../types.d.ts').FilterDiagnosis} Diagnosis */
/** @typedef {import('../types.d.ts').FilterInfo} Info */
/** @typedef {import('./filters-study.js').Study} Study */

/** Pictures made in one task. */
const BATCH = 48;

/** @param {Diagnosis} d @param {string} by `number`, `rms`, `frequency`, `orientation` @returns {Info[]} */
export function sorted(d, by) {
  const key = (/** @type {Info} */ f) =>
    by === 'rms' ? -f.rms : by === 'frequency' ? f.frequency : by === 'orientation' ? f.orientation : f.filter;
  return [...d.filters].sort((a, b) => key(a) - key(b) || a.filter - b.filter);
}

/** A filter's numbers. @param {Info} f @returns {Record<string, string>} */
const numbers = (f) => ({
  filter: String(f.filter),
  rms: number(f.rms, { significant: 3 }),
  share: number(100 * f.share, { digits: 1 }),
  frequency: number(f.frequency, { digits: 2 }),
  // Below this a direction is the rounding's.
  direction: f.oriented < 0.02 ? t('fil.round') : t('fil.direction', { degrees: number(f.orientation) }),
  peak:
    f.peak === null || f.peak === undefined
      ? ''
      : t('fil.peak', { peak: number(Math.max(0, f.peak), { significant: 3 }) }),
  flag: f.flag ? t(`fil.is.${f.flag}`) : '',
});

/** @param {Info} f @returns {Node[]} */
export const facts = (f) => rich('fil.facts', numbers(f));

export class Grid {
  /** @type {Map<number, HTMLButtonElement>} */ #buttons = new Map();
  #drawn = '';
  #looked = -1;
  #root;
  #on;

  /**
   * @param {HTMLElement} root
   * @param {{ look: (filter: number) => void, choose: (filter: number) => void }} on `look`: pointed at or walked to
   */
  constructor(root, on) {
    this.#root = root;
    this.#on = on;
    root.addEventListener('keydown', (event) => this.#key(event));
  }

  /** @param {Study} study @param {string} by @param {boolean} common one contrast for all @param {number} looked @param {number} [max] white */
  async update(study, by, common, looked, max) {
    const d = study.diagnosis;
    if (!d) return;
    const list = sorted(d, by);
    const white = common ? (max ?? largest(study.weights.data)) : undefined;
    const shown = [by, white, document.documentElement.lang].join();
    if (d === this.#shown.diagnosis && shown === this.#shown.as) return this.look(looked);
    this.#shown = { diagnosis: d, as: shown };
    const drawn = [study.net.info.name, d.layer, d.shape, white, study.weights.data.length].join();
    const same = drawn === this.#drawn && this.#weights === study.weights;
    if (!same) {
      this.#drawn = drawn;
      this.#weights = study.weights;
      this.#buttons.clear();
    }
    const nodes = [];
    for (const [i, f] of list.entries()) {
      let button = this.#buttons.get(f.filter);
      if (!button) {
        button = this.#make(f.filter);
        const { order } = study.net.info.input;
        filter(context2d(/** @type {HTMLCanvasElement} */ (button.firstChild)), study.weights.data, d.shape, f.filter, {
          order,
          max: white,
        });
        this.#buttons.set(f.filter, button);
        if (i % BATCH === BATCH - 1) await task();
        if (drawn !== this.#drawn) return;
      }
      button.dataset.flag = f.flag ?? '';
      button.title = facts(f)
        .map((node) => node.textContent)
        .join('');
      button.setAttribute('aria-label', button.title);
      nodes.push(button);
    }
    if (nodes.some((node, i) => this.#root.children[i] !== node) || nodes.length !== this.#root.children.length)
      this.#root.replaceChildren(...nodes);
    this.look(looked);
  }

  /** @type {Study['weights'] | undefined} */ #weights;
  /** @type {{ diagnosis: Diagnosis | undefined, as: string }} */ #shown = { diagnosis: undefined, as: '' };

  /** @param {number} filter */
  look(filter) {
    this.#buttons.get(this.#looked)?.setAttribute('aria-selected', 'false');
    this.#looked = filter;
    for (const button of this.#buttons.values()) button.tabIndex = -1;
    const on = this.#buttons.get(filter) ?? this.#buttons.values().next().value;
    if (on) on.tabIndex = 0;
    this.#buttons.get(filter)?.setAttribute('aria-selected', 'true');
  }

  /** @param {number} filter */
  #make(filter) {
    const button = el('button', { type: 'button', role: 'option', class: 'filter', 'aria-selected': 'false' });
    button.dataset.filter = String(filter);
    button.append(el('canvas'));
    button.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && this.#on.look(filter));
    button.addEventListener('focus', () => button.matches(':focus-visible') && this.#on.look(filter));
    button.addEventListener('click', () => this.#on.choose(filter));
    return button;
  }

  /** Arrows walk as the eye does. @param {KeyboardEvent} event */
  #key(event) {
    const columns = getComputedStyle(this.#root).gridTemplateColumns.split(' ').length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = /** @type {HTMLElement[]} */ ([...this.#root.children]);
    const next = all[all.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + step];
    event.preventDefault();
    next?.focus();
  }
}
