/** A network written as JSON, checked while it is typed: the size of every layer, or the one that does not fit. */

import { number } from '../words.js';
import { el, find } from './dom.js';

/** @typedef {import('../types.d.ts').NetworkSpec} NetworkSpec */
/** @typedef {import('../types.d.ts').Lab} Lab */

/** Milliseconds without a key after which what is written is meant. */
const SETTLED = 300;

/** One layer a line. @param {NetworkSpec} spec */
function written({ layers, ...rest }) {
  const head = Object.entries(rest).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const lines = layers.map((layer) => `    ${JSON.stringify(layer)}`);
  return `{\n${[...head, `  "layers": [\n${lines.join(',\n')}\n  ]`].join(',\n')}\n}`;
}

export class SpecEditor {
  #text;
  #root;
  #lab;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #settle;
  /** The text that was checked last. */ #checked = '';
  /** Something does not fit. */ wrong = false;

  /** @param {HTMLElement} root @param {() => Promise<Lab>} lab @param {(spec: NetworkSpec) => void} take one that fits */
  constructor(root, lab, take) {
    this.#root = root;
    this.#lab = lab;
    this.#text = /** @type {HTMLTextAreaElement} */ (find(root, '[data-spec]'));
    this.#text.addEventListener('input', () => {
      clearTimeout(this.#settle);
      this.#settle = setTimeout(async () => {
        const spec = await this.#check();
        if (spec) take(spec);
      }, SETTLED);
    });
  }

  /** Shows a network, unless somebody writes one. @param {NetworkSpec} spec */
  show(spec) {
    const text = written(spec);
    if (document.activeElement === this.#text || (this.#checked && text === this.#checked)) return;
    this.#text.value = text;
    this.#checked = text;
    this.#check();
  }

  /** @returns {Promise<NetworkSpec | undefined>} */
  async #check() {
    const text = this.#text.value;
    /** @type {NetworkSpec | undefined} */
    let spec;
    /** @type {string} */
    let fault = '';
    /** @type {import('../types.d.ts').LayerSize[]} */
    let sizes = [];
    try {
      spec = JSON.parse(text);
      sizes = await (await this.#lab()).sizes(/** @type {NetworkSpec} */ (spec));
    } catch (error) {
      fault = /** @type {Error} */ (error).message;
    }
    // Written on meanwhile.
    if (text !== this.#text.value) return undefined;
    this.#checked = text;
    this.wrong = fault !== '';
    this.#text.setAttribute('aria-invalid', String(this.wrong));
    const line = find(this.#root, '[data-spec-fault]');
    line.hidden = !fault;
    line.textContent = fault;
    const rows = sizes.map(({ name, kind, shape, parameters }) => [name, kind, shape.join(' × '), number(parameters)]);
    find(this.#root, '[data-spec-sizes]').replaceChildren(
      ...rows.map((cells) => el('tr', {}, ...cells.map((cell) => el('td', {}, cell)))),
    );
    return fault ? undefined : spec;
  }
}
