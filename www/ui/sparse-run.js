/** The line that says what goes on and how long it still takes, with stop, go on and begin anew. */

import { number, rich, t } from '../words.js';
import { el } from './dom.js';

/** @typedef {import('../job.js').Job} Job */

/** @type {Record<string, string[]>} */
const OFFERED = {
  running: ['stop'],
  stopped: ['resume', 'again'],
  done: ['again'],
  failed: ['again'],
  idle: ['begin'],
};

/** Kinds of the engine's errors that have words of their own. */
const KINDS = ['Malformed', 'Unsupported', 'Shape', 'Limit', 'Parameter'];

/** What failed, in the reader's language, and the engine's own sentence. @param {unknown} error */
function failure(error) {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error ?? '') };
  return { why: t(`spa.failed.${KINDS.includes(name) ? name : 'other'}`), message };
}

export class RunLine {
  #job;
  #status = el('p', {});
  #said = el('span', { class: 'hide-text', role: 'status' });
  #acts = el('span', { class: 'words' });
  #bar = el('div', { class: 'bar', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100 }, el('span'));
  #set = '';

  /**
   * @param {HTMLElement} box @param {Job} job
   * @param {{ waits: () => string, begin?: () => void }} how `waits`: what stands there before anything was begun; `begin` for work that begins only when asked
   */
  constructor(box, job, how) {
    this.#job = job;
    this.how = how;
    box.classList.add('spa-run');
    box.append(this.#status, this.#acts, this.#bar, this.#said);
    this.#acts.addEventListener('click', (event) => {
      const act = /** @type {HTMLElement} */ (event.target).closest('[data-run]')?.getAttribute('data-run');
      if (act === 'stop') job.stop();
      if (act === 'resume') job.resume();
      // What begins only when asked takes its settings anew.
      if (act === 'begin' || (act === 'again' && how.begin)) how.begin?.();
      else if (act === 'again') job.again();
    });
    // Stop must be seen at once, not after the pictures.
    job.addEventListener('change', () => this.update());
  }

  update() {
    const { phase, fraction, seconds, left, error } = this.#job;
    const key = phase === 'running' && fraction === 0 ? 'begins' : phase;
    const short = (/** @type {number} */ value) => number(value, { digits: value < 10 ? 1 : 0 });
    const share = Math.round(100 * fraction);
    if (phase === 'idle') this.#status.textContent = this.how.waits();
    else
      this.#status.replaceChildren(
        ...rich(`spa.run.${key}`, {
          share: number(share),
          left: Number.isFinite(left) ? short(Math.max(0.1, left)) : '…',
          time: short(seconds),
          ...failure(error),
        }),
      );
    this.#status.classList.toggle('is-failed', phase === 'failed');
    this.#bar.classList.toggle('is-running', phase === 'running');
    this.#bar.setAttribute('aria-valuenow', String(share));
    this.#bar.setAttribute('aria-label', t('spa.bar'));
    /** @type {HTMLElement} */ (this.#bar.firstChild).style.width = `${share}%`;
    this.#offer(phase === 'idle' && !this.how.begin ? [] : OFFERED[phase]);
    // A reader by ear hears each turn once, not ten times a second.
    if (this.#said.dataset.key === key) return;
    this.#said.dataset.key = key;
    this.#said.textContent = this.#status.textContent;
  }

  /** @param {string[]} acts */
  #offer(acts) {
    const set = [acts, document.documentElement.lang].join();
    if (set === this.#set) return;
    this.#set = set;
    this.#acts.replaceChildren(
      ...acts.map((act) =>
        el('button', { type: 'button', class: act === 'again' ? 'link' : 'btn', 'data-run': act }, t(`spa.act.${act}`)),
      ),
    );
  }
}
