/** The position that is looked at: under the pointer, else pinned, else where the square costs most. */

import { middleOf, positionAt } from '../draw/square.js';

/** @typedef {import('./occlusion.js').Scene} Scene */

/** Tells `change` when another position is looked at. */
export class Place extends EventTarget {
  /** @type {Scene | undefined} */ #scene;
  /** @type {[number, number] | undefined} */ #pixel;
  /** Of a second setting, which looks at the same pixel. @type {Place | undefined} */ twin;

  /** @param {Scene} scene */
  connect(scene) {
    this.#scene = scene;
    for (const field of /** @type {NodeListOf<HTMLElement>} */ (
      scene.root.querySelectorAll('.field, [data-occ-photo]')
    )) {
      field.addEventListener('pointermove', (event) => this.#point(this.#pixelOf(field, event)));
      field.addEventListener('pointerleave', () => this.#point(undefined));
      field.addEventListener('click', (event) => {
        // The same photo serves the other experiments, where a click means something else.
        if (scene.store.state.experiment === 'occlusion') this.#click(this.#pixelOf(field, event));
      });
    }
  }

  /** @param {HTMLElement} field shows the whole photo's frame @param {MouseEvent} event @returns {[number, number]} */
  #pixelOf(field, event) {
    const box = field.getBoundingClientRect();
    const [, height, width] = this.#scene?.session.trace?.shape ?? [0, 1, 1];
    return [((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width];
  }

  /** @param {[number, number] | undefined} pixel @param {boolean} [told] by the twin */
  #point(pixel, told) {
    if (this.#scene?.store.state.experiment !== 'occlusion') return;
    if (!told && this.twin) this.twin.#point(pixel, true);
    const before = this.index;
    this.#pixel = pixel;
    if (before !== this.index) this.dispatchEvent(new Event('change'));
  }

  /** Pins; on the pinned position it takes the pin out. @param {[number, number]} pixel */
  #click(pixel) {
    const { findings, store } = this.#scene ?? {};
    const [y, x] = store?.state.square.split(',').map(Number) ?? [];
    const again =
      findings && store?.state.square && positionAt(findings.grid, y, x) === positionAt(findings.grid, ...pixel);
    if (again) this.unpin();
    else this.pin(pixel);
  }

  /** @param {[number, number]} pixel */
  pin([y, x]) {
    this.#set(`${Math.max(0, Math.floor(y))},${Math.max(0, Math.floor(x))}`);
  }

  /** What is looked at follows the pointer alone, and without one the place where the square costs most. */
  unpin() {
    this.#set('');
  }

  /** @param {string} square */
  #set(square) {
    this.#scene?.store.set({ square });
    this.dispatchEvent(new Event('change'));
    this.twin?.dispatchEvent(new Event('change'));
  }

  /** Pins the middle of a position. @param {number} position */
  pinAt(position) {
    const findings = this.#scene?.findings;
    if (findings && position >= 0) this.pin(middleOf(findings.grid, position));
  }

  /** @param {number} down @param {number} across positions */
  step(down, across) {
    const findings = this.#scene?.findings;
    if (!findings) return;
    const [rows, columns] = findings.grid.shape;
    const now = Math.max(0, this.#wanted());
    const y = Math.max(0, Math.min(rows - 1, Math.floor(now / columns) + down));
    const x = Math.max(0, Math.min(columns - 1, (now % columns) + across));
    this.#pixel = undefined;
    this.pinAt(y * columns + x);
  }

  #wanted() {
    const { findings, store } = this.#scene ?? {};
    if (!findings || !store) return -1;
    if (this.#pixel) return positionAt(findings.grid, ...this.#pixel);
    const [y, x] = store.state.square.split(',').map(Number);
    if (store.state.square) return positionAt(findings.grid, y, x);
    return (findings.p ?? findings.activation).at;
  }

  /** The position, or while the map is coarse the nearest computed one; -1 while nothing is known. */
  get index() {
    const wanted = this.#wanted();
    return wanted < 0 ? -1 : (this.#scene?.findings?.from[wanted] ?? -1);
  }
}
