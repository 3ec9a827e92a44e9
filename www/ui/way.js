/** "The way down": one step of the way back at a time, in numbers, with the switches where the signal is unpooled. */

import { number, rich, t } from '../words.js';
import { el, find } from './dom.js';
import { drawMove, drawUnpool } from './way-figure.js';

/** @typedef {import('./explore.js').Scene} Scene */
/** @typedef {import('../types.d.ts').Step} Step */
/** @typedef {import('../types.d.ts').StepMap} StepMap */

/** Below this the two grids stand one above the other. */
const NARROW = 520;

export class Way {
  #scene;
  #picture;
  #map;
  #pick;
  /** @type {Step[]} */ #steps = [];
  #at = 0;
  #key = '';
  #turn = 0;
  #size = '';

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root, store } = scene;
    this.#picture = find(root, '[data-way-picture]');
    this.#map = /** @type {HTMLInputElement} */ (find(root, '[data-way-map]'));
    this.#pick = /** @type {HTMLSelectElement} */ (find(root, '[data-way-pick]'));
    this.#pick.addEventListener('change', () => this.#go(Number(this.#pick.value)));
    this.#map.addEventListener('change', () => {
      const wanted = Number.parseInt(this.#map.value, 10);
      const known = wanted >= 0 && wanted < (this.#steps[this.#at]?.shape[0] ?? 0);
      store.set({ step: this.#steps[this.#at]?.layer ?? '', channel: known ? String(wanted) : '' });
      if (!known) this.#key = '';
    });
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-way-go]'))) {
      button.addEventListener('click', () => this.#go(this.#at + Number(button.dataset.wayGo)));
    }
    new ResizeObserver(() => {
      // A narrow figure sets its own height: only the width is given.
      const { clientWidth, clientHeight } = this.#picture;
      const size = `${clientWidth}×${clientWidth < NARROW ? 0 : clientHeight}`;
      if (size === this.#size) return;
      this.#size = size;
      this.#key = '';
      this.update();
    }).observe(this.#picture);
  }

  /** @param {number} at */
  #go(at) {
    const step = this.#steps[at];
    if (step) this.#scene.store.set({ step: step.layer, channel: '' });
  }

  update() {
    const { session, store } = this.#scene;
    const { choice, trace } = session;
    const { state } = store;
    if (state.tab !== 'way' || !choice || !trace) return;
    const key = [choice.key, state.step, state.channel, document.documentElement.lang, session.photo?.id].join();
    if (key === this.#key) return;
    this.#key = key;
    this.#turn += 1;
    this.#show(this.#turn);
  }

  /** @param {number} turn */
  async #show(turn) {
    const { root, session, store } = this.#scene;
    const { trace } = session;
    if (!trace) return;
    const { state } = store;
    const current = () => turn === this.#turn && trace === session.trace;
    try {
      const options = session.options();
      const steps = await session.way(options);
      if (!current()) return;
      this.#steps = steps;
      const wanted = steps.findIndex(({ layer }) => layer === state.step);
      const first = steps.findIndex(({ operation }) => operation === 'unpool');
      this.#at = wanted >= 0 ? wanted : Math.max(first, Math.min(1, steps.length - 1));
      const step = steps[this.#at];
      const map =
        state.channel !== '' && Number(state.channel) < step.shape[0] ? Number(state.channel) : step.strongest;
      this.#controls(map);
      const here = await trace.step(options, step.layer, map);
      const before = this.#at > 0 && !here.pooled ? await this.#before(trace, options, step, map) : undefined;
      if (!current()) return;
      this.#draw(step, here, before);
      find(root, '[data-way-text]').replaceChildren(...this.#sentence(step, here));
    } catch (error) {
      if (current()) session.report(error);
    }
  }

  /** The signal before a step: of the same map where maps stay apart, else of the strongest. @param {import('../types.d.ts').Trace} trace @param {import('../types.d.ts').ProjectOptions} options @param {Step} step @param {number} map */
  #before(trace, options, step, map) {
    const last = this.#steps[this.#at - 1];
    const apart =
      ['rectify', 'normalise', 'spread', 'copy'].includes(step.operation) && last.shape[0] === step.shape[0];
    return trace.step(options, last.layer, apart ? map : last.strongest);
  }

  /** @param {number} map */
  #controls(map) {
    const { root } = this.#scene;
    const [step, next] = [this.#steps[this.#at], this.#steps[this.#at + 1]];
    const name = (/** @type {Step} */ { operation, layer }) =>
      t('way.name', { operation: t(`op.${operation}.name`), layer });
    find(root, '[data-way-title]').replaceChildren(
      ...rich('way.title', { at: this.#at + 1, count: this.#steps.length, name: name(step) }),
    );
    this.#map.value = String(map);
    this.#pick.replaceChildren(...this.#steps.map((one, i) => el('option', { value: i }, `${i + 1}. ${name(one)}`)));
    this.#pick.value = String(this.#at);
    const back = /** @type {HTMLButtonElement} */ (find(root, '[data-way-go="-1"]'));
    const go = /** @type {HTMLButtonElement} */ (find(root, '[data-way-go="1"]'));
    back.disabled = this.#at === 0;
    go.disabled = !next;
    go.textContent = next ? t('way.next', { name: t(`op.${next.operation}.name`) }) : t('way.end');
  }

  /** @param {Step} step @param {StepMap} here @param {StepMap | undefined} before */
  #draw(step, here, before) {
    const width = this.#picture.clientWidth || 640;
    this.#picture.classList.toggle('is-narrow', width < NARROW);
    const label = t('way.label', {
      operation: t(`op.${step.operation}.name`),
      layer: step.layer,
      map: here.map,
      peak: number(step.peak, { significant: 3 }),
    });
    const caption = (/** @type {StepMap} */ one) =>
      t('way.map.of', {
        layer: one.layer,
        map: one.map,
        n: this.#steps.find(({ layer }) => layer === one.layer)?.shape[0] ?? 0,
      });
    const shape = (/** @type {string | undefined} */ layer) =>
      /** @type {[number, number]} */ ((this.#steps.find((one) => one.layer === layer) ?? step).shape.slice(1));
    const options = {
      narrow: width < NARROW,
      width,
      height: this.#picture.clientHeight || 300,
      label,
      to: caption(here),
      before: shape(here.pooled?.layer ?? before?.layer),
      after: shape(step.layer),
    };
    const picture = here.pooled
      ? drawUnpool(here, { ...options, from: t('way.map.pooled', { layer: here.pooled.layer, map: here.map }) })
      : drawMove(before, here, { ...options, from: before ? caption(before) : '' });
    this.#picture.replaceChildren(picture.node);
    this.#meet = picture.meet;
  }

  /** Values whose switches meet in the picture. @type {number[]} */
  #meet = [];

  /** @param {Step} step @param {StepMap} here @returns {Node[]} */
  #sentence(step, here) {
    if (step.peak === 0) return rich('op.silent.say');
    if (this.#at === this.#steps.length - 1) return rich('op.pixels.say');
    if (!here.pooled) return rich(`op.${step.operation}.say`);
    if (this.#meet.length < 2) return rich('op.unpool.say');
    const [sum] = [this.#meet.reduce((total, value) => total + value, 0)];
    return rich('op.unpool.meet', {
      n: this.#meet.length,
      sum: `${this.#meet.map(short).join('\u00a0+\u00a0')}\u00a0=\u00a0${short(sum)}`,
    });
  }
}

/** @param {number} value */
const short = (value) => number(value, Math.abs(value) < 100 ? { significant: 2 } : { digits: 0 });
