/** A against B: the page's network and any other, at the same scales, and what the engine says of the two. */

import { largest } from '../draw/filter.js';
import { here, list, open as openKept } from '../kept.js';
import { MODELS, modelTitle, modelURL } from '../models.js';
import { number, rich, t } from '../words.js';
import { el, find } from './dom.js';
import { both, gridChart } from './filters-chart.js';
import { facts, Grid } from './filters-grid.js';
import { Study } from './filters-study.js';
import { sourceOf } from './gallery-source.js';

/** @typedef {import('../types.d.ts').FilterDiagnosis} Diagnosis */
/** @typedef {import('./filters.js').Scene} Scene */

const percent = (/** @type {number} */ v, digits = 1) => `${number(100 * v, { digits })} %`;

export class Against {
  /** The second network. @type {Study | undefined} */ study;
  /** @type {Error | undefined} */ #problem;
  /** @type {{ done: number, total: number } | undefined} */ #loading;
  #shown = '';
  /** @type {AbortController | undefined} */ #abort;
  /** A file in our own format that was opened as B. @type {Blob | undefined} */ #file;
  /** What the charts show. @type {{ a?: Diagnosis, b?: Diagnosis, as: string }} */ #drawn = { as: '' };
  #scene;
  #root;
  /** @type {Record<string, { grid: Grid, facts: HTMLElement }>} */ #sides = {};
  /** @type {import('../types.d.ts').FilterComparison | undefined} */ comparison;

  /** @param {Scene} scene @param {HTMLElement} root */
  constructor(scene, root) {
    this.#scene = scene;
    this.#root = root;
    const { store } = scene;
    const file = /** @type {HTMLInputElement} */ (find(root, '[data-fil-file]'));
    const pick = /** @type {HTMLSelectElement} */ (find(root, '[data-fil-against]'));
    pick.addEventListener('change', () => {
      const { value } = pick;
      if (value === 'open') {
        pick.value = store.state.against;
        file.click();
      } else store.set({ against: value });
    });
    file.addEventListener('change', () => {
      if (file.files?.length) this.openFiles([...file.files]);
      file.value = '';
    });
    find(root, '[data-fil-act=end]').addEventListener('click', () => store.set({ against: '' }));
    find(root, '[data-fil-act=swap]').addEventListener('click', () => this.#swap());
    for (const side of ['a', 'b']) {
      const place = find(root, `[data-fil-side=${side}]`);
      const grid = el('div', { class: 'filter-grid', role: 'listbox' });
      const line = el('p', { class: 'fil-facts num' });
      place.append(el('h3'), grid, line, el('dl'));
      if (side === 'b') {
        const toggle = el('button', { type: 'button', class: 'link' });
        toggle.addEventListener('click', () => {
          if (this.study?.state === 'running') this.study.stop();
          else this.study?.measure();
        });
        place.append(el('p', { class: 'sub num', 'data-fil-b-run': '' }, el('span'), ' ', toggle));
      }
      const look = (/** @type {number} */ filter) => {
        const info = this.#of(side)?.diagnosis?.filters[filter];
        this.#sides[side].grid.look(filter);
        if (info) line.replaceChildren(...facts(info));
      };
      this.#sides[side] = { grid: new Grid(grid, { look, choose: look }), facts: line };
    }
  }

  /** @param {string} side */
  #of(side) {
    return side === 'a' ? this.#scene.study : this.study;
  }

  /** A network's file as B: ours as it is, another tool's is converted first. @param {File[]} files */
  async openFiles(files) {
    const { session, store } = this.#scene;
    try {
      const { converted, isOurs } = await import('./import.js');
      if (files.length === 1 && (await isOurs(files[0]))) {
        [this.#file] = files;
        this.#shown = '';
        store.set({ against: 'own' });
        this.#scene.update();
      } else store.set({ against: await converted(session, files) });
    } catch (error) {
      session.report(error);
    }
  }

  #swap() {
    const { store, session } = this.#scene;
    const { model, against } = store.state;
    if (!against) return;
    const [a, b] = [session.ownModel, this.#file];
    if (against === 'own') session.ownModel = b;
    if (model === 'own') {
      this.#file = a;
      this.#shown = '';
    }
    store.set({
      model: against,
      against: model,
      layer: '',
      map: '',
      at: '',
      step: '',
      channel: '',
      filter: '',
      second: '',
    });
  }

  /** Loads B where the state wants another. */
  async #load() {
    const { session, store } = this.#scene;
    const { against } = store.state;
    const { engine } = session;
    if (against === this.#shown || !engine) return;
    this.#shown = against;
    this.#abort?.abort();
    const old = this.study;
    if (old) {
      old.close();
      sourceOf(old.net).close();
      old.net.close();
    }
    this.study = undefined;
    this.comparison = undefined;
    this.#problem = undefined;
    if (!against) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#loading = { done: 0, total: 0 };
    const current = () => this.#abort === abort && !abort.signal.aborted;
    const onprogress = (/** @type {number} */ done, /** @type {number} */ total) => {
      this.#loading = { done, total };
      this.#scene.update();
    };
    const load = async () => {
      if (against === 'own' && !this.#file) throw new Error(t('fil.ab.lost'));
      const source =
        against === 'own'
          ? /** @type {Blob} */ (this.#file)
          : against.includes('~')
            ? await openKept(against)
            : modelURL(against);
      const net = await engine.load(source, { onprogress, signal: abort.signal });
      if (!current()) return net.close();
      session.judge(net);
      const study = new Study(net, this.#scene.lab);
      await study.open();
      await study.diagnose(this.#scene.rules());
      if (!current()) return net.close();
      study.addEventListener('change', () => this.#scene.update());
      this.study = study;
    };
    load()
      .catch((error) => {
        if (current()) this.#problem = error;
      })
      .finally(() => {
        if (current()) this.#loading = undefined;
        this.#scene.update();
      });
  }

  async update() {
    const { store } = this.#scene;
    const { against } = store.state;
    const root = this.#root;
    await this.#load();
    await this.#menu();
    root.toggleAttribute('data-compare', Boolean(against));
    const say = find(root, '[data-fil-ab-say]');
    const [a, b] = [this.#scene.study, this.study];
    say.textContent = t(against ? 'fil.ab.say' : 'fil.ab.how');
    this.#verdict();
    find(root, '[data-fil-act=swap]').hidden = !b;
    find(root, '[data-fil-side=b]').hidden = !b;
    find(root, '.fil-ab-charts').hidden = !b;
    if (!against || !a?.diagnosis) return;
    const common = store.state.scale === 'common';
    // One white for both: so their weights can be compared where their inputs are alike.
    const max = common ? Math.max(largest(a.weights.data), b ? largest(b.weights.data) : 0) : undefined;
    for (const [side, study] of /** @type {const} */ ([
      ['a', a],
      ['b', b],
    ])) {
      if (!study?.diagnosis) continue;
      await study.diagnose(this.#scene.rules());
      await this.#side(side, study, common, max);
    }
    if (!b?.diagnosis) return;
    this.#run(b);
    const width = Math.max(240, find(root, '[data-fil-both]').clientWidth);
    const drawn = [width, document.documentElement.lang].join();
    if (this.#drawn.a === a.diagnosis && this.#drawn.b === b.diagnosis && this.#drawn.as === drawn) return;
    this.#drawn = { a: a.diagnosis, b: b.diagnosis, as: drawn };
    this.comparison = await b.against(a);
    this.#verdict();
    this.#charts(a.diagnosis, b.diagnosis);
  }

  /** B's photographs. @param {Study} b */
  #run({ state, done, total, source, trouble }) {
    const line = find(this.#root, '[data-fil-b-run]');
    const what = source === 'gallery' ? 'fil.run.gallery.now' : 'fil.run.photos.now';
    line.hidden = state !== 'running' && state !== 'stopped';
    const [words, toggle] = line.children;
    if (trouble) words.textContent = t('fil.run.failed', { message: trouble.message });
    else
      words.textContent = t(state === 'stopped' ? 'fil.run.stopped' : total ? what : 'fil.run.start', { done, total });
    toggle.textContent = t(state === 'stopped' ? 'fil.go' : 'fil.stop');
  }

  /** @param {'a' | 'b'} side @param {Study} study @param {boolean} common @param {number | undefined} max */
  async #side(side, study, common, max) {
    const d = /** @type {Diagnosis} */ (study.diagnosis);
    const place = find(this.#root, `[data-fil-side=${side}]`);
    const [n, , rows, columns] = d.shape;
    find(place, 'h3').textContent = t('fil.ab.head', {
      letter: side.toUpperCase(),
      model: study.title,
      size: `${rows}×${columns}`,
      stride: d.stride[0],
    });
    find(place, '.filter-grid').setAttribute('aria-label', t('fil.grid'));
    await this.#sides[side].grid.update(study, this.#scene.store.state.by, common, -1, max);
    const grid = d.aliasing;
    const rowsOf = [
      [t('fil.ab.filters'), String(n)],
      [t('fil.ab.flags'), d.counts.map((count) => number(count)).join(' + ')],
      [t('fil.ab.middle'), percent(d.bands[1], 0)],
      [t('fil.ab.gap'), d.gap.depth > 0 ? percent(d.gap.depth, 0) : t('fil.no')],
      [
        t('fil.ab.aliasing'),
        grid
          ? grid.frequencies.length
            ? percent(grid.energy)
            : t('fil.ab.nogrid')
          : t(study.second ? 'fil.ab.wait' : 'fil.ab.nogrid'),
      ],
    ];
    find(place, 'dl').replaceChildren(
      ...rowsOf.flatMap(([name, value]) => [el('dt', {}, name), el('dd', { class: 'num' }, value)]),
    );
  }

  /** @param {Diagnosis} a @param {Diagnosis} b */
  #charts(a, b) {
    const place = find(this.#root, '[data-fil-both]');
    const width = Math.max(240, place.clientWidth);
    place.replaceChildren(both(a, b, { width, tall: 210 }));
    const grid = find(this.#root, '[data-fil-both-grid]');
    grid.hidden = !a.aliasing || !b.aliasing;
    if (!a.aliasing || !b.aliasing) return;
    const hi = 1.3 * Math.max(0.08, ...a.aliasing.spectrum, ...b.aliasing.spectrum);
    grid.replaceChildren(
      el('figcaption', { class: 'sub' }, t('fil.ab.gridchart')),
      gridChart(a.aliasing, { width, tall: 210, looked: null, lo: 0.0005, hi, second: b.aliasing }),
    );
  }

  /** The engine's findings in the reader's language, or why there are none. */
  #verdict() {
    const box = find(this.#root, '[data-fil-verdict]');
    box.classList.toggle('is-wrong', Boolean(this.#problem));
    const [a, b] = [this.#scene.study?.diagnosis, this.study?.diagnosis];
    if (this.#problem) box.textContent = this.#problem.message;
    else if (this.#loading) {
      const { done, total } = this.#loading;
      const mb = (/** @type {number} */ bytes) => number(bytes / 1e6, { digits: 1 });
      box.textContent = t('fil.ab.loading', { done: mb(done), total: total ? mb(total) : '…' });
    } else if (!this.comparison || !a || !b) box.textContent = '';
    else box.replaceChildren(...verdict(this.comparison, a, b));
  }

  /** The networks there are. */
  async #menu() {
    const { store } = this.#scene;
    const { model, against } = store.state;
    const kept = localStorage.getItem('unpool.kept') ? await list().catch(() => []) : [];
    const runs = (await trained()).map(([file, run, epoch]) => [`run.${file}`, t('fil.ab.run', { run, epoch })]);
    const ids = new Set([...kept.map(({ id }) => id), ...here.keys(), ...(against.includes('~') ? [against] : [])]);
    const options = [
      ['', t('fil.ab.none')],
      ...MODELS.filter(([name]) => name !== model).map(([name, title, size]) => [
        name,
        size ? `${title} (${size})` : title,
      ]),
      ...runs.filter(([id]) => id !== model),
      ...[...ids].filter((id) => id !== model).map((id) => [id, id.split('~')[0]]),
      ...(against === 'own' ? [['own', this.study?.title ?? t('model.own')]] : []),
      ['open', t('fil.ab.open')],
    ];
    if (against && !options.some(([value]) => value === against)) options.splice(1, 0, [against, modelTitle(against)]);
    const pick = /** @type {HTMLSelectElement} */ (find(this.#root, '[data-fil-against]'));
    const key = `${options} ${document.documentElement.lang}`;
    if (pick.dataset.for !== key) {
      pick.dataset.for = key;
      pick.replaceChildren(...options.map(([value, name]) => el('option', { value }, name)));
    }
    pick.value = against;
  }
}

/** @type {Promise<[file: string, run: string, epoch: number][]> | undefined} */
let runs;
/** The checkpoints beside the page that are compared: networks trained alike but for their first layer. */
function trained() {
  runs ??= fetch(new URL('trained/runs.json', document.baseURI))
    .then((answer) => (answer.ok ? answer.json() : {}))
    .then((/** @type {Record<string, { checkpoints: { epoch: number, file: string }[] }>} */ all) =>
      Object.entries(all).flatMap(([run, { checkpoints }]) =>
        checkpoints.map(
          ({ epoch, file }) =>
            /** @type {[string, string, number]} */ ([file.replace(/\.safetensors$/, ''), run, epoch]),
        ),
      ),
    )
    // A page may lie on its host without them.
    .catch(() => []);
  return runs;
}

/** @param {import('../types.d.ts').FilterComparison} comparison @param {Diagnosis} a @param {Diagnosis} b @returns {Node[]} */
export function verdict({ findings, remedied }, a, b) {
  const what = { '-1': 'less', 0: 'same', 1: 'more' };
  const name = (/** @type {Diagnosis} */ d) =>
    t('fil.v.name', { model: modelTitle(d.model), size: `${d.shape[2]}×${d.shape[3]}`, stride: d.stride[0] });
  const says = findings.map(({ what: of, a, b, change }) =>
    t(`fil.v.${of}.${what[change]}`, { a: percent(a), b: percent(b) }),
  );
  const end = remedied ? 'fil.v.remedied' : findings.length < 3 ? 'fil.v.unmeasured' : 'fil.v.not';
  return rich('fil.v', { a: name(a), b: name(b), says: says.join('; '), end: t(end) });
}
