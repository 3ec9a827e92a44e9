/** Dictionaries of strokes: the one beside the page, and the one that the visitor has learned. */

/** @typedef {import('../types.d.ts').Lab} Lab */
/** @typedef {import('../types.d.ts').Dictionary} Dictionary */

const SHIPPED = new URL('dictionary.safetensors', document.baseURI);

/** Tells `change` when there is another one. */
export class Dictionaries extends EventTarget {
  /** What the visitor learned, in this session. @type {Dictionary | undefined} */ own;
  /** @type {'shipped' | 'own'} */ chosen = 'shipped';
  /** @type {Promise<Dictionary> | undefined} */ #shipped;
  /** Filters by dictionary. @type {WeakMap<Dictionary, Promise<import('../types.d.ts').Tensor>>} */ #strokes =
    new WeakMap();

  /** The one that is used now. @param {Lab} lab @returns {Promise<Dictionary>} */
  open(lab) {
    if (this.chosen === 'own' && this.own) return Promise.resolve(this.own);
    this.#shipped ??= lab.dictionary(SHIPPED).catch((error) => {
      this.#shipped = undefined;
      throw error;
    });
    return this.#shipped;
  }

  /** Filters of layer 1. @param {Dictionary} dictionary */
  strokes(dictionary) {
    const found = this.#strokes.get(dictionary) ?? dictionary.filters(1);
    this.#strokes.set(dictionary, found);
    return found;
  }

  /** @param {Dictionary} dictionary just learned */
  use(dictionary) {
    this.own = dictionary;
    this.choose('own');
  }

  /** @param {'shipped' | 'own'} which */
  choose(which) {
    this.chosen = which;
    this.dispatchEvent(new Event('change'));
  }

  /** Changes whenever another one is used. */
  get key() {
    return this.chosen === 'own' && this.own ? this.own : 'shipped';
  }
}
