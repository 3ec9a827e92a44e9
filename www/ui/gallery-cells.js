/** Patches and projections, computed by the engine as they come into sight; what has left before its turn is never computed. */

/** @typedef {import('../types.d.ts').GalleryCell} GalleryCell */
/** @typedef {import('./gallery-source.js').Entry} Entry */

/** On their way at once: the photos of some are fetched and decoded while others are computed side by side. */
const AT_ONCE = 32;
/** Patches come before projections, those of so many maps further on too: a row. */
const LEAD = 3;
/** Ranks of a map: room for its nine and the visitor's own. */
const RANKS = 16;
/** What has come is drawn together about so often, in milliseconds: every frame costs the time of several cells. */
const ROUND = 80;
/** Kept: a long scroll there and back; 50 KB each. */
const MOST = 1200;

/** @typedef {import('../types.d.ts').GalleryPatch} GalleryPatch */
/** @typedef {{ rank: number, early: boolean, ask: (signal: AbortSignal) => Promise<void>, failed: (error: Error) => void }} Wish */

export class Cells {
  /** By what they show, the one used last at the end. @type {Map<string, GalleryCell>} */
  #kept = new Map();
  /** By whom they are wanted. @type {Map<object, Wish[]>} */
  #wanted = new Map();
  /** On their way. @type {Set<Wish>} */
  #running = new Set();
  /** What has come and is not drawn yet. @type {(() => void)[]} */
  #come = [];
  #abort = new AbortController();
  /** @type {Map<object, number>} */
  #numbers = new Map();

  /**
   * @param {object} owner who drops them all together
   * @param {number} rank smaller ones first
   * @param {string} layer
   * @param {number} map
   * @param {Entry[]} entries
   * @param {number} side most pixels
   * @param {(cell: GalleryCell, i: number) => void} done
   * @param {(error: Error, i: number) => void} failed
   * @param {(patch: GalleryPatch, i: number) => void} [early] told of the patch alone, before the rest is computed
   */
  want(owner, rank, layer, map, entries, side, done, failed, early) {
    /** @type {Wish[]} */
    const wishes = [];
    for (const [i, { gallery, entry }] of entries.entries()) {
      const key = `${this.#number(gallery)} ${layer} ${map} ${entry} ${side}`;
      const kept = this.#kept.get(key);
      if (kept) {
        done(kept, i);
        continue;
      }
      let there = false;
      const place = rank * RANKS + i;
      if (early)
        wishes.push({
          rank: place - LEAD * RANKS,
          early: true,
          ask: async (signal) => {
            const patch = await gallery.patch(layer, map, entry, { side, signal });
            this.#deliver(signal, () => there || early(patch, i));
          },
          failed: () => {}, // told of the cell itself
        });
      wishes.push({
        rank: place,
        early: false,
        ask: async (signal) => {
          const cell = await gallery.cell(layer, map, entry, { side, signal });
          this.#keep(key, cell);
          there = true;
          this.#deliver(signal, () => done(cell, i));
        },
        failed: (error) => failed(error, i),
      });
    }
    const all = [...(this.#wanted.get(owner) ?? []), ...wishes].sort((a, b) => a.rank - b.rank);
    if (all.length) this.#wanted.set(owner, all);
    this.#work();
  }

  /** @param {AbortSignal} signal of what it belongs to @param {() => void} draw */
  #deliver(signal, draw) {
    this.#come.push(() => signal.aborted || draw());
    if (this.#come.length > 1) return;
    setTimeout(() => {
      for (const one of this.#come.splice(0)) one();
    }, ROUND);
  }

  /** @param {string} key @param {GalleryCell} cell */
  #keep(key, cell) {
    this.#kept.set(key, cell);
    const oldest = this.#kept.size > MOST ? this.#kept.keys().next().value : undefined;
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  /** @param {object} owner whose cells are no longer looked at */
  drop(owner) {
    this.#wanted.delete(owner);
  }

  /** Everything that is not there yet is no longer wanted. */
  clear() {
    this.#wanted.clear();
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  /** @param {object} gallery */
  #number(gallery) {
    const found = this.#numbers.get(gallery) ?? this.#numbers.size;
    this.#numbers.set(gallery, found);
    return found;
  }

  /**
   * Whether a wish may begin. While the engine projects, photos wait to be decoded: so nothing of a map is projected before the patches of
   * its row are there, which need no more than that.
   * @param {Wish} wish
   */
  #due({ rank, early }) {
    return early || ![...this.#running].some((one) => one.early && one.rank < rank - RANKS);
  }

  #next() {
    /** @type {[object, Wish] | undefined} */
    let first;
    for (const [owner, wishes] of this.#wanted) {
      const wish = wishes.find((one) => this.#due(one));
      if (wish && (!first || wish.rank < first[1].rank)) first = [owner, wish];
    }
    if (!first) return undefined;
    const [owner, wish] = first;
    const rest = (this.#wanted.get(owner) ?? []).filter((one) => one !== wish);
    if (rest.length) this.#wanted.set(owner, rest);
    else this.#wanted.delete(owner);
    return wish;
  }

  #work() {
    while (this.#running.size < AT_ONCE) {
      const wish = this.#next();
      if (!wish) return;
      this.#running.add(wish);
      this.#ask(wish, this.#abort.signal).finally(() => {
        this.#running.delete(wish);
        this.#work();
      });
    }
  }

  /** @param {Wish} wish @param {AbortSignal} signal */
  async #ask(wish, signal) {
    try {
      await wish.ask(signal);
    } catch (error) {
      if (!signal.aborted) wish.failed(/** @type {Error} */ (error));
    }
  }
}
