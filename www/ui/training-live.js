/** The panel of the run that is trained here: network, data, settings; train, pause, step, begin anew; what becomes of it. */

import { fail } from '../errors.js';
import { number, t } from '../words.js';
import { download, el, find } from './dom.js';
import { chosen } from './gallery-files.js';
import { Maker } from './training-make.js';
import { LiveRun } from './training-run.js';
import { plain, SpecEditor } from './training-spec.js';

/** @typedef {import('./training.js').Scene} Scene */
/** @typedef {import('../types.d.ts').WholeExperiment} WholeExperiment */

const DATA = ['mnist', 'fashion-mnist', 'pool', 'own'];

export class Live {
  run = new LiveRun();
  #scene;
  #root;
  #spec;
  /** What the settings shown are of. @type {WholeExperiment | undefined} */ #file;
  #maker;
  #editing = false;

  /** @param {Scene} scene @param {HTMLElement} root the view */
  constructor(scene, root) {
    this.#scene = scene;
    this.#root = root;
    this.#maker = new Maker(scene);
    const { store, sets, session } = scene;
    this.run.addEventListener('change', () => scene.update());
    sets.addEventListener('change', () => {
      // What was refused before says nothing of this.
      if (!this.run.made) this.run.reset();
      // A shipped run, whose images these may be, stays in sight.
      if (!sets.own?.idx || store.state.run === 'live') store.set({ data: 'own', run: 'live' });
      scene.update();
    });
    this.#spec = new SpecEditor(find(root, '[data-live-spec]'), scene.lab, (spec) => {
      const text = JSON.stringify(plain(spec));
      store.set({ spec: this.#file && text === JSON.stringify(plain(this.#file.network)) ? '' : text });
    });
    this.#listen();
    /** @type {Record<string, () => unknown>} */
    const acts = {
      go: () => (this.run.job.phase === 'running' ? this.run.job.stop() : this.run.go(() => this.#make())),
      step: () => this.run.step(() => this.#make()),
      reset: () => this.#reset(),
      edit: () => {
        this.#editing = !this.#editing;
        scene.update();
      },
      original: () => {
        this.#spec.forget();
        store.set({ spec: '' });
        scene.update();
      },
      folder: () => find(root, '[data-live-folder]').click(),
      files: () => find(root, '[data-live-files]').click(),
      load: () => find(root, '[data-live-file]').click(),
      save: () => this.#save(),
      slower: () => this.#slower(),
    };
    root.addEventListener('click', async (event) => {
      const act = /** @type {HTMLElement} */ (event.target).closest('[data-live-act]')?.getAttribute('data-live-act');
      try {
        if (act) await acts[act]();
      } catch (error) {
        session.report(error);
      }
    });
  }

  #listen() {
    const { store, sets } = this.#scene;
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.#root.querySelectorAll('[data-live-pick]')))
      pick.addEventListener('change', () =>
        // Another network has settings of its own.
        store.set(
          pick.dataset.livePick === 'net'
            ? { net: pick.value, spec: '', rate: '', epochs: '', batch: '', data: '' }
            : { data: pick.value },
        ),
      );
    for (const field of this.#fields)
      field.addEventListener('change', () => {
        const name = field.dataset.liveField ?? '';
        const text = field.value.trim().replace(',', '.');
        const fine =
          text === '' ||
          (Number(text) > 0 && (name === 'rate' || Number.isInteger(Number(text)))) ||
          (name === 'luck' && /^\d+$/.test(text));
        field.setAttribute('aria-invalid', String(!fine));
        if (fine) store.set({ [name]: text || (name === 'luck' ? '1' : '') });
        else this.#scene.update();
      });
    const slide = /** @type {HTMLInputElement} */ (find(this.#root, '[data-live-slide]'));
    slide.addEventListener('input', () =>
      store.set({ rate: String(Number((10 ** (Number(slide.value) / 20)).toPrecision(2))) }),
    );
    const folder = /** @type {HTMLInputElement} */ (find(this.#root, '[data-live-folder]'));
    folder.addEventListener('change', () => {
      if (folder.files) sets.use(chosen(folder.files).photos);
      folder.value = '';
    });
    const files = /** @type {HTMLInputElement} */ (find(this.#root, '[data-live-files]'));
    files.addEventListener('change', () => {
      sets.use(new Map([...(files.files ?? [])].map((file) => [file.name, file])));
      files.value = '';
    });
    const state = /** @type {HTMLInputElement} */ (find(this.#root, '[data-live-file]'));
    state.addEventListener('change', () => {
      const [file] = state.files ?? [];
      if (file) this.#load(file);
      state.value = '';
    });
  }

  get #fields() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.#root.querySelectorAll('[data-live-field]'));
  }

  /** @param {boolean} looked */
  attend(looked) {
    this.run.job.attend(looked);
  }

  #make() {
    if (this.#spec.wrong) throw fail('Shape', t('tr.spec.wrong'));
    return this.#maker.make();
  }

  async #reset() {
    this.run.reset();
    this.#scene.store.set({ epoch: '' });
    await this.run.prepare(() => this.#make()).catch(() => {});
  }

  /** After a divergence: from the last good state, a tenth as fast. */
  async #slower() {
    const { part, made } = this.run;
    if (!part || !made) return;
    this.#scene.store.set({ rate: String(Number((part.rate / 10).toPrecision(2))) });
    await this.#apply();
    this.run.go(() => this.#make());
  }

  /** Learning rate and epochs change on the way. */
  async #apply() {
    const { made } = this.run;
    const { rate, epochs } = this.#scene.store.state;
    if (!made) return;
    const { training } = made.run.experiment;
    const before = this.#maker.applied;
    this.#maker.applied = { rate, epochs };
    if (rate !== before.rate) await made.run.setRate(Number(rate || training.rate));
    if (epochs !== before.epochs) await made.run.setEpochs(Number(epochs || training.epochs));
  }

  /** Everything that the run needs to go on exactly from here. */
  async #save() {
    const { made, part } = this.run;
    if (!made) return;
    const bytes = /** @type {BlobPart} */ (await made.run.checkpoint());
    download(
      bytes,
      'application/octet-stream',
      `${made.run.experiment.network.name}-state-${part?.epoch ?? 0}.safetensors`,
    );
  }

  /** Goes on with a state that was saved, on the same data. @param {File} file */
  async #load(file) {
    this.run.reset();
    // What is wrong with it is said by the panel.
    await this.run.prepare(() => this.#maker.resume(file)).catch(() => {});
  }

  /** @param {boolean} shown */
  async update(shown) {
    const root = this.#root;
    for (const part of ['[data-live]', '[data-live-act=save]', '[data-live-act=load]'])
      find(root, part).hidden = !shown;
    find(root, '[data-live-spec]').hidden = !shown || !this.#editing;
    if (!shown) return;
    find(root, '[data-live-act=edit]').setAttribute('aria-expanded', String(this.#editing));
    const { store, session } = this.#scene;
    const { state } = store;
    this.#choices();
    this.#status();
    await this.#apply().catch((error) => session.report(error));
    const { engine } = session;
    if (!engine) return;
    const whole = await this.#maker.read(state.net);
    if (state.net !== store.state.net) return;
    this.#file = whole;
    if (this.#editing) this.#spec.show(state.spec ? JSON.parse(state.spec) : whole.network);
    const given = /** @type {Record<string, string>} */ ({
      rate: state.rate,
      epochs: state.epochs,
      batch: state.batch,
      luck: state.luck,
    });
    const { training } = whole;
    for (const field of this.#fields) {
      const name = field.dataset.liveField ?? '';
      if (document.activeElement === field || field.getAttribute('aria-invalid') === 'true') continue;
      const value = name === 'luck' ? 1 : /** @type {Record<string, any>} */ (training)[name];
      // It comes as a number of 32 bits.
      field.value = given[name] || String(Number(Number(value).toPrecision(6)));
    }
    const slide = /** @type {HTMLInputElement} */ (find(root, '[data-live-slide]'));
    const rate = Number(state.rate || training.rate);
    if (!slide.matches(':active')) slide.value = String(Math.round(20 * Math.log10(rate)));
    slide.setAttribute('aria-valuetext', number(rate, { significant: 2 }));
  }

  #choices() {
    const { store, sets } = this.#scene;
    const net = /** @type {HTMLSelectElement} */ (find(this.#root, '[data-live-pick=net]'));
    net.value = store.state.net;
    const data = /** @type {HTMLSelectElement} */ (find(this.#root, '[data-live-pick=data]'));
    const names = DATA.map((set) =>
      set === 'own' && sets.own?.name ? t('tr.data.own.name', { name: sets.own.name }) : t(`tr.data.${set}`),
    );
    if (data.dataset.for !== names.join()) {
      data.dataset.for = names.join();
      data.replaceChildren(...DATA.map((set, i) => el('option', { value: set }, names[i])));
    }
    data.value = this.#maker.set;
  }

  #status() {
    const root = this.#root;
    const { run } = this;
    const { part, job, made } = run;
    const running = job.phase === 'running';
    const { set } = this.#maker;
    const can = this.#scene.sets.has(set) || Boolean(made);
    const reading = this.#maker.reading;
    const time = (/** @type {number} */ s) =>
      s < 100 ? t('tr.s', { n: number(Math.max(0, s)) }) : t('tr.min', { n: number(s / 60) });
    const values = part && {
      epoch: Math.min(part.epoch + 1, part.epochs),
      ...{ done: part.epoch, epochs: part.epochs, batch: part.batch, batches: part.batches },
      pace: number(part.imagesPerSecond),
      left: part.fraction > 0 ? time((part.seconds * (1 - part.fraction)) / part.fraction) : '…',
      time: time(part.seconds),
    };
    const key = reading
      ? 'reading'
      : run.busy
        ? 'prepares'
        : !part
          ? 'idle'
          : part.done
            ? 'done'
            : running
              ? 'running'
              : 'paused';
    const words =
      key === 'reading' && reading
        ? t('tr.reading', { set: t(`tr.data.${set}`), share: Math.round((100 * reading.done) / (reading.total || 1)) })
        : t(`tr.is.${key}`, values);
    find(root, '[data-live-status]').textContent = words;
    const said = find(root, '[data-live-said]');
    // A reader by ear hears each turn once.
    if (said.dataset.key !== key) {
      said.dataset.key = key;
      said.textContent = words;
    }
    const share = Math.round(100 * (part?.fraction ?? 0));
    const bar = find(root, '[data-live] .bar');
    bar.setAttribute('aria-valuenow', String(share));
    /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${share}%`;
    const go = /** @type {HTMLButtonElement} */ (find(root, '[data-live-act=go]'));
    go.textContent = t(running ? 'tr.pause' : run.begun ? 'tr.resume' : 'tr.go');
    go.disabled = !can;
    /** @type {HTMLButtonElement} */ (find(root, '[data-live-act=step]')).disabled =
      !can || run.busy || Boolean(part?.done);
    /** @type {HTMLButtonElement} */ (find(root, '[data-live-act=reset]')).disabled = !can;
    /** @type {HTMLButtonElement} */ (find(root, '[data-live-act=save]')).disabled = !made;
    const trouble = find(root, '[data-live-trouble]');
    const error = run.error ?? (job.phase === 'failed' ? job.error : undefined);
    const message = run.diverged ?? (error instanceof Error ? error.message : '');
    trouble.hidden = !message;
    trouble.replaceChildren(
      message,
      ...(run.diverged
        ? [' ', el('button', { type: 'button', class: 'link', 'data-live-act': 'slower' }, t('tr.slower'))]
        : []),
    );
    this.#note(can);
  }

  /** What is missing, was left out, or waits for a new run. @param {boolean} can */
  #note(can) {
    const note = find(this.#root, '[data-live-note]');
    const { made, begun } = this.run;
    const skipped = made?.data.info.skipped ?? [];
    const lines = [
      ...(can ? [] : [t(`tr.none.${this.#maker.set}`)]),
      ...(begun && this.#maker.key !== this.#maker.settings ? [t('tr.changed')] : []),
      ...(skipped.length ? [t('tr.skipped', { n: skipped.length, name: skipped[0].name, why: skipped[0].why })] : []),
    ];
    note.hidden = !lines.length;
    note.textContent = lines.join(' ');
  }
}
