/** From epoch to epoch: a slider over the checkpoints, arrow keys, and play. */

import { t } from '../words.js';
import { find } from './dom.js';

/** Milliseconds that an epoch stands while they are played. */
const STANDS = 700;

export class Scrub {
  #view;
  #choose;
  #slider;
  #button;
  /** As the hash names them. @type {string[]} */ #epochs = [];
  #at = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #playing;

  /** @param {HTMLElement} view @param {(epoch: string) => void} choose the last one is '' */
  constructor(view, choose) {
    this.#view = view;
    this.#choose = choose;
    this.#slider = /** @type {HTMLInputElement} */ (find(view, '[data-tr-epochs]'));
    this.#button = find(view, '[data-tr-act=play]');
    this.#slider.addEventListener('input', () => {
      this.stop();
      this.#go(Number(this.#slider.value));
    });
    this.#button.addEventListener('click', () => (this.#playing ? this.stop() : this.#play()));
    document.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const taken = /** @type {HTMLElement} */ (event.target).closest('input, select, textarea, dialog, [role=radio]');
      if (view.hidden || !step || taken || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.stop();
      this.#go(this.#at + step);
    });
  }

  /** @param {number} at */
  #go(at) {
    const epoch = this.#epochs[at];
    if (epoch !== undefined && at !== this.#at) this.#choose(epoch);
  }

  /** From here to the end; from the start where it is over. */
  #play() {
    if (this.#at === this.#epochs.length - 1) this.#go(0);
    this.#playing = setInterval(() => {
      if (this.#at >= this.#epochs.length - 1) this.stop();
      else this.#go(this.#at + 1);
    }, STANDS);
    this.#words();
  }

  stop() {
    clearInterval(this.#playing);
    this.#playing = undefined;
    this.#words();
  }

  /** @param {import('./training-course.js').Checkpoint[]} all @param {import('./training-course.js').Checkpoint | undefined} looked @param {number} n epochs done */
  update(all, looked, n) {
    this.#epochs = all.map(({ epoch }, i) => (i === all.length - 1 || epoch === null ? '' : String(epoch)));
    // A run under way is another one each time, and still “now”.
    this.#at = Math.max(
      0,
      all.findIndex(({ epoch }) => epoch === looked?.epoch),
    );
    this.#slider.max = String(Math.max(0, all.length - 1));
    this.#slider.value = String(this.#at);
    this.#slider.disabled = all.length < 2;
    /** @type {HTMLButtonElement} */ (this.#button).disabled = all.length < 2;
    const epoch = looked?.epoch;
    const words = epoch === null || epoch === undefined ? t('tr.now.at', { n }) : t('tr.at.of', { epoch, n });
    this.#slider.setAttribute('aria-valuetext', words);
    find(this.#view, '[data-tr-at]').textContent = words;
    this.#words();
  }

  #words() {
    this.#button.textContent = t(this.#playing ? 'tr.stop' : 'tr.play');
  }
}
