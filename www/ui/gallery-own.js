/** The panel of the visitor's own gallery: folder in, progress, stop and go on, file out. */

import { number, rich, t } from '../words.js';
import { download, find } from './dom.js';
import { chosen, dropped, isGallery, isMany } from './gallery-files.js';
import { sourceOf } from './gallery-source.js';

/** @typedef {import('./gallery.js').Scene} Scene */

export class Own {
  #scene;
  #build;
  #panel;
  #button;
  #layers;

  /**
   * @param {Scene} scene @param {import('./gallery-build.js').Build} build
   * @param {() => Promise<string[]>} layers to be searched
   */
  constructor(scene, build, layers) {
    this.#scene = scene;
    this.#build = build;
    this.#layers = layers;
    this.#panel = find(scene.root, '[data-gal-build]');
    this.#button = find(scene.root, '[data-gal-own]');
    this.#button.addEventListener('click', () => this.show(Boolean(this.#panel.hidden)));
    const folder = /** @type {HTMLInputElement} */ (find(this.#panel, '[data-own-folder]'));
    folder.addEventListener('change', () => {
      if (folder.files) this.search(chosen(folder.files));
      folder.value = '';
    });
    const file = /** @type {HTMLInputElement} */ (find(this.#panel, '[data-own-file]'));
    file.addEventListener('change', () => {
      if (file.files?.[0]) this.#open(file.files[0]);
      file.value = '';
    });
    /** @type {Record<string, () => void>} */
    const acts = {
      folder: () => folder.click(),
      open: () => file.click(),
      stop: () => build.stop(),
      resume: () => build.resume(),
      save: () => this.#save(this.#build.gallery, 'gallery'),
      both: () => this.#both(),
      forget: () => {
        build.forget();
        scene.store.set({ pool: 'shipped' });
      },
    };
    this.#panel.addEventListener('click', (event) => {
      const act = /** @type {HTMLElement} */ (event.target).closest('[data-own]')?.getAttribute('data-own');
      if (act) acts[act]?.();
    });
    // Before the page takes it for a photo or a network.
    addEventListener('drop', (event) => this.#drop(event), true);
    build.addEventListener('change', () => this.update());
    this.update();
  }

  /** @param {boolean} open */
  show(open) {
    this.#panel.hidden = !open;
    this.#button.setAttribute('aria-expanded', String(open));
  }

  /** @param {import('./gallery-files.js').Found} found */
  async search(found) {
    this.show(true);
    await this.#build.start(found, await this.#layers());
    this.#shown();
  }

  /** @param {File} file */
  async #open(file) {
    this.show(true);
    await this.#build.open(file);
    this.#shown();
  }

  /** The wall shows what has been found. */
  #shown() {
    const { store } = this.#scene;
    if (this.#build.gallery && store.state.pool === 'shipped') store.set({ pool: 'own' });
  }

  /** @param {DragEvent} event */
  #drop(event) {
    const data = event.dataTransfer;
    if (this.#scene.root.hidden || !data) return;
    if (isMany(data)) {
      event.preventDefault();
      this.show(true);
      const status = find(this.#panel, '[data-own-status]');
      dropped(data, (n) => status.replaceChildren(t('gal.own.reading', { n })))
        .then((found) => this.search(found))
        .catch((error) => this.#scene.session.report(error));
      return;
    }
    const [file] = data.files;
    if (!file?.name.endsWith('.safetensors')) return;
    event.preventDefault();
    isGallery(file)
      .then((yes) => (yes ? this.#open(file) : this.#scene.session.openModel([file])))
      .catch((error) => this.#scene.session.report(error));
  }

  /** @param {import('../types.d.ts').Gallery | undefined} gallery @param {string} what */
  async #save(gallery, what) {
    try {
      const bytes = await gallery?.bytes();
      if (bytes)
        download(
          /** @type {BlobPart} */ (bytes),
          'application/octet-stream',
          `${gallery?.info.model}-${what}.safetensors`,
        );
    } catch (error) {
      this.#scene.session.report(/** @type {Error} */ (error));
    }
  }

  /** With the page's galleries, as one file. */
  async #both() {
    const { net } = this.#scene.session;
    try {
      const merged = net && (await sourceOf(net).both());
      await this.#save(merged, 'gallery-both');
      merged?.close();
    } catch (error) {
      this.#build.say('gal.own.apart', { message: /** @type {Error} */ (error).message });
    }
  }

  update() {
    const build = this.#build;
    const { phase, done, total, rate, secondsLeft, skipped, others, note } = build;
    const values = {
      ...{ done, total, n: total, rate: number(rate, { significant: 2 }) },
      left: Number.isFinite(secondsLeft) ? number(secondsLeft, { digits: 0 }) : '…',
    };
    find(this.#panel, '[data-own-status]').replaceChildren(
      ...rich(`gal.own.${phase === 'failed' ? 'none' : phase}`, values),
    );
    const bar = find(this.#panel, '[data-own-bar]');
    bar.hidden = phase !== 'running' && phase !== 'stopped' && phase !== 'partly';
    bar.setAttribute('aria-valuenow', String(total ? Math.round((100 * done) / total) : 0));
    find(bar, 'span').style.width = `${total ? (100 * done) / total : 0}%`;
    const open = {
      folder: phase !== 'running',
      open: phase !== 'running',
      stop: phase === 'running',
      resume: phase === 'stopped',
    };
    const has = Boolean(build.gallery) && phase !== 'running';
    for (const [act, on] of Object.entries({ ...open, save: has, both: has && build.beside, forget: has }))
      find(this.#panel, `[data-own=${act}]`).hidden = !on;
    const says = find(this.#panel, '[data-own-note]');
    says.hidden = !note;
    says.replaceChildren(...(note ? rich(note.key, note.values) : []));
    const bad = find(this.#panel, '[data-own-skipped]');
    bad.hidden = !skipped.length && !others;
    find(bad, 'summary').textContent = t('gal.own.skipped', { n: skipped.length, others });
    find(bad, 'p').textContent = skipped
      .slice(0, 200)
      .map(({ name, why }) => `${name}: ${why}`)
      .join('; ');
  }
}
