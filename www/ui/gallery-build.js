/** The visitor's own gallery: searched by a job that stops, goes on and keeps what is there, in this session or a later one. */

import { t } from '../words.js';
import { forget, keep, keepPhotos, kept, keptPhoto } from './gallery-keep.js';
import { credits, sourceOf } from './gallery-source.js';

/** @typedef {import('../types.d.ts').Net} Net */
/** @typedef {import('../types.d.ts').Gallery} Gallery */
/** @typedef {import('../types.d.ts').GalleryBuild} GalleryBuild */

/** Kept so often while it runs, in milliseconds. */
const KEEP_EVERY = 5000;
const POOL = new URL('../pool/', import.meta.url);
/** As the galleries beside the page were searched. */
const WINDOWS = 3;

/** `change` is told whenever something of it changed. */
export class Build extends EventTarget {
  /** `partly`: of an earlier session, its photos not at hand. @type {'none' | 'running' | 'stopped' | 'partly' | 'done' | 'failed'} */ phase =
    'none';
  done = 0;
  total = 0;
  rate = 0;
  secondsLeft = Number.POSITIVE_INFINITY;
  /** Files that could not be searched. @type {{ name: string, why: string }[]} */ skipped = [];
  /** Files of the folder that are no pictures. */ others = 0;
  /** A key of text/ with its values: what the visitor must know. @type {{ key: string, values: Record<string, string | number> } | undefined} */ note;
  /** What there is so far. @type {Gallery | undefined} */ gallery;
  /** Whether the page has galleries of this network, too. */ beside = false;
  /** Counts the galleries, so that views see a new one. */ version = 0;

  /** @type {Net | undefined} */ #net;
  /** @type {GalleryBuild | undefined} */ #build;
  /** @type {Map<string, File | Blob>} */ #files = new Map();
  /** @type {string[]} */ #names = [];
  #abort = new AbortController();
  /** Of photos that are being kept. */ #keeping = new AbortController();

  #tell() {
    this.dispatchEvent(new Event('change'));
  }

  /** Another network has another gallery: the one kept of it, if any. @param {Net} net */
  async use(net) {
    if (net === this.#net) return;
    this.#abort.abort();
    this.#net = net;
    this.#reset();
    const files = await sourceOf(net)
      .shipped()
      .catch(() => ({})); // the wall tells of it
    if (net !== this.#net) return;
    this.beside = Object.keys(files).length > 0;
    // A browser that keeps nothing has kept nothing.
    const old = await kept(net.info.name).catch(() => undefined);
    try {
      if (!old || net !== this.#net || this.phase !== 'none') return;
      const gallery = await net.gallery(old.bytes, { photos: (name) => this.#photo(name) });
      if (net !== this.#net || this.phase !== 'none') return;
      const n = gallery.info.searched + gallery.info.skipped;
      const whole = old.names.length === 0;
      Object.assign(this, { gallery, done: whole ? n : old.done, total: whole ? n : old.names.length });
      this.#names = old.names;
      this.version += 1;
      this.phase = this.done < this.total ? 'partly' : 'done';
      this.#tell();
    } catch (error) {
      if (net === this.#net) this.say('gal.own.kept', { message: /** @type {Error} */ (error).message });
    }
  }

  #reset() {
    this.#keeping.abort();
    this.#build?.close();
    this.#build = undefined;
    this.#files = new Map();
    this.#names = [];
    if (this.gallery) this.version += 1;
    Object.assign(this, {
      phase: 'none',
      done: 0,
      total: 0,
      skipped: [],
      others: 0,
      note: undefined,
      gallery: undefined,
    });
    this.#tell();
  }

  /** Where the photos of its entries are: those just chosen, those kept, those of the page. @param {string} name */
  async #photo(name) {
    const found = this.#files.get(name) ?? (await keptPhoto(this.#net?.info.name ?? '', name).catch(() => undefined));
    if (found) return found;
    if ((await credits()).has(name)) return (await fetch(new URL(name, POOL))).blob();
    throw Object.assign(new Error(`${name}: ${t('gal.lost.one')}`), { name: 'Parameter' });
  }

  /**
   * Searches photos; goes on where an earlier search of the same files was left.
   * @param {import('./gallery-files.js').Found} found @param {string[]} layers
   */
  async start({ photos, others }, layers) {
    const net = this.#net;
    if (!net) return;
    if (!photos.size) return this.#fail(others ? 'gal.own.no' : 'gal.own.empty', { n: others });
    const names = [...photos.keys()];
    const same = this.phase === 'partly' && names.join('\n') === this.#names.join('\n');
    const [into, from] = same && this.gallery ? [this.gallery, this.done] : [undefined, 0];
    this.#abort.abort();
    this.#keeping.abort();
    this.#build?.close();
    this.#files = photos;
    this.#names = names;
    Object.assign(this, { others, skipped: [], note: undefined, done: from, total: names.length, rate: 0 });
    this.secondsLeft = Number.POSITIVE_INFINITY;
    const files = names.map((name) => ({ name, photo: /** @type {File} */ (photos.get(name)) }));
    try {
      this.#build = await net.buildGallery(files, { layers, windows: WINDOWS, into, from });
    } catch (error) {
      return this.#fail('gal.own.failed', { message: /** @type {Error} */ (error).message });
    }
    this.#keeping = new AbortController();
    keepPhotos(net.info.name, photos, this.#keeping.signal).then(
      (fit) => fit || this.say('gal.own.many', {}),
      () => this.say('gal.own.full', {}),
    );
    await this.resume();
  }

  stop() {
    this.#abort.abort();
  }

  /** Goes on with a search that was stopped. */
  async resume() {
    const [build, net] = [this.#build, this.#net];
    if (!build || !net) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.phase = 'running';
    this.#tell();
    let last = performance.now();
    try {
      for await (const { done, rate, secondsLeft, skipped } of build.run({ signal })) {
        Object.assign(this, { done, rate, secondsLeft, skipped });
        if (performance.now() - last > KEEP_EVERY && done < this.total) {
          await this.#keep(build, net, false);
          last = performance.now();
        }
        this.#tell();
      }
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      if (name !== 'Aborted') this.say('gal.own.failed', { message });
    }
    if (build !== this.#build) return;
    await this.#keep(build, net, true);
    this.phase = this.done < this.total ? 'stopped' : 'done';
    this.#tell();
  }

  /** What there is, kept for a later session. @param {GalleryBuild} build @param {Net} net @param {boolean} show */
  async #keep(build, net, show) {
    try {
      const part = await build.gallery();
      this.done = build.done;
      const bytes = await part.bytes();
      // Opened with the photos of this session and of earlier ones.
      if (show && build === this.#build) {
        this.gallery = await net.gallery(bytes.slice(), { photos: (name) => this.#photo(name) });
        this.version += 1;
      }
      part.close();
      await keep({ model: net.info.name, bytes, names: this.#names, done: this.done });
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      this.say(name === 'QuotaExceededError' ? 'gal.own.full' : 'gal.own.failed', { message });
    }
  }

  /** Opens a gallery file as the visitor's own. @param {File} file */
  async open(file) {
    const net = this.#net;
    if (!net) return;
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const gallery = await net.gallery(bytes.slice(), { photos: (name) => this.#photo(name) });
      this.#abort.abort();
      this.#keeping.abort();
      this.#build?.close();
      this.#build = undefined;
      const n = gallery.info.searched + gallery.info.skipped;
      Object.assign(this, { gallery, phase: 'done', done: n, total: n, skipped: [], others: 0, note: undefined });
      this.#names = [];
      this.version += 1;
      this.#tell();
      await keep({ model: net.info.name, bytes, names: [], done: 0 }).catch(() => this.say('gal.own.full', {}));
    } catch (error) {
      this.#fail('gal.own.file', { name: file.name, message: /** @type {Error} */ (error).message });
    }
  }

  /** Nothing of it is kept from now on. */
  async forget() {
    this.#abort.abort();
    const model = this.#net?.info.name ?? '';
    this.#reset();
    await forget(model).catch((error) => this.say('gal.own.stays', { message: error.message }));
  }

  /** @param {string} key @param {Record<string, string | number>} values */
  say(key, values) {
    this.note = { key, values };
    this.#tell();
  }

  /** What was there stays. @param {string} key @param {Record<string, string | number>} values */
  #fail(key, values) {
    if (!this.gallery) this.phase = 'failed';
    this.say(key, values);
  }
}
