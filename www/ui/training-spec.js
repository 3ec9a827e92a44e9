/** A network written as JSON, checked while it is typed: the size of every layer, or the one that does not fit. */

import { number } from '../words.js';
import { el, find } from './dom.js';

/** @typedef {import('../types.d.ts').NetworkSpec} NetworkSpec */
/** @typedef {import('../types.d.ts').Lab} Lab */

/** Milliseconds without a key after which what is written is meant. */
const SETTLED = 300;

/** What a layer need not say. @type {Record<string, string>} */
const PLAIN = { stride: '[1,1]', pad: '[0,0,0,0]', dilation: '[1,1]', groups: '1', ceil: 'false', maps: '1' };

/** The same network without what goes without saying. @param {NetworkSpec} spec @returns {NetworkSpec} */
export const plain = ({ layers, ...rest }) => ({
  ...rest,
  layers: layers.map(
    (layer) =>
      /** @type {import('../types.d.ts').LayerSpec} */ (
        Object.fromEntries(Object.entries(layer).filter(([key, value]) => PLAIN[key] !== JSON.stringify(value)))
      ),
  ),
});

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
  /** What the page's state has. */ #shown = '';
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

  /** Shows a network where it is another than before: what is being written, right or wrong, stays. @param {NetworkSpec} spec */
  show(spec) {
    const text = written(plain(spec));
    if (text === this.#shown) return;
    this.#shown = text;
    if (document.activeElement === this.#text) return;
    this.#text.value = text;
    this.#check();
  }

  /** What is written is given up. */
  forget() {
    this.#shown = '';
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
    this.wrong = fault !== '';
    this.#text.setAttribute('aria-invalid', String(this.wrong));
    const line = find(this.#root, '[data-spec-fault]');
    line.hidden = !fault;
    line.textContent = fault;
    const table = find(this.#root, '[data-spec-sizes]');
    const rows = sizes.map(({ name, kind, shape, parameters }) => [name, kind, shape.join(' × '), number(parameters)]);
    // Of one that does not fit the last sizes stay, up to the layer that is wrong.
    if (!fault) table.replaceChildren(...rows.map((cells) => el('tr', {}, ...cells.map((cell) => el('td', {}, cell)))));
    const wrong = fault
      ? [...table.children].findIndex((row) => fault.startsWith(`${row.firstChild?.textContent}:`))
      : -1;
    for (const [i, row] of [...table.children].entries()) {
      row.classList.toggle('is-wrong', i === wrong);
      row.classList.toggle('is-stale', i > wrong && fault !== '');
    }
    return fault ? undefined : spec;
  }
}
