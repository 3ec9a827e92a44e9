/** The Training view (ZF14 Fig. 4): a network learns. Runs that come with the page, and one that is trained in it. */

import { filter, largest } from '../draw/filter.js';
import { number, rich, t } from '../words.js';
import { showAlert } from './alert.js';
import { arrowKeys, context2d, download, el, find, rounds, task } from './dom.js';
import { furnish } from './furnish.js';
import { accuracy, loss } from './training-chart.js';
import { inside, shipped, titleOf } from './training-course.js';
import { middle, Sets } from './training-data.js';
import { Evolution } from './training-evolution.js';
import { Live } from './training-live.js';
import { Scrub } from './training-scrub.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../types.d.ts').Lab} Lab */
/** @typedef {import('./training-course.js').Course} Course */
/** @typedef {import('./training-course.js').Checkpoint} Checkpoint */
/** @typedef {import('./training-course.js').Inside} Inside */

/**
 * What every part of the view is given.
 * @typedef {object} Scene
 * @property {Store} store
 * @property {Session} session
 * @property {Sets} sets
 * @property {() => Promise<Lab>} lab starts with the first work that needs it
 * @property {() => Course | undefined} course that is shown
 * @property {() => import('./training-course.js').Cell[] | undefined} now cells of the run that is trained here
 * @property {(checkpoint: Checkpoint, unit?: Record<string, string>, photo?: { image: ImageData, name: string }) => Promise<void>} explore
 * @property {() => void} update
 */

export class TrainingView extends HTMLElement {
  /** @type {Scene} */ #scene = /** @type {any} */ (undefined);
  /** @type {Map<string, Course>} */ #runs = new Map();
  /** @type {Scrub} */ #scrub = /** @type {any} */ (undefined);
  /** @type {Evolution} */ #evolution = /** @type {any} */ (undefined);
  /** @type {Live} */ #live = /** @type {any} */ (undefined);
  /** @type {Promise<Lab> | undefined} */ #lab;
  #redraw = rounds(() => this.#draw());
  #tabs = '';

  /** @param {Store} store @param {Session} session */
  async connect(store, session) {
    const sets = new Sets();
    [this.#runs] = await Promise.all([shipped(), furnish(this, 'training'), sets.look()]);
    this.#scene = {
      ...{ store, session, sets },
      lab: () => this.#start(),
      course: () => this.#course,
      now: () => this.#live.run.cells,
      explore: (checkpoint, unit, photo) => this.#explore(checkpoint, unit, photo),
      update: () => this.update(),
    };
    this.#scrub = new Scrub(this, (epoch) => store.set({ epoch }));
    this.#evolution = new Evolution(this.#scene, find(this, '[data-tr-evolution]'));
    this.#live = new Live(this.#scene, this);
    this.#live.run.watch = () => {
      const known = this.#live.run.course.checkpoints.at(-1)?.inside;
      return known && this.#evolution.wanted(known);
    };
    this.#listen();
    this.update();
  }

  #listen() {
    const { store, session, sets } = this.#scene;
    const runs = find(this, '[data-tr-runs]');
    arrowKeys(runs, '[role=radio]');
    runs.addEventListener('click', (event) => {
      const run = /** @type {HTMLElement} */ (event.target).closest('[data-run]')?.getAttribute('data-run');
      // Layers and epochs of one run say nothing in another.
      if (run && run !== store.state.run) store.set({ run, epoch: '', feature: '', features: '' });
    });
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.querySelectorAll('[data-tr-pick]')))
      pick.addEventListener('change', () => store.set({ [pick.dataset.trPick ?? '']: pick.value }));
    /** @type {Record<string, () => unknown>} */
    const acts = { explore: () => this.#look(), network: () => this.#save(), csv: () => this.#csv() };
    for (const [act, go] of Object.entries(acts))
      find(this, `[data-tr-act=${act}]`).addEventListener('click', async () => {
        try {
          await go();
        } catch (error) {
          session.report(error);
        }
      });
    for (const source of [store, session]) source.addEventListener('change', () => this.update());
    document.addEventListener('unpool:redraw', () => this.update());
    addEventListener('resize', () => this.update());
    // Before the page takes it for a photo.
    addEventListener(
      'drop',
      (event) => {
        const data = event.dataTransfer;
        if (this.hidden || !data || !sets.wants(data)) return;
        event.preventDefault();
        sets.take(data).catch((error) => session.report(error));
      },
      true,
    );
  }

  #start() {
    this.#lab ??= this.#engine()
      .then((engine) => engine.lab())
      .catch((error) => {
        this.#lab = undefined;
        throw error;
      });
    return this.#lab;
  }

  /** The engine, once it has started: who presses a button before need not press it again. */
  async #engine() {
    const { session } = this.#scene;
    while (!session.engine) {
      if (session.problem) throw new Error(t(session.problem.key, session.problem.values));
      await new Promise((done) => session.addEventListener('change', done, { once: true }));
    }
    return session.engine;
  }

  update() {
    this.#evolution.attend(!this.hidden);
    this.#live.attend(!this.hidden && this.#scene.store.state.run === 'live');
    if (this.hidden) this.#scrub.stop();
    else this.#redraw();
  }

  /** @returns {Course | undefined} */
  get #course() {
    const { run } = this.#scene.store.state;
    return run === 'live' ? this.#live.run.course : (this.#runs.get(run) ?? this.#runs.values().next().value);
  }

  /** The checkpoint that the state asks for: of its epoch, or the next one before it. @returns {Checkpoint | undefined} */
  get #checkpoint() {
    const all = this.#course?.checkpoints ?? [];
    const { epoch } = this.#scene.store.state;
    if (epoch === '') return all[all.length - 1];
    return all.findLast((one) => one.epoch !== null && one.epoch <= Number(epoch)) ?? all[0];
  }

  async #draw() {
    const { session, store } = this.#scene;
    document.documentElement.dataset.phase = session.phase;
    showAlert(find(this, '[data-alert]'), session);
    const live = store.state.run === 'live';
    const course = this.#course;
    const checkpoint = this.#checkpoint;
    try {
      this.#words();
      await task();
      await this.#live.update(live);
      await task();
      if (!course) return;
      const n = course.epochs.length;
      this.toggleAttribute('data-live', live);
      this.toggleAttribute('data-empty', !checkpoint);
      this.#scrub.update(course.checkpoints, checkpoint, n);
      this.#facts(course, checkpoint);
      await task();
      const looked = checkpoint?.epoch ?? undefined;
      loss(find(this, '[data-tr-loss]'), course, looked);
      await task();
      accuracy(find(this, '[data-tr-accuracy]'), course, looked);
      await task();
      const known = checkpoint && session.engine && (await inside(session.engine, checkpoint));
      this.#title(course, known);
      if (!known) return;
      await this.#filters(course, checkpoint, known);
      await this.#evolution.update(course, checkpoint, known, live ? this.#live.run.cells : undefined);
    } catch (error) {
      session.report(error);
    }
  }

  /** @param {Course} course @param {Inside | undefined} known */
  #title({ name }, known) {
    const title = find(this, '[data-tr-title]');
    const say = find(this, '[data-tr-say]');
    const { made } = this.#live.run;
    title.textContent = name === 'live' ? t('tr.live.title') : titleOf(name);
    if (name !== 'live') {
      const words = t(`tr.say.${name}`);
      say.textContent = words.startsWith('tr.say.') ? (known?.title ?? '') : words;
    } else if (made && known) {
      const { parameters } = made.run;
      const { train, test } = made.data.info;
      say.textContent = t('tr.live.say', { net: known.title, parameters, train, test });
    } else say.textContent = t('tr.live.how');
  }

  #words() {
    const { state } = this.#scene.store;
    const names = [...this.#runs.keys(), 'live'];
    const key = [document.documentElement.lang, ...names].join();
    const box = find(this, '[data-tr-runs]');
    if (key !== this.#tabs) {
      this.#tabs = key;
      box.replaceChildren(
        ...names.map((run) => el('button', { type: 'button', role: 'radio', 'data-run': run }, titleOf(run))),
      );
    }
    for (const tab of /** @type {Iterable<HTMLElement>} */ (/** @type {unknown} */ (box.children))) {
      const on = tab.dataset.run === this.#course?.name;
      if (on && tab.ariaChecked !== 'true' && box.scrollWidth > box.clientWidth)
        tab.scrollIntoView({ block: 'nearest', inline: 'center' });
      tab.setAttribute('aria-checked', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.querySelectorAll('[data-tr-pick]')))
      pick.value = /** @type {Record<string, string>} */ (/** @type {unknown} */ (state))[pick.dataset.trPick ?? ''];
  }

  /** @param {Course} course @param {Checkpoint | undefined} checkpoint */
  #facts(course, checkpoint) {
    const epoch = checkpoint?.epoch;
    const share = (/** @type {number} */ value) => `${number(100 * value, { digits: value > 0.9 ? 2 : 1 })} %`;
    const short = (/** @type {number} */ value) => number(value, { significant: 3 });
    const last = course.epochs.at(-1);
    const done = epoch === null ? last : course.epochs.find((one) => one.epoch === epoch);
    /** @type {string[][]} */
    const rows = [];
    const { recent } = course;
    if (recent && epoch === null)
      rows.push([t('tr.fact.recent'), share(recent.accuracy), t('tr.fact.recent.of', { loss: short(recent.loss) })]);
    if (done) {
      const { loss: error, accuracy: right } = done.test ?? done.train;
      rows.push(
        [
          t(done.test ? 'tr.fact.right' : 'tr.fact.right.train'),
          share(right),
          t('tr.fact.right.of', { epoch: done.epoch, share: share(done.train.accuracy) }),
        ],
        [t('tr.fact.loss'), short(error), t('tr.fact.loss.of', { loss: short(done.train.loss) })],
        [t('tr.fact.rate'), done.rate ? number(done.rate, { significant: 2 }) : '0', t('tr.fact.rate.of')],
      );
    } else if (epoch === 0) rows.push([t('tr.fact.epoch'), '0', t('tr.fact.before')]);
    find(this, '[data-tr-facts]').replaceChildren(
      ...rows.flatMap(([name, value, why]) => [
        el('dt', {}, name),
        el('dd', { class: 'num' }, value),
        el('dd', {}, why),
      ]),
    );
  }

  /** @param {Course} course @param {Checkpoint} checkpoint @param {Inside} known */
  async #filters(course, checkpoint, { filters, layer, order, stride }) {
    const box = find(this, '[data-tr-filters]');
    const head = find(this, '[data-tr-first]');
    if (!filters) {
      head.textContent = t('tr.first.none');
      return box.replaceChildren();
    }
    const common = this.#scene.store.state.scale === 'common';
    const { engine } = this.#scene.session;
    // One white for all epochs: so the filters are seen to grow.
    const end = common && engine ? await inside(engine, course.checkpoints[course.checkpoints.length - 1]) : undefined;
    const max = end?.filters ? largest(end.filters.data) : undefined;
    const [n, inputs, rows, columns] = filters.shape;
    head.replaceChildren(...rich('tr.first', { layer, n, size: `${rows}×${columns}`, stride }));
    box.setAttribute('aria-label', t('tr.filters.label', { n, epoch: checkpoint.epoch ?? t('tr.now') }));
    box.style.setProperty('--cols', String(n > 16 ? 16 : Math.max(8, n)));
    while (box.children.length > n) box.lastElementChild?.remove();
    while (box.children.length < n) box.append(el('canvas'));
    for (const [i, canvas] of [...box.children].entries()) {
      const context = context2d(/** @type {HTMLCanvasElement} */ (canvas));
      filter(context, filters.data, [n, inputs, rows, columns], i, { order, max });
      if (i % 32 === 31) await task();
    }
  }

  /** @param {Checkpoint} checkpoint @param {Record<string, string>} [unit] @param {{ image: ImageData, name: string }} [photo] */
  async #explore(checkpoint, unit = {}, photo) {
    const { session, store } = this.#scene;
    const source = checkpoint.model ? undefined : await checkpoint.source();
    if (photo)
      session.usePhoto({ id: 'own', own: true, name: photo.name, bitmap: await createImageBitmap(photo.image) });
    if (source instanceof Blob) session.ownModel = source;
    const none = { layer: '', map: '', at: '', step: '', channel: '' };
    store.set({ view: 'project', model: checkpoint.model || 'own', ...none, ...unit });
    session.update();
  }

  /** The checkpoint in Explore, with an image of what it learned from. */
  async #look() {
    const checkpoint = this.#checkpoint;
    const { made, course } = this.#live.run;
    if (!checkpoint) return;
    if (!made || this.#course !== course || made.set === 'pool') return this.#explore(checkpoint);
    const { image } = await made.data.image(0, made.data.info.test ? 'test' : 'train');
    const { shape } = made.run.experiment.network.input;
    await this.#explore(checkpoint, {}, { image: middle(image, shape), name: t('tr.image', { n: 0 }) });
  }

  async #save() {
    const checkpoint = this.#checkpoint;
    const course = this.#course;
    if (!checkpoint || !course) return;
    const source = await checkpoint.source();
    const blob = source instanceof Blob ? source : await (await fetch(source)).blob();
    const end = checkpoint.epoch === null ? '' : `-epoch-${checkpoint.epoch}`;
    download(blob, 'application/octet-stream', `${course.name}${end}.safetensors`);
  }

  #csv() {
    const course = this.#course;
    if (!course) return;
    const rows = course.epochs.map(({ epoch, rate, train, test }) =>
      [epoch, rate, train.loss, train.accuracy, test?.loss ?? '', test?.accuracy ?? ''].join(),
    );
    const head = 'epoch,rate,train_loss,train_accuracy,test_loss,test_accuracy';
    download([head, ...rows, ''].join('\n'), 'text/csv', `${course.name}.csv`);
  }
}

customElements.define('unpool-training', TrainingView);
