/** The line above the panels: what goes on, how long it still takes, stop, go on, begin anew. */

import { modelTitle } from '../models.js';
import { classless } from '../stages.js';
import { number, rich, t } from '../words.js';
import { el, find } from './dom.js';
import { saveAs } from './occlusion-save.js';

/** @typedef {import('./occlusion.js').Scene} Scene */

/** What a sweep of many positions may take without being a burden, in positions. */
const BEARABLE = 2000;

export class RunLine {
  #scene;
  #status;
  #said;
  #acts;
  #bar;
  /** @type {string} which buttons stand there */ #set = '';

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root, store, sweep } = scene;
    this.#status = find(root, '[data-occ-status]');
    this.#said = find(root, '[data-occ-said]');
    this.#acts = find(root, '[data-occ-acts]');
    this.#bar = find(root, '[data-occ-bar]');
    this.#acts.addEventListener('click', (event) => {
      const act = /** @type {HTMLElement} */ (event.target).closest('[data-run]')?.getAttribute('data-run');
      if (act === 'stop') sweep.stop();
      if (act === 'resume') sweep.resume();
      if (act === 'again') sweep.again();
      if (act === 'wider') store.set({ stride: String(this.#wider()) });
    });
    const lines = this.#lines;
    lines?.addEventListener('change', () => store.set({ outlines: lines.checked ? 'on' : 'off' }));
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (root.querySelectorAll('[data-occ-save]')))
      button.addEventListener('click', () =>
        saveAs(button.dataset.occSave ?? '', scene).catch((error) => scene.session.report(error)),
      );
  }

  /** The switch of the outlines; a second setting has none of its own. */
  get #lines() {
    return /** @type {HTMLInputElement | null} */ (this.#scene.root.querySelector('[data-occ-outlines]'));
  }

  /** Seconds left: two sweeps share the engine, turn by turn. */
  #left() {
    const { sweep, twin } = this.#scene;
    const mine = sweep.part?.secondsLeft ?? 0;
    const other = twin?.sweep.phase === 'running' ? (twin.sweep.part?.secondsLeft ?? mine) : 0;
    return mine + Math.min(mine, other);
  }

  update() {
    const { root, session, store, sweep } = this.#scene;
    const { part, phase } = sweep;
    if (this.#lines) this.#lines.checked = store.state.outlines === 'on';
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (root.querySelectorAll('[data-occ-save]')))
      button.disabled = !part;
    const none = /** @type {HTMLElement | null} */ (root.querySelector('[data-occ-none]'));
    const why = session.trace && session.net ? classless(session.net.info.layers) : '';
    if (none) {
      none.hidden = why === '';
      none.textContent = why && t(`occ.none.${why}`);
    }
    this.#status.classList.toggle('is-failed', phase === 'failed');
    this.#bar.classList.toggle('is-running', phase === 'running' || (!session.trace && session.busy !== ''));
    if (!session.trace) return this.#waiting();
    const n = part?.p.length ?? 0;
    const done = Math.round((part?.fraction ?? 0) * n);
    const fresh = !part || (phase === 'running' && part.done);
    const values = {
      n,
      done,
      left: seconds(Math.max(1, this.#left())),
      time: seconds(part?.seconds ?? 0),
      message: message(sweep.error),
    };
    const key = fresh && phase === 'running' ? 'begins' : phase;
    this.#say(`occ.run.${key}`, values);
    this.#bar.setAttribute('aria-valuenow', String(fresh ? 0 : Math.round(100 * (part?.fraction ?? 0))));
    find(this.#bar, 'span').style.width = `${fresh ? 0 : 100 * (part?.fraction ?? 0)}%`;
    /** @type {Record<string, string[]>} */
    const offered = {
      running: ['stop'],
      stopped: ['resume', 'again'],
      asking: ['resume', 'wider'],
      done: ['again'],
      failed: ['again'],
    };
    this.#offer(offered[phase] ?? [], phase === 'asking' ? 'asked' : '');
  }

  /** @param {string} key @param {Record<string, string | number>} values */
  #say(key, values) {
    this.#status.replaceChildren(...rich(key, values));
    // A reader by ear hears each turn once, not ten times a second.
    if (this.#said.dataset.key === key) return;
    this.#said.dataset.key = key;
    this.#said.textContent = this.#status.textContent;
  }

  /** Before there is a trace: engine, weights, photo. */
  #waiting() {
    const { session, store } = this.#scene;
    const { busy, progress, phase } = session;
    if (phase === 'empty') {
      this.#say('occ.empty', {});
      this.#offer(['file'], '');
      return;
    }
    const share = progress?.total ? progress.done / progress.total : 0;
    this.#say(busy ? `load.${busy}` : 'load.wait', { name: modelTitle(store.state.model) });
    this.#bar.setAttribute('aria-valuenow', String(Math.round(100 * share)));
    find(this.#bar, 'span').style.width = `${100 * share}%`;
    this.#offer([], '');
  }

  /** @param {string[]} acts @param {string} mode */
  #offer(acts, mode) {
    const set = [acts, mode, document.documentElement.lang, mode ? this.#wider() : ''].join();
    if (set === this.#set) return;
    this.#set = set;
    this.#acts.replaceChildren(
      ...acts.map((act) =>
        act === 'file'
          ? el('button', { type: 'button', class: 'btn', 'data-act': 'file' }, t('choose'))
          : el(
              'button',
              { type: 'button', class: act === 'again' ? 'link' : 'btn', 'data-run': act },
              t(mode && act === 'resume' ? 'occ.act.run' : `occ.act.${act}`, { stride: mode ? this.#wider() : '' }),
            ),
      ),
    );
  }

  /** A stride at which the sweep is bearable. */
  #wider() {
    const { shape, stride } = this.#scene.sweep.part ?? { shape: [1, 1], stride: 8 };
    return Math.ceil(stride * Math.sqrt((shape[0] * shape[1]) / BEARABLE));
  }
}

/** @param {number} value @returns {string} seconds as one reads them */
const seconds = (value) => number(value, { digits: value < 10 ? 1 : 0 });

/** @param {unknown} error */
const message = (error) => (error instanceof Error ? error.message : String(error ?? ''));
