/** What is learned from: sets that lie beside the page, its photographs, and what the visitor gives. Each is read once. */

import { fail } from '../errors.js';
import { t } from '../words.js';
import { dropped, isMany } from './gallery-files.js';
import { credits } from './gallery-source.js';

/** @typedef {import('../types.d.ts').Lab} Lab */
/** @typedef {import('../types.d.ts').TrainingData} TrainingData */
/** @typedef {import('../types.d.ts').TrainingSource} TrainingSource */
/** @typedef {[number, number, number]} Shape channels, height, width */
/** @typedef {{ signal?: AbortSignal, onprogress?: (done: number, total: number) => void }} How */

const FOLDER = new URL('data/', document.baseURI);
const POOL = new URL('../pool/', import.meta.url);
/** IDX files, by their usual names. */
const IDX = /ubyte|\.idx|\.gz$/i;
/** Of ten photographs one is kept to test with, of the others there are two images, at these scales of the input's side: as the
 * engine gathers them (src/train/gather.rs). */
const [TENTH, SCALES] = [10, [7 / 6, 5 / 3]];

export class Sets extends EventTarget {
  /** Sets that were fetched when the page was built. @type {Set<string>} */ beside = new Set();
  /** The visitor's own: a folder of folders, or IDX files. @type {{ files: Map<string, File>, idx: boolean, name: string } | undefined} */ own;
  /** Counts what the visitor gave. */ edition = 0;
  /** @type {Map<string, Promise<TrainingData>>} */ #open = new Map();

  async look() {
    // A page may lie on its host without the list.
    const answer = await fetch(new URL('index.json', FOLDER)).catch(() => undefined);
    this.beside = new Set(answer?.ok ? await answer.json() : []);
  }

  /** Whether it can be learned from now. @param {string} set */
  has(set) {
    return set === 'pool' || (set === 'own' ? Boolean(this.own) : this.beside.has(set));
  }

  /** @param {Map<string, File>} files by their path */
  use(files) {
    const idx = [...files.keys()].some((name) => IDX.test(name));
    const [first] = files.keys();
    this.own = { files, idx, name: first?.includes('/') ? first.split('/')[0] : '' };
    this.edition += 1;
    // A run that learns from the old ones keeps them.
    for (const key of this.#open.keys()) if (key.startsWith('own')) this.#open.delete(key);
    this.dispatchEvent(new Event('change'));
  }

  /** Whether what was dropped is something to learn from. @param {DataTransfer} data */
  wants(data) {
    return isMany(data) || [...data.files].some(({ name }) => IDX.test(name));
  }

  /** @param {DataTransfer} data */
  async take(data) {
    const files = [...data.files];
    if (files.some(({ name }) => IDX.test(name))) this.use(new Map(files.map((file) => [file.name, file])));
    else this.use((await dropped(data)).photos);
  }

  /**
   * @param {Lab} lab @param {string} set @param {Shape} shape of the network's input @param {How} how
   * @param {number} [images] of the page's photographs as many are read as make so many images to train on
   * @returns {Promise<TrainingData>}
   */
  open(lab, set, shape, how, images = Number.POSITIVE_INFINITY) {
    const photos = set === 'pool' ? Math.ceil((images / SCALES.length) * (TENTH / (TENTH - 1))) + 1 : 0;
    // Pictures are resized for a network; sets have their size.
    const key = [set, photos, ...(set === 'pool' || (set === 'own' && !this.own?.idx) ? shape : [])].join();
    let found = this.#open.get(key);
    if (!found) {
      found = this.#source(set, shape, photos).then((source) => lab.trainingData(source, how));
      this.#open.set(key, found);
      found.catch(() => this.#open.get(key) === found && this.#open.delete(key));
    }
    return found;
  }

  /** @param {string} set @param {Shape} shape @param {number} photos @returns {Promise<TrainingSource>} */
  async #source(set, shape, photos) {
    if (set === 'pool') {
      const names = [...(await credits()).keys()].sort().slice(0, photos);
      return { photos: names.map((name) => ({ name, photo: new URL(name, POOL) })), shape };
    }
    if (set !== 'own') return { set: new URL(`${set}/`, FOLDER) };
    if (!this.own) throw fail('Parameter', t('tr.data.own.none'));
    const { files, idx } = this.own;
    if (!files.size) throw fail('Parameter', t('tr.data.empty'));
    if (idx) return { files: files.values() };
    return { folders: [...files].map(([name, photo]) => ({ name, photo })), shape };
  }
}

/** The window of a photograph that a training image of the pool shows, as the hash names it. @param {number} image */
export async function windowOf(image) {
  const names = [...(await credits()).keys()].sort();
  const photo = names.filter((_, i) => i % TENTH !== TENTH - 1)[Math.floor(image / SCALES.length)];
  const credit = (await credits()).get(photo);
  if (!credit) throw fail('Parameter', t('photo.gone', { name: String(photo) }));
  const { width, height } = credit;
  const side = Math.round(Math.min(width, height) / SCALES[image % SCALES.length]);
  const [y, x] = [Math.round((height - side) / 2), Math.round((width - side) / 2)];
  return `${photo.replace(/\.webp$/, '')}@${[y, x, y + side, x + side].join()}`;
}

/** The middle of an image as a network is given it: what is missing repeats the edge. @param {ImageData} image @param {Shape} shape */
export function middle(image, [, height, width]) {
  const out = new ImageData(width, height);
  const from = new Uint32Array(image.data.buffer, image.data.byteOffset, image.width * image.height);
  const to = new Uint32Array(out.data.buffer);
  const clamp = (/** @type {number} */ v, /** @type {number} */ n) => Math.max(0, Math.min(n - 1, v));
  const top = Math.floor((image.height - height) / 2);
  const left = Math.floor((image.width - width) / 2);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      to[y * width + x] = from[clamp(y + top, image.height) * image.width + clamp(x + left, image.width)];
  return out;
}
