/** The numbers under the pointer, or under a cross moved by the keyboard: the same place on every plate at once. */

import { number, rich } from '../words.js';
import { find } from './dom.js';

/** @typedef {import('./explore.js').Scene} Scene */
/** @typedef {import('./unit.js').Shown} Shown */

export class Readout {
  #scene;
  #shown;
  #line;
  #pair;
  /** Where the cross stands, in pixels of the crop: row, column. */
  #place = [0, 0];

  /** @param {Scene} scene @param {() => Shown | undefined} shown */
  constructor(scene, shown) {
    this.#scene = scene;
    this.#shown = shown;
    this.#line = find(scene.root, '[data-readout]');
    this.#pair = find(scene.root, '[data-pair]');
    for (const plate of /** @type {NodeListOf<HTMLElement>} */ (scene.root.querySelectorAll('[data-plate]'))) {
      plate.tabIndex = 0;
      plate.setAttribute('role', 'application');
      plate.addEventListener('pointermove', (event) => this.#point(plate, event));
      plate.addEventListener('pointerleave', () => this.rest());
      plate.addEventListener('focus', () => plate.matches(':focus-visible') && this.#read());
      plate.addEventListener('blur', () => this.rest());
      plate.addEventListener('keydown', (event) => this.#key(event));
    }
    document.addEventListener('unpool:leave', () => this.rest());
  }

  /** What stands there while nothing is pointed at. */
  rest() {
    this.#pair.classList.remove('is-hover');
    const shown = this.#shown();
    if (!shown) return this.#line.replaceChildren();
    const { max, gain, projection } = shown;
    const key = max === 0 ? 'hover.blank' : this.#scene.store.state.contrast === 'auto' ? 'hover.rest' : 'hover.fixed';
    this.#line.replaceChildren(
      ...rich(key, {
        max: number(max, { significant: 3 }),
        c: number(gain, { digits: 2 }),
        value: number(projection.value, { digits: 1 }),
      }),
    );
    for (const plate of this.#pair.querySelectorAll('[data-plate]'))
      plate.setAttribute('aria-label', plate.querySelector('canvas')?.getAttribute('aria-label') ?? '');
  }

  /** @param {HTMLElement} plate @param {PointerEvent} event */
  #point(plate, event) {
    const shown = this.#shown();
    if (!shown) return;
    const box = plate.getBoundingClientRect();
    const [y0, x0, y1, x1] = shown.rect;
    const on = (/** @type {number} */ value, /** @type {number} */ size) =>
      Math.max(0, Math.min(size - 1, Math.floor(value * size)));
    this.#place = [
      on((event.clientY - box.top) / box.height, y1 - y0),
      on((event.clientX - box.left) / box.width, x1 - x0),
    ];
    this.#read();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const shown = this.#shown();
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!shown || !step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [y0, x0, y1, x1] = shown.rect;
    const many = event.shiftKey ? 8 : 1;
    this.#place = [
      Math.max(0, Math.min(y1 - y0 - 1, this.#place[0] + many * step[0])),
      Math.max(0, Math.min(x1 - x0 - 1, this.#place[1] + many * step[1])),
    ];
    this.#line.setAttribute('aria-live', 'polite');
    this.#read();
  }

  #read() {
    const shown = this.#shown();
    const { session } = this.#scene;
    const photo = session.trace?.photo;
    if (!shown) return;
    const [y0, x0, y1, x1] = shown.rect;
    const [row, column] = this.#place;
    const [y, x] = [y0 + row, x0 + column];
    this.#pair.classList.add('is-hover');
    for (const cross of /** @type {NodeListOf<HTMLElement>} */ (this.#pair.querySelectorAll('.cross'))) {
      cross.style.setProperty('--cy', `${(100 * (row + 0.5)) / (y1 - y0)}%`);
      cross.style.setProperty('--cx', `${(100 * (column + 0.5)) / (x1 - x0)}%`);
    }
    const inside = photo && y >= 0 && x >= 0 && y < photo.height && x < photo.width;
    const rgb = inside
      ? [...photo.data.slice(4 * (y * photo.width + x), 4 * (y * photo.width + x) + 3)].join(' ')
      : '—';
    const [channels, height, width] = shown.projection.shape;
    const order = session.net?.info.input.order === 'bgr' ? [2, 1, 0] : [0, 1, 2];
    const values = (/** @type {Float32Array} */ data) =>
      order
        .slice(0, channels)
        .map((c) => number(data[(c * height + y) * width + x], { significant: 3 }))
        .join('\u2002');
    const back = inside ? values(shown.projection.data) : '—';
    const random = shown.random && inside ? `\u2003/\u2003${values(shown.random.data)}` : '';
    this.#line.replaceChildren(...rich('hover.plate', { x: String(x), y: String(y), rgb, back: back + random }));
  }
}
