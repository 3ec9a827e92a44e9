/** The Explore view: one photo, one network, one unit and what it saw. Its parts stand in index.html in reading order. */

import { rounds, task } from './dom.js';
import { Maps } from './maps.js';
import { Strip } from './strip.js';
import { Subject } from './subject.js';
import { Unit } from './unit.js';
import { Way } from './way.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../session.js').Session} Session */
/** @typedef {{ root: HTMLElement, store: Store, session: Session }} Scene what every part of a view is given */

export class Explore extends HTMLElement {
  /** @type {{ update(): void }[]} */
  #parts = [];
  #redraw = rounds(async () => {
    for (const part of this.#parts) {
      part.update();
      await task();
    }
  });

  /** @param {Store} store @param {Session} session */
  connect(store, session) {
    /** @type {Scene} */
    const scene = { root: this, store, session };
    const maps = new Maps(scene);
    const strip = new Strip(scene);
    this.#parts = [new Subject(scene), new Unit(scene), maps, strip, new Way(scene)];
    for (const source of [store, session]) source.addEventListener('change', () => this.update());
    document.addEventListener('unpool:redraw', () => this.update());
    document.addEventListener('keydown', (event) => this.#key(event, strip, maps));
    this.update();
  }

  /** Brings every part up to date, one part a task. */
  update() {
    if (!this.hidden) this.#redraw();
  }

  /** Arrows walk layers and maps from anywhere, unless a field needs them itself. @param {KeyboardEvent} event @param {Strip} strip @param {Maps} maps */
  #key(event, strip, maps) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || this.hidden) return;
    if (target.closest('input, select, textarea, dialog, [role=application], [role=tablist]')) return;
    const layer = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const map = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!layer && !map) return;
    event.preventDefault();
    if (layer) strip.walk(layer, event.shiftKey);
    if (map) maps.walk(map);
  }
}

customElements.define('unpool-explore', Explore);
