/** Galleries as unpool.js hands them out: opened, asked, built. Loaded with the first one. */

import { check } from './check.js';
import { fail } from './errors.js';
import { dropped, Trace } from './unpool.js';

/**
 * @import * as types from './types.js'
 * @import { Calls } from './unpool.js'
 * @typedef {(name: string) => Promise<Blob | ImageData | ImageBitmap>} Finder
 */

/** Where the photographs of the galleries that come with the page lie. */
const POOL = new URL('pool/', import.meta.url);

/** Files that lie with the worker at a time: to hand over 20,000 at once would hold up the page. */
const AHEAD = 64;

/** Photos of a folder on the web that are kept as they came: 20 KB each, asked for again and again as one scrolls. */
const MOST_FILES = 400;
/** @type {Map<string, Promise<Blob>>} */
const known = new Map();

/** @param {URL} url */
function file(url) {
  const there = known.get(url.href);
  if (there) return there;
  const coming = fetched(url);
  known.set(url.href, coming);
  coming.catch(() => known.delete(url.href));
  const [oldest] = known.keys();
  if (known.size > MOST_FILES) known.delete(oldest);
  return coming;
}

/** @param {URL} url */
async function fetched(url) {
  const answer = await fetch(url).catch((error) => {
    throw fail('Parameter', `${url} could not be fetched (${error.message}); check the connection.`);
  });
  if (!answer.ok) throw fail('Parameter', `there is no photo at ${url} (the host answers ${answer.status}).`);
  return answer.blob();
}

/** @param {unknown} value @returns {Promise<Blob | ImageData>} */
async function picture(value) {
  if (value instanceof ImageData || value instanceof Blob) return value;
  if (!(value instanceof ImageBitmap))
    throw check.wrong('the photo', 'a Trace, a Gallery, an ImageData, an ImageBitmap or a Blob', value);
  const context = new OffscreenCanvas(value.width, value.height).getContext('2d', { willReadFrequently: true });
  if (!context) throw fail('Limit', 'this browser has no memory for the picture; make it smaller.');
  context.drawImage(value, 0, 0);
  return context.getImageData(0, 0, value.width, value.height);
}

/** @param {unknown} files @returns {{ name: string, photo: Blob | ImageData }[]} */
function inputs(files) {
  const list = [.../** @type {Iterable<any>} */ (files ?? [])];
  if (!list.length) throw fail('Parameter', 'nothing to search: no photo was given.');
  const names = new Set();
  return list.map(({ name, photo }) => {
    const parts = check.text(name, 'a name').split('/');
    if (parts.some((part) => !part || part === '.' || part === '..') || /[\\\0]/.test(name))
      throw check.wrong('a name', 'a path inside a folder, such as birds/owl.jpg', name);
    if (names.size === names.add(name).size)
      throw fail('Parameter', `two photos are called ${name}: names must differ.`);
    if (!(photo instanceof Blob || photo instanceof ImageData))
      throw check.wrong(name, 'a Blob or an ImageData', photo);
    return { name, photo };
  });
}

/** @param {types.GalleryOptions['photos']} photos @returns {Finder} */
function finder(photos = POOL) {
  if (typeof photos === 'function') return async (name) => photos(name);
  if (photos instanceof Map) {
    return async (name) => {
      const found = photos.get(name);
      if (found) return found;
      throw fail('Parameter', `the photo ${name} is not at hand; open the files it was built from.`);
    };
  }
  const base = check.url(photos, 'photos');
  // Part by part: a file name may hold what means something else in an address.
  return (name) => file(new URL(name.split('/').map(encodeURIComponent).join('/'), base));
}

/**
 * @param {Calls} line @param {number} net @param {types.GallerySource} source @param {types.GalleryOptions} [options]
 * @returns {Promise<Gallery>}
 */
export async function open(line, net, source, { photos, signal } = {}) {
  const bytes = check.model(source, 'the gallery');
  const transfer = bytes instanceof Uint8Array ? [bytes.buffer] : [];
  const find = finder(photos);
  return new Gallery(line, net, await line.call('galleryOpen', [net, bytes], { signal, transfer }), find);
}

/** @implements {types.Gallery} */
export class Gallery {
  #line;
  #net;
  #handle;
  #find;
  /** @type {Map<string, Promise<types.GalleryLayer>>} */
  #layers = new Map();
  /** Photos on their way. @type {Map<string, Promise<Blob | ImageData | ImageBitmap>>} */
  #coming = new Map();

  /** Use Net.gallery(). @param {Calls} line @param {number} net @param {{ handle: number, info: types.GalleryInfo }} made @param {Finder} find */
  constructor(line, net, { handle, info }, find) {
    this.#line = line;
    this.#net = net;
    this.#handle = handle;
    this.#find = find;
    this.info = info;
    dropped.register(this, { line, handle }, this);
  }

  /** @param {string} name @returns {Promise<types.GalleryLayer>} */
  layer(name) {
    let found = this.#layers.get(name);
    if (!found) {
      found = this.#line.call('galleryLayer', [this.#handle, check.text(name, 'layer')]);
      found.catch(() => this.#layers.delete(name));
      this.#layers.set(name, found);
    }
    return found;
  }

  /** @param {string} layer @param {number} map @returns {Promise<types.GalleryEntry[]>} */
  async entries(layer, map) {
    const { shape, photos, windows, at, values } = await this.layer(layer);
    const [maps, n] = shape;
    check.integer(map, 'map', 0, maps - 1);
    return Array.from({ length: n }, (_, entry) => {
      const i = map * n + entry;
      const window = /** @type {types.Rect} */ ([...windows.slice(4 * i, 4 * i + 4)]);
      const name = this.info.photos[photos[i]].name;
      return { entry, photo: photos[i], name, window, at: [at[2 * i], at[2 * i + 1]], value: values[i] };
    });
  }

  /** @param {string} layer @param {number} map @returns {Promise<types.GalleryHistogram>} */
  async histogram(layer, map) {
    return this.#line.call('galleryHistogram', [this.#handle, check.text(layer, 'layer'), check.integer(map, 'map')]);
  }

  /** @param {Trace | Gallery | ImageData | ImageBitmap | Blob} source @param {{ signal?: AbortSignal }} [options] @returns {Promise<types.GalleryRank[]>} */
  async ranks(source, { signal } = {}) {
    const ask = (/** @type {object} */ one) => this.#line.call('galleryRanks', [this.#handle, one], { signal });
    if (source instanceof Trace) return ask({ trace: Trace.handleOf(source) });
    if (source instanceof Gallery) return ask({ one: source.#handle });
    const { windows, layers } = this.info;
    const photo = await picture(source);
    const options = { layers: layers.map(({ name }) => name), top: 1, windows };
    const one = await single(this.#line, this.#net, { name: 'photo', photo }, options, signal);
    try {
      return await ask({ one: one.#handle });
    } finally {
      one.close();
    }
  }

  /** @param {number} index @returns {Promise<Blob | ImageData | ImageBitmap>} */
  async photo(index) {
    const { photos } = this.info;
    const { name } = photos[check.integer(index, 'photo', 0, photos.length - 1)];
    let coming = this.#coming.get(name);
    if (!coming) {
      coming = this.#find(name).finally(() => this.#coming.delete(name));
      this.#coming.set(name, coming);
    }
    return coming;
  }

  /**
   * @param {string} layer @param {number} map @param {number} entry @param {{ side?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<types.GalleryCell>}
   */
  async cell(layer, map, entry, { side = 0, signal } = {}) {
    return this.#ofEntry('galleryCell', layer, map, entry, { side: check.integer(side, 'side', 0, 4096) }, signal);
  }

  /**
   * @param {string} layer @param {number} map @param {number} entry @param {{ side?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<types.GalleryPatch>}
   */
  async patch(layer, map, entry, { side = 0, signal } = {}) {
    const asked = { side: check.integer(side, 'side', 0, 4096), patchOnly: true };
    return this.#ofEntry('galleryCell', layer, map, entry, asked, signal);
  }

  /** @param {string} layer @param {number} map @param {number} entry @param {{ signal?: AbortSignal }} [options] @returns {Promise<Trace>} */
  async trace(layer, map, entry, { signal } = {}) {
    return new Trace(
      /** @type {any} */ (this.#line),
      await this.#ofEntry('galleryTrace', layer, map, entry, {}, signal),
    );
  }

  /**
   * Asks without the photo first: the worker remembers the last ones.
   * @param {string} op @param {string} layer @param {number} map @param {number} entry
   * @param {{ side?: number, patchOnly?: boolean }} how @param {AbortSignal} [signal]
   */
  async #ofEntry(op, layer, map, entry, how, signal) {
    const { shape, photos } = await this.layer(layer);
    check.integer(map, 'map', 0, shape[0] - 1);
    check.integer(entry, 'entry', 0, shape[1] - 1);
    const index = photos[map * shape[1] + entry];
    const args = [this.#handle, { side: 0, patchOnly: false, ...how, layer, map, entry, index }];
    const answer = await this.#line.call(op, args, { signal });
    if (!answer.wanted) return answer;
    const photo = await this.photo(index);
    return this.#line.call(op, [...args, photo], { signal });
  }

  /** @param {Gallery | Gallery[]} others @param {{ layers?: string[] }} [options] @returns {Promise<Gallery>} */
  async merge(others, { layers = [] } = {}) {
    const all = [others].flat();
    if (!all.every((one) => one instanceof Gallery)) throw fail('Parameter', 'merge() takes other galleries.');
    const wanted = layers.map((one) => check.text(one, 'layers'));
    const handles = all.map((one) => one.#handle);
    const made = await this.#line.call('galleryMerge', [this.#handle, handles, wanted]);
    const finders = new Map(all.flatMap((one) => one.info.photos.map(({ name }) => [name, one.#find])));
    return new Gallery(this.#line, this.#net, made, (name) => (finders.get(name) ?? this.#find)(name));
  }

  /** @returns {Promise<Uint8Array>} */
  async bytes() {
    return this.#line.call('galleryBytes', [this.#handle]);
  }

  /** For this module's own parts. @param {Gallery} gallery */
  static handleOf(gallery) {
    return gallery.#handle;
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}

/**
 * @param {Calls} line @param {number} net @param {Iterable<{ name: string, photo: Blob | ImageData }>} files
 * @param {types.BuildOptions} [options] @returns {Promise<GalleryBuild>}
 */
export async function build(line, net, files, { layers = [], top = 9, windows = 1, into, from = 0 } = {}) {
  const list = inputs(files);
  const asked = {
    layers: layers.map((one) => check.text(one, 'layers')),
    top: check.integer(top, 'top', 1, 1000),
    windows: check.integer(windows, 'windows', 1, 3),
    into: into && Gallery.handleOf(/** @type {Gallery} */ (into)),
    from: check.integer(from, 'from', 0, list.length),
  };
  const { handle } = await line.call('galleryStart', [net, asked]);
  return new GalleryBuild(line, net, handle, list, asked.from);
}

/**
 * A gallery of one photo.
 * @param {Calls} line @param {number} net @param {{ name: string, photo: Blob | ImageData }} file @param {types.BuildOptions} options
 * @param {AbortSignal} [signal]
 */
async function single(line, net, file, options, signal) {
  const job = await build(line, net, [file], options);
  try {
    for await (const { skipped } of job.run({ signal })) if (skipped.length) throw fail('Malformed', skipped[0].why);
    return await job.gallery();
  } finally {
    job.close();
  }
}

/** @implements {types.GalleryBuild} */
export class GalleryBuild {
  #line;
  #net;
  #handle;
  #files;
  /** So many of them have been handed over. */
  #sent;
  #running = false;
  /** What was done, and in how long, while it ran. */
  #worked = { files: 0, seconds: 0 };
  /** @type {{ name: string, why: string }[]} */
  skipped = [];

  /** Use Net.buildGallery(). @param {Calls} line @param {number} net @param {number} handle @param {{ name: string, photo: Blob | ImageData }[]} files @param {number} from */
  constructor(line, net, handle, files, from) {
    this.#line = line;
    this.#net = net;
    this.#handle = handle;
    this.#files = files;
    this.#sent = from;
    this.done = from;
    this.total = files.length;
    dropped.register(this, { line, handle }, this);
  }

  /**
   * @param {{ signal?: AbortSignal, interval?: number }} [options]
   * @returns {AsyncGenerator<types.BuildProgress, void, void>}
   */
  async *run({ signal, interval = 200 } = {}) {
    if (this.#running) throw fail('Parameter', 'this gallery is already being built; wait for that run to end.');
    this.#running = true;
    try {
      do {
        const begun = performance.now();
        const before = this.done;
        // Those of a call that was left are sent again: it may not have come to them.
        const place = this.#sent;
        const more = this.#files.slice(place, this.done + AHEAD);
        const part = await this.#line.call('galleryBuild', [this.#handle, interval, place, more], { signal });
        this.#sent = place + more.length;
        this.done = part.done;
        this.skipped.push(...part.skipped);
        this.#worked.files += this.done - before;
        this.#worked.seconds += (performance.now() - begun) / 1000;
        const rate = this.#worked.files / Math.max(this.#worked.seconds, 1e-6);
        const secondsLeft = rate > 0 ? (this.total - this.done) / rate : Number.POSITIVE_INFINITY;
        yield { done: this.done, total: this.total, skipped: this.skipped, rate, secondsLeft };
      } while (this.done < this.total);
    } finally {
      this.#running = false;
    }
  }

  /** @returns {Promise<Gallery>} */
  async gallery() {
    const { done, ...made } = await this.#line.call('galleryPart', [this.#handle]);
    this.done = done;
    const photos = new Map(this.#files.map(({ name, photo }) => [name, photo]));
    return new Gallery(this.#line, this.#net, made, finder(photos));
  }

  close() {
    dropped.unregister(this);
    this.#line.free(this.#handle);
  }
}
