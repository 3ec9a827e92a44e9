/** The Filters view (ZF14 §4.1, Fig. 6): is something wrong with the first layer, and would another architecture do better? */

import { FilterLab } from '../filters-lab.js';
import { number, rich, t } from '../words.js';
import { showAlert } from './alert.js';
import { find, rounds, task } from './dom.js';
import { Against } from './filters-against.js';
import { spectra } from './filters-chart.js';
import { facts, Grid } from './filters-grid.js';
import { saveAs } from './filters-save.js';
import { Second } from './filters-second.js';
import { Study } from './filters-study.js';
import { furnish } from './furnish.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../session.js').Session} Session */

/**
 * What every part of the view is given.
 * @typedef {object} Scene
 * @property {Store} store
 * @property {Session} session
 * @property {FilterLab} lab
 * @property {Study | undefined} study of the page's network
 * @property {() => import('../types.d.ts').FilterRules} rules as the state has them
 * @property {() => void} update
 */

/** Rules that have a field; an empty one means the default, a radius none. */
const RULES = /** @type {const} */ (['dead', 'weak', 'dominant', 'radius']);

export class FiltersView extends HTMLElement {
  /** @type {Scene} */ #scene = /** @type {any} */ (undefined);
  /** @type {Grid} */ #grid = /** @type {any} */ (undefined);
  /** @type {Second} */ #second = /** @type {any} */ (undefined);
  /** @type {Against} */ #against = /** @type {any} */ (undefined);
  #redraw = rounds(() => this.#draw());
  /** Pointed at, and not chosen; −1 for none. */ #pointed = -1;
  #pointedMap = -1;
  /** @type {Error | undefined} */ #problem;
  /** Scales, fixed for a network so that nothing jumps. */ #scales = { hi: 0.1, single: 0.3 };
  /** What the chart shows. @type {{ diagnosis: import('../types.d.ts').FilterDiagnosis | undefined, as: string }} */
  #drawn = { diagnosis: undefined, as: '' };
  /** Left while they ran: they go on when the view is opened again. @type {Set<Study>} */ #left = new Set();

  /** @param {Store} store @param {Session} session */
  async connect(store, session) {
    await furnish(this, 'filters');
    const update = () => this.update();
    this.#scene = { store, session, lab: new FilterLab(), study: undefined, rules: () => rules(store.state), update };
    const place = find(this, '[data-fil-grid]');
    this.#grid = new Grid(place, {
      look: (filter) => this.#point(filter),
      choose: (filter) => this.#choose(filter),
    });
    place.addEventListener('pointerleave', () => this.#point(-1));
    const pictures = find(this, '[data-fil-second]');
    this.#second = new Second(pictures, {
      look: (map) => this.#pointMap(map),
      choose: (map) => this.#chooseMap(map),
      go: (all) => this.#measure(all),
      stop: () => this.#scene.study?.stop(),
    });
    find(this, '[data-fil-pictures]').addEventListener('pointerleave', () => this.#pointMap(-1));
    this.#against = new Against(this.#scene, find(this, '[data-fil-ab]'));
    this.#listen();
    this.update();
  }

  #listen() {
    const { store, session } = this.#scene;
    for (const source of [store, session]) source.addEventListener('change', () => this.update());
    for (const event of ['unpool:redraw', 'resize'])
      (event === 'resize' ? window : document).addEventListener(event, () => this.update());
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.querySelectorAll('[data-fil-pick]')))
      pick.addEventListener('change', () => store.set({ [pick.dataset.filPick ?? '']: pick.value }));
    for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll('[data-fil-rule]')))
      field.addEventListener('change', () => this.#rule(field));
    find(this, '[data-fil-explore]').addEventListener('click', () => this.#explore());
    for (const link of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[data-fil-save]')))
      link.addEventListener('click', () => this.#save(link.dataset.filSave ?? ''));
    // A network dropped on the comparison is the second; anywhere else it is the page's, as in every view.
    find(this, '[data-fil-ab]').addEventListener('drop', (event) => {
      const files = [...(event.dataTransfer?.files ?? [])];
      if (!files.length || files.some(({ type }) => type.startsWith('image/'))) return;
      event.preventDefault();
      this.#against.openFiles(files);
    });
  }

  /** A rule as it was typed; one that makes no sense is marked and not taken. @param {HTMLInputElement} field */
  #rule(field) {
    const { store } = this.#scene;
    const text = field.value.trim().replace(',', '.');
    const name = field.dataset.filRule ?? '';
    const fine = text === '' || /^\d{1,3}(\.\d{1,4})?$/.test(text);
    field.setAttribute('aria-invalid', String(!fine));
    if (fine) store.set({ [name]: text === '' ? defaults[name] : text });
  }

  /** Brings the view up to date. */
  update() {
    if (this.hidden) {
      // Nobody looks: the engine is left to what is looked at.
      for (const study of [this.#scene.study, this.#against.study])
        if (study?.state === 'running') {
          study.stop();
          this.#left.add(study);
        }
      return;
    }
    this.#redraw();
  }

  async #draw() {
    const { session } = this.#scene;
    document.documentElement.dataset.phase = session.phase;
    showAlert(find(this, '[data-alert]'), session);
    try {
      await this.#know();
      this.#problem = undefined;
    } catch (error) {
      this.#problem = /** @type {Error} */ (error);
    }
    const none = find(this, '[data-fil-none]');
    none.hidden = !this.#problem && Boolean(this.#scene.study?.diagnosis);
    none.classList.toggle('is-wrong', Boolean(this.#problem));
    none.textContent = this.#problem ? this.#problem.message : t(session.problem ? 'fil.no.net' : 'fil.wait');
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[data-fil-part]')))
      part.hidden = !this.#scene.study?.diagnosis || Boolean(this.#problem);
    if (this.#problem || !this.#scene.study?.diagnosis) return;
    this.#words();
    const { store, study } = this.#scene;
    await this.#grid.update(study, store.state.by, store.state.scale === 'common', this.#looked);
    this.#look();
    await task();
    await this.#second.update(study, this.#lookedMap);
    await task();
    await this.#against.update();
    this.#next();
  }

  /** The page's network, its filters, and their diagnosis by the rules of the state. */
  async #know() {
    const { session, lab, rules } = this.#scene;
    const { net } = session;
    if (!net) return;
    if (this.#scene.study?.net !== net) {
      this.#scene.study?.close();
      const study = new Study(net, lab);
      this.#scene.study = study;
      await study.open();
      study.addEventListener('change', () => this.update());
      const d = await study.diagnose(rules());
      const peaks = d.filters.map(({ spectrum }) => Math.max(...spectrum)).sort((a, b) => a - b);
      this.#scales = { hi: 1.15 * Math.max(0.01, ...d.power, ...d.spectrum), single: 1.05 * (peaks.at(-1) ?? 0.3) };
      return;
    }
    if (this.#scene.study.diagnosis) await this.#scene.study.diagnose(rules());
    else if (this.#problem) throw this.#problem;
  }

  /** What is not measured yet: the page's network first, then the other. */
  #next() {
    const [a, b] = [this.#scene.study, this.#against.study];
    for (const study of [a, b]) {
      if (!study?.diagnosis) continue;
      // Stopped by hand: nothing goes on by itself. What could not be run is no reason to leave the other out.
      const stopped = study.state === 'stopped' && !study.trouble && !this.#left.has(study);
      if (study.state === 'running' || stopped) return;
      if (study.state === '' || this.#left.delete(study)) return void study.measure();
    }
  }

  /** @param {boolean} all */
  #measure(all) {
    this.#scene.study?.measure(all);
  }

  get #looked() {
    return this.#pointed >= 0 ? this.#pointed : this.#chosen;
  }

  /** The state's filter, else the one with the largest share. */
  get #chosen() {
    const { store, study } = this.#scene;
    const n = study?.diagnosis?.filters.length ?? 0;
    const wanted = store.state.filter === '' ? -1 : Number(store.state.filter);
    if (wanted >= 0 && wanted < n) return wanted;
    const heaviest = study?.diagnosis?.filters.reduce((best, f) => (f.share > best.share ? f : best));
    return heaviest?.filter ?? -1;
  }

  get #lookedMap() {
    if (this.#pointedMap >= 0) return this.#pointedMap;
    const { second } = this.#scene.store.state;
    return second === '' ? -1 : Number(second);
  }

  /** @param {number} filter */
  #point(filter) {
    this.#pointed = filter;
    this.#grid.look(this.#looked);
    this.#look();
  }

  /** Chosen at the first click, opened at the second. @param {number} filter */
  #choose(filter) {
    const { store } = this.#scene;
    if (store.state.filter === String(filter)) return this.#explore();
    store.set({ filter: String(filter) });
  }

  #explore() {
    const { store, study } = this.#scene;
    if (study?.layer && this.#chosen >= 0)
      store.set({ view: 'project', layer: study.layer.name, map: String(this.#chosen), at: '', step: '', channel: '' });
  }

  /** @param {number} map */
  #pointMap(map) {
    this.#pointedMap = map;
    this.#second.look(this.#lookedMap);
  }

  /** @param {number} map */
  #chooseMap(map) {
    const { store, study } = this.#scene;
    const picture = study?.pictures.get(map);
    if (!study || !picture) return;
    if (store.state.second !== String(map)) return store.set({ second: String(map) });
    const unit = { layer: study.second, map: String(map), at: picture.at.join(), step: '', channel: '' };
    store.set({ view: 'project', ...unit, photo: picture.photo });
  }

  /** The filter that is looked at: its numbers and its spectrum. */
  #look() {
    const d = this.#scene.study?.diagnosis;
    if (!d) return;
    const looked = d.filters.find(({ filter }) => filter === this.#looked);
    find(this, '[data-fil-facts]').replaceChildren(...(looked ? facts(looked) : rich('fil.how')));
    const link = find(this, '[data-fil-explore]');
    link.hidden = this.#chosen < 0;
    link.textContent = t('fil.explore', { layer: d.layer, map: this.#chosen });
    const place = find(this, '[data-fil-spectra]');
    const width = Math.max(280, place.clientWidth);
    const drawn = [this.#looked, width, document.documentElement.lang].join();
    if (d === this.#drawn.diagnosis && drawn === this.#drawn.as) return;
    this.#drawn = { diagnosis: d, as: drawn };
    place.replaceChildren(spectra(d, { width, tall: 290, looked: this.#looked, ...this.#scales }));
  }

  /** Titles, rules and counts. */
  #words() {
    const { store, study } = this.#scene;
    const d = study?.diagnosis;
    if (!study || !d) return;
    const { state } = store;
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.querySelectorAll('[data-fil-pick]')))
      pick.value = /** @type {Record<string, string>} */ (/** @type {unknown} */ (state))[pick.dataset.filPick ?? ''];
    const applied = /** @type {Record<string, number | null>} */ (/** @type {unknown} */ (this.#scene.rules()));
    for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll('[data-fil-rule]')))
      if (document.activeElement !== field && field.getAttribute('aria-invalid') !== 'true')
        field.value = String(applied[field.dataset.filRule ?? ''] ?? '');
    const [n, inputs, rows, columns] = d.shape;
    const what = { layer: d.layer, model: study.title, n, size: `${rows}×${columns}`, stride: d.stride[0], inputs };
    find(this, '[data-fil-what]').replaceChildren(
      ...rich('fil.what', what),
      ...(inputs === 1 || inputs === 3 ? [] : [' ', ...rich('fil.what.inputs', what)]),
      ...(rows * columns === 1 ? [' ', ...rich('fil.what.point')] : []),
    );
    for (const [i, count] of d.counts.entries()) find(this, `[data-fil-count="${i}"]`).textContent = number(count);
    find(this, '[data-fil-silent]').textContent = d.inputs ? t('fil.silent', { n: d.inputs }) : t('fil.silent.unknown');
    const top = d.filters.reduce((best, f) => (f.share > best.share ? f : best));
    find(this, '[data-fil-largest]').textContent = `${number(100 * top.share, { digits: 1 })} %`;
    find(this, '[data-fil-largest-of]').textContent = t('fil.largest.of', {
      filter: top.filter,
      even: number(100 / n, { digits: 1 }),
    });
    const gap = d.gap.depth > 0.005;
    find(this, '[data-fil-gap]').textContent = gap ? `${number(100 * d.gap.depth)} %` : t('fil.no');
    find(this, '[data-fil-gap-of]').textContent = t(gap ? 'fil.gap.of' : 'fil.gap.none', {
      at: number(d.gap.at, { digits: 2 }),
      middle: number(100 * d.bands[1]),
    });
  }

  /** @param {string} kind */
  async #save(kind) {
    const { study, session, store } = this.#scene;
    if (!study?.diagnosis) return;
    try {
      await saveAs(kind, study, store.state.by, this.#against.study, this.#against.comparison);
    } catch (error) {
      session.report(error);
    }
  }
}

/** @type {Record<string, string>} */
const defaults = { dead: '0.1', weak: '0.5', dominant: '2.5', radius: '' };

/** @param {import('../state.js').State} state @returns {import('../types.d.ts').FilterRules} */
function rules(state) {
  const [dead, weak, dominant, radius] = RULES.map((name) => state[name] || defaults[name]);
  return {
    dead: Number(dead),
    silent: 0,
    // Whatever is dead is weak, too.
    weak: Math.max(Number(weak), Number(dead)),
    dominant: Number(dominant),
    radius: radius === '' ? null : Number(radius),
  };
}

customElements.define('unpool-filters', FiltersView);
