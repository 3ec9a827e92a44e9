/** The Occlusion view (ZF14 Fig. 7): a square slides over the photo; what does the answer depend on? */

import { Findings } from '../findings.js';
import { Sweep } from '../sweep.js';
import { apply } from '../words.js';
import { arrowKeys, el, find, rounds, task } from './dom.js';
import { Controls } from './occlusion-controls.js';
import { Correspondence } from './occlusion-correspondence.js';
import { align } from './occlusion-difference.js';
import { Invariance } from './occlusion-invariance.js';
import { Look } from './occlusion-look.js';
import { colourOf, optionsOf } from './occlusion-options.js';
import { Panels } from './occlusion-panels.js';
import { Place } from './occlusion-place.js';
import { Projected } from './occlusion-projection.js';
import { RunLine } from './occlusion-run.js';
import { Second, unknown } from './occlusion-second.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../types.d.ts').Prediction} Prediction */

/**
 * What every part of the view is given.
 * @typedef {object} Scene
 * @property {HTMLElement} root
 * @property {Store} store
 * @property {Session} session
 * @property {Sweep} sweep
 * @property {Place} place
 * @property {Findings | undefined} findings of the newest part
 * @property {Prediction[]} whole all classes of the whole photo, most probable first
 * @property {Float32Array} wholeP by class
 * @property {string | ImageData | undefined} cover what shows through the square
 * @property {'a' | 'b'} side which of two settings
 * @property {'' | 'a' | 'b'} looked of which the panels are under the pointer
 * @property {Scene | undefined} twin the other setting, while there is one
 */

/** Milliseconds without a change after which a new sweep is worth its while. */
const SETTLED = 120;

export class Occlusion extends HTMLElement {
  /** @type {{ update(): void, place?(): void }[]} */ #parts = [];
  /** @type {Scene | undefined} */ #scene;
  /** @type {Invariance | undefined} */ #invariance;
  /** @type {Correspondence | undefined} */ #correspondence;
  #redraw = rounds(() => this.#draw());
  /** How many settings share the scales. */ #together = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #settle;
  /** @type {Second | undefined} */ #second;

  /** @param {Store} store @param {Session} session */
  async connect(store, session) {
    await this.#furnish();
    const sweep = new Sweep();
    /** @type {Scene} */
    const scene = {
      root: this,
      store,
      session,
      sweep,
      place: new Place(),
      findings: undefined,
      whole: [],
      wholeP: new Float32Array(0),
      cover: undefined,
      side: 'a',
      looked: '',
      twin: undefined,
    };
    scene.place.connect(scene);
    this.#scene = scene;
    const line = new RunLine(scene);
    // Stop must be seen at once, not after the maps.
    sweep.addEventListener('change', () => line.update());
    const look = new Look(scene);
    this.#parts = [line, look, new Panels(scene), look.overlay, new Projected(scene), new Controls(scene)];
    for (const source of [store, session, sweep]) source.addEventListener('change', () => this.update());
    scene.place.addEventListener('change', () => {
      for (const part of this.#all()) part.place?.();
    });
    this.#invariance = new Invariance(scene);
    this.#correspondence = new Correspondence(scene);
    const tabs = find(this, '[data-occ-tabs]');
    arrowKeys(tabs, '[role=tab]');
    tabs.addEventListener('click', (event) => {
      const tab = /** @type {HTMLElement} */ (event.target).closest('[data-experiment]');
      if (tab) store.set({ experiment: tab.getAttribute('data-experiment') ?? 'occlusion' });
    });
    document.addEventListener('unpool:redraw', () => this.update());
    document.addEventListener('keydown', (event) => this.#key(event));
    this.update();
  }

  /** Markup and style of the view. */
  async #furnish() {
    const sheet = el('link', { rel: 'stylesheet', href: new URL('occlusion.css', import.meta.url).href });
    const styled = new Promise((done, fail) => {
      sheet.onload = done;
      sheet.onerror = () => fail(new Error('occlusion.css did not arrive'));
    });
    document.head.append(sheet);
    const answer = await fetch(new URL('occlusion.html', import.meta.url));
    if (!answer.ok) throw new Error(`occlusion.html: ${answer.status}`);
    const markup = await answer.text();
    await styled;
    this.innerHTML = markup;
    apply(this);
  }

  /** Brings every part up to date, one part a task. */
  update() {
    const scene = /** @type {Scene} */ (this.#scene);
    const { experiment } = scene.store.state;
    const other = experiment !== 'occlusion';
    // The engine is one: what is not looked at waits.
    for (const { sweep } of this.#scenes()) sweep.attend(!this.hidden && !other);
    if (this.hidden || experiment !== 'invariance') this.#invariance?.leave();
    if (this.hidden || experiment !== 'correspondence') this.#correspondence?.leave();
    if (this.hidden) return;
    this.#redraw();
  }

  async #draw() {
    const scene = /** @type {Scene} */ (this.#scene);
    try {
      await this.#know(scene);
    } catch (error) {
      scene.session.report(error);
    }
    this.#show(scene);
    for (const part of this.#all()) {
      part.update();
      await task();
    }
    this.#invariance?.update();
    this.#correspondence?.update();
  }

  /** Which of the experiments. @param {Scene} scene */
  #show({ store }) {
    const { experiment } = store.state;
    for (const tab of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[data-experiment]'))) {
      const on = tab.dataset.experiment === experiment;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    find(this, '[data-inv]').hidden = experiment !== 'invariance';
    find(this, '[data-cor]').hidden = experiment !== 'correspondence';
    find(this, '[data-occ-photos]').hidden = experiment === 'correspondence';
    for (const node of /** @type {NodeListOf<HTMLElement>} */ (
      this.querySelectorAll('[data-occ-main], [data-occ-only]')
    ))
      node.hidden = experiment !== 'occlusion';
  }

  /** What the parts draw from. @param {Scene} scene */
  async #know(scene) {
    const { session, store } = scene;
    const { trace, net } = session;
    document.documentElement.dataset.phase = session.phase;
    if (!trace || !net) {
      for (const one of this.#scenes()) one.findings = undefined;
      return;
    }
    const classes = session.stages.some((stage) => stage.classes);
    scene.whole = classes
      ? await session.once('all classes', (one) => one.top(Math.max(1, net.info.classes.length)))
      : [];
    scene.wholeP = new Float32Array(net.info.classes.length);
    for (const { index, p } of scene.whole) scene.wholeP[index] = p;
    this.toggleAttribute('data-no-class', !classes);
    for (const node of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[data-occ-class]')))
      node.hidden = !classes;
    this.#compare(scene);
    clearTimeout(this.#settle);
    const due = await Promise.all(this.#scenes().map((one) => this.#begin(one)));
    if (store.state.experiment !== 'occlusion') return;
    const later = due.filter((begin) => begin !== undefined);
    if (later.length)
      this.#settle = setTimeout(() => {
        for (const begin of later) begin();
      }, SETTLED);
    this.#find(scene);
  }

  /** Begins a sweep of another photo at once; one of other options when they have settled. @param {Scene} scene */
  async #begin(scene) {
    const { session, store, sweep, twin } = scene;
    const { trace } = session;
    if (twin && scene.side === 'b') Object.assign(scene, { whole: twin.whole, wholeP: twin.wholeP });
    const options = optionsOf(store.state, session);
    scene.cover = await colourOf(store.state.fill, session, sweep.part?.size).catch(() => undefined);
    if (!trace || trace !== session.trace || store.state.experiment !== 'occlusion') return undefined;
    const begin = () => trace === session.trace && sweep.of(trace, options);
    if (sweep.isOf(trace)) return begin;
    begin();
    return undefined;
  }

  /** What the newest parts say; two settings at one scale. @param {Scene} scene */
  #find(scene) {
    const { show } = scene.store.state;
    const all = this.#scenes();
    const isNew = (/** @type {Scene} */ { findings, sweep: { part } }) =>
      findings?.part !== part || (part && findings?.show !== show);
    const [first, ...rest] = all;
    if (!all.some(isNew) && this.#together === all.length) return;
    this.#together = all.length;
    const answer = first.whole[0]?.index ?? -1;
    for (const one of all) {
      const { part, options } = one.sweep;
      one.findings = part && new Findings(part, options, show, answer);
    }
    if (first.findings && rest[0]?.findings) align(first.findings, rest[0].findings);
  }

  /** Both settings, or the only one. @returns {Scene[]} */
  #scenes() {
    const scene = /** @type {Scene} */ (this.#scene);
    return scene.twin ? [scene, scene.twin] : [scene];
  }

  /** @returns {{ update(): void, place?(): void }[]} */
  #all() {
    return this.#scene?.twin && this.#second ? [...this.#parts, ...this.#second.parts] : this.#parts;
  }

  /** A second setting comes or goes. @param {Scene} scene */
  #compare(scene) {
    const { b } = scene.store.state;
    const wanted = b !== '';
    for (const value of unknown(b)) if (wanted) scene.session.notice('notice.value', { key: 'b', value });
    this.toggleAttribute('data-compare', wanted);
    if (wanted === (scene.twin !== undefined)) return;
    if (!wanted) {
      scene.twin?.sweep.stop();
      scene.twin = undefined;
      scene.looked = '';
      scene.place.twin = undefined;
      return;
    }
    if (!this.#second) {
      this.#second = new Second(scene);
      const { sweep, place } = this.#second.scene;
      sweep.addEventListener('change', () => this.update());
      place.addEventListener('change', () => {
        for (const part of this.#all()) part.place?.();
      });
    }
    scene.twin = this.#second.scene;
    scene.place.twin = this.#second.scene.place;
    if (scene.twin.sweep.phase === 'stopped') scene.twin.sweep.resume();
  }

  /** Arrows move the square from anywhere, unless a field needs them itself. @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (this.hidden || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest('input, select, textarea, dialog, [role=radiogroup], [role=tablist]')) return;
    const { experiment, square, present } = this.#scene?.store.state ?? {};
    // While presenting Escape ends that.
    if (event.key === 'Escape' && experiment === 'occlusion' && square && !present) this.#scene?.place.unpin();
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const many = event.shiftKey ? 4 : 1;
    if (experiment === 'invariance') return this.#invariance?.step(step[1] - step[0]);
    if (experiment === 'correspondence') return this.#correspondence?.step(many * step[0], many * step[1]);
    this.#scene?.place.step(many * step[0], many * step[1]);
  }
}

customElements.define('unpool-occlusion', Occlusion);
