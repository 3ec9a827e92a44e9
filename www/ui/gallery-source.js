/** Where a layer's entries come from: the galleries beside the page, fetched layer by layer, and one of the visitor's own. */

/** @typedef {import('../types.d.ts').Net} Net */
/** @typedef {import('../types.d.ts').Gallery} Gallery */
/** @typedef {import('../types.d.ts').GalleryLayer} GalleryLayer */
/** @typedef {import('../types.d.ts').GalleryRank} GalleryRank */
/** @typedef {{ file: string, author: string, licence: string, source: string, white: boolean, width: number, height: number }} Credit of a photograph of the pool */

/**
 * An entry as the page shows it.
 * @typedef {object} Entry
 * @property {Gallery} gallery it is of, and its number there
 * @property {number} entry
 * @property {number} photo number of the photo there
 * @property {string} name of the photo
 * @property {boolean} own whether it is one of the visitor's
 * @property {number} value
 * @property {[number, number]} at
 * @property {[number, number, number, number]} window y0, x0, y1, x1 in the photo
 */

/** Galleries of every network that has some, by layer. */
const FOLDER = new URL('models/galleries/', document.baseURI);
const POOL = new URL('../pool/', import.meta.url);

/** @type {Promise<Record<string, Record<string, string>>> | undefined} */
let listed;
/** Which galleries there are; a page may lie on its host without any. */
function index() {
  listed ??= fetch(new URL('index.json', FOLDER)).then((answer) => (answer.ok ? answer.json() : {}));
  listed.catch(() => {
    listed = undefined;
  });
  return listed;
}

/** @type {Promise<Map<string, Credit>> | undefined} */
let known;
/** Authors of the pool's photographs, by file. */
export function credits() {
  known ??= fetch(new URL('credits.json', POOL)).then(async (answer) => {
    const list = /** @type {Credit[]} */ (answer.ok ? await answer.json() : []);
    return new Map(list.map((credit) => [credit.file, credit]));
  });
  return known;
}

/** One layer's entries, of one gallery or of two. */
export class Layer {
  /** @type {{ gallery: Gallery, own: boolean, all: GalleryLayer }[]} */
  #parts;
  /** Left out: photographs on plain white. @type {Set<string>} */
  #without;
  /** @type {Map<number, Entry[]>} */
  #entries = new Map();

  /**
   * @param {string} name @param {number} field side of what its units see, in the network's pixels
   * @param {{ gallery: Gallery, own: boolean, all: GalleryLayer }[]} parts @param {Set<string>} without
   */
  constructor(name, field, parts, without) {
    this.name = name;
    this.field = field;
    this.#parts = parts;
    this.#without = without;
    this.maps = parts[0].all.shape[0];
    this.searched = parts.reduce((sum, { gallery }) => sum + gallery.info.searched, 0);
    this.galleries = parts.map(({ gallery }) => gallery);
    const dead = parts.map(({ gallery }) => new Set(gallery.info.layers.find((one) => one.name === name)?.dead));
    /** Maps that no photo excites. */
    this.dead = [...dead[0]].filter((map) => dead.every((one) => one.has(map)));
  }

  /** The strongest first, nine of them. @param {number} map @returns {Entry[]} */
  entries(map) {
    let found = this.#entries.get(map);
    if (found) return found;
    found = [];
    for (const { gallery, own, all } of this.#parts) {
      const top = all.shape[1];
      for (let entry = 0; entry < top; entry += 1) {
        const i = map * top + entry;
        const photo = gallery.info.photos[all.photos[i]];
        if (!photo || all.values[i] <= 0 || this.#without.has(photo.name)) continue;
        found.push({
          ...{ gallery, entry, own, photo: all.photos[i], name: photo.name, value: all.values[i] },
          at: [all.at[2 * i], all.at[2 * i + 1]],
          window: /** @type {Entry['window']} */ ([...all.windows.slice(4 * i, 4 * i + 4)]),
        });
      }
    }
    found = found.sort((a, b) => b.value - a.value).slice(0, 9);
    this.#entries.set(map, found);
    return found;
  }

  /** The largest value of a map over all photos. @param {number} map */
  top(map) {
    return Math.max(...this.#parts.map(({ all }) => all.values[map * all.shape[1]]));
  }

  /** How many photos have their maximum in which range. @param {number} map @returns {Promise<{ from: number, to: number, count: number }[]>} */
  async histogram(map) {
    const all = await Promise.all(this.galleries.map((gallery) => gallery.histogram(this.name, map)));
    return all.flatMap(({ from, to, counts }) => [...counts].map((count, i) => ({ from: from[i], to: to[i], count })));
  }

  /** By map: where the photo of a gallery of one stands among those searched. @param {Gallery} one @param {AbortSignal} signal @returns {Promise<Map<number, GalleryRank>>} */
  async ranks(one, signal) {
    const all = await Promise.all(this.galleries.map((gallery) => gallery.ranks(one, { signal })));
    /** @type {Map<number, GalleryRank>} */
    const found = new Map();
    for (const one of all.flat()) {
      if (one.layer !== this.name) continue;
      const before = found.get(one.map);
      // Behind those of the one and those of the other.
      found.set(one.map, before ? { ...one, rank: before.rank + one.rank - 1 } : one);
    }
    return found;
  }
}

/** @type {WeakMap<Net, Source>} */
const sources = new WeakMap();

/** The galleries of a network, the same for every view. @param {Net} net */
export function sourceOf(net) {
  const found = sources.get(net) ?? new Source(net);
  sources.set(net, found);
  return found;
}

/** What stands behind a layer and has its maps: there they are largest at the same places. */
const SAME_MAPS = ['relu', 'max_pool', 'dropout'];

class Source {
  /** @type {Map<string, Promise<Gallery>>} */
  #open = new Map();
  #net;
  /** The visitor's own. @type {Gallery | undefined} */
  own;

  /** @param {Net} net */
  constructor(net) {
    this.#net = net;
  }

  /** @returns {Promise<Record<string, string>>} files of the shipped galleries by layer */
  async shipped() {
    return (await index())[this.#net.info.name] ?? {};
  }

  /** @param {string} pool `shipped`, `own`, `both` @returns {Promise<string[]>} layers that have entries */
  async layers(pool) {
    const shipped = pool === 'own' ? [] : Object.keys(await this.shipped());
    const own = pool === 'shipped' ? [] : (this.own?.info.layers ?? []).map(({ name }) => name);
    const all = new Set([...shipped, ...own]);
    return this.#net.info.layers.map(({ name }) => name).filter((name) => all.has(name));
  }

  /** @param {string} name @param {string} pool @param {boolean} plain whether photographs on plain white count @returns {Promise<Layer | undefined>} */
  async layer(name, pool, plain) {
    const parts = [];
    const file = (await this.shipped())[name];
    if (pool !== 'own' && file) parts.push({ gallery: await this.#file(file), own: false });
    const has = this.own?.info.layers.some((layer) => layer.name === name);
    if (pool !== 'shipped' && has && this.own) parts.push({ gallery: this.own, own: true });
    if (!parts.length) return undefined;
    const white = plain ? [] : [...(await credits()).values()].filter((credit) => credit.white);
    const { receptive_field: field } = this.#net.info.layers.find((one) => one.name === name) ?? {};
    return new Layer(
      name,
      Math.max(...(field ?? [0])),
      await Promise.all(parts.map(async (part) => ({ ...part, all: await part.gallery.layer(name) }))),
      new Set(white.map((credit) => credit.file)),
    );
  }

  /** The visitor's own and those beside the page as one, of the layers that both have. @returns {Promise<Gallery | undefined>} */
  async both() {
    const { own } = this;
    const files = await this.shipped();
    const layers = (own?.info.layers ?? []).map(({ name }) => name).filter((name) => files[name]);
    if (!own || !layers.length) return undefined;
    return own.merge(await Promise.all(layers.map((name) => this.#file(files[name]))), { layers });
  }

  /**
   * The gallery of a layer, or of the one whose maps it passes on.
   * @param {string} name
   * @returns {Promise<{ gallery: Gallery, layer: string } | undefined>}
   */
  async holding(name) {
    const files = await this.shipped();
    const layers = new Map(this.#net.info.layers.map((one) => [one.name, one]));
    for (let layer = name; layer; ) {
      if (files[layer]) return { gallery: await this.#file(files[layer]), layer };
      if (this.own?.info.layers.some((one) => one.name === layer)) return { gallery: this.own, layer };
      const { kind, inputs } = layers.get(layer) ?? { kind: '', inputs: [] };
      layer = SAME_MAPS.includes(kind) ? inputs[0] : '';
    }
    return undefined;
  }

  /** @param {string} file */
  #file(file) {
    let found = this.#open.get(file);
    if (!found) {
      found = this.#net.gallery(new URL(file, FOLDER));
      this.#open.set(file, found);
      found.catch(() => this.#open.delete(file));
    }
    return found;
  }

  /** Of another network from now on. */
  close() {
    sources.delete(this.#net);
    for (const gallery of this.#open.values()) gallery.then((one) => one.close()).catch(() => {});
    this.own?.close();
  }
}
