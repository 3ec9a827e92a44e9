/** The photo that is open in the page, searched like those of the gallery: where it stands, and its own patches. */

/** @typedef {import('./gallery-source.js').Layer} Layer */
/** @typedef {import('./gallery-source.js').Entry} Entry */
/** @typedef {import('../types.d.ts').Gallery} Gallery */
/** @typedef {import('../types.d.ts').GalleryRank} GalleryRank */

/** Larger photos are reduced first: several times what any network reads, and read back in a few milliseconds. */
const MOST_PIXELS = 1e6;

/** @param {ImageBitmap} bitmap */
function pixels(bitmap) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const [width, height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext('2d', { willReadFrequently: true })
  );
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

export class Mine {
  /** By map of the present layer; undefined until they are known. @type {Map<number, GalleryRank> | undefined} */
  ranks;
  /** A gallery of this one photo, of every layer that has one: searched once, it is ranked in any. @type {Promise<Gallery> | undefined} */
  #search;
  #key = '';
  /** @type {import('../types.d.ts').Net | undefined} */ #net;
  #searching = new AbortController();
  /** @type {Gallery | undefined} */ #gallery;
  /** @type {import('../types.d.ts').GalleryLayer | undefined} */ #entries;
  #layer = '';
  #ranking = new AbortController();

  /** Another layer, of which nothing is known yet. */
  leave() {
    this.#ranking.abort();
    this.#ranking = new AbortController();
    this.#entries = undefined;
    this.ranks = undefined;
  }

  /** Nothing is known of the photo from now on. */
  #forget() {
    this.leave();
    this.#searching.abort();
    this.#searching = new AbortController();
    this.#search?.then(
      (gallery) => gallery.close(),
      () => {}, // told to whoever waits for it
    );
    this.#search = this.#gallery = undefined;
    this.#key = '';
  }

  /**
   * Settled when it is known where the photo stands, or no longer wanted.
   * @param {import('../types.d.ts').Net} net
   * @param {Layer} layer
   * @param {string[]} layers all that may be asked for
   * @param {import('../photo.js').Photo} photo
   */
  async search(net, layer, layers, photo) {
    this.leave();
    const { windows } = layer.galleries[0].info;
    const key = [photo.id, photo.name, photo.bitmap.width, photo.bitmap.height, windows, ...layers].join();
    if (net !== this.#net || key !== this.#key) {
      this.#forget();
      [this.#net, this.#key] = [net, key];
      this.#search = this.#find(net, layers, windows, photo);
    }
    const { signal } = this.#ranking;
    try {
      const gallery = await /** @type {Promise<Gallery>} */ (this.#search);
      if (signal.aborted) return;
      const [ranks, entries] = await Promise.all([layer.ranks(gallery, signal), gallery.layer(layer.name)]);
      if (signal.aborted) return;
      Object.assign(this, { ranks });
      [this.#gallery, this.#entries, this.#layer] = [gallery, entries, layer.name];
    } catch (error) {
      if (signal.aborted) return;
      this.#key = '';
      throw error;
    }
  }

  /** @param {import('../types.d.ts').Net} net @param {string[]} layers @param {number} windows @param {import('../photo.js').Photo} photo */
  async #find(net, layers, windows, photo) {
    const { signal } = this.#searching;
    const build = await net.buildGallery([{ name: photo.id, photo: pixels(photo.bitmap) }], {
      layers,
      top: 1,
      windows,
    });
    try {
      for await (const _ of build.run({ signal }));
      return await build.gallery();
    } finally {
      build.close();
    }
  }

  /** Its strongest place in a map. @param {string} layer @param {number} map @returns {Entry | undefined} */
  entry(layer, map) {
    const [gallery, all] = [this.#gallery, this.#entries];
    if (!gallery || !all || layer !== this.#layer || !(all.values[map] > 0)) return undefined;
    return {
      ...{ gallery, entry: 0, own: true, photo: 0, name: gallery.info.photos[0].name, value: all.values[map] },
      at: [all.at[2 * map], all.at[2 * map + 1]],
      window: /** @type {Entry['window']} */ ([...all.windows.slice(4 * map, 4 * map + 4)]),
    };
  }
}
