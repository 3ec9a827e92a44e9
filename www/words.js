/** The page's words in the reader's language: text/LANG.json, filled in, counted and made into nodes. */

/** @typedef {string | Record<string, string>} Entry */
/** @typedef {Record<string, string | number>} Values */

const LANGUAGES = ['en', 'ru'];

/** The entries of text/LANG.json, in one object: later languages only need their file. @type {Record<string, Entry>} */
let entries = {};
let language = 'en';

/** @param {string} wanted '' = the browser's language @returns {string} */
export const pickLanguage = (wanted) =>
  wanted || (navigator.languages ?? []).map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag)) || 'en';

/** @param {string} lang */
export async function load(lang) {
  const answer = await fetch(new URL(`text/${lang}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`text/${lang}.json: ${answer.status}`);
  entries = await answer.json();
  language = lang;
}

/**
 * @param {string} key
 * @param {Values} [values] `n` also picks the plural form, `nth` the ordinal one
 * @returns {string} the template with `{name}` still in it when no values are given
 */
export function template(key, values = {}) {
  const entry = entries[key] ?? key;
  if (typeof entry === 'string') return entry;
  const form = plural('nth' in values ? 'ordinal' : 'cardinal').select(Number(values.nth ?? values.n ?? 0));
  return entry[form] ?? entry.other ?? '';
}

/** @param {string} key @param {Values} [values] */
export const t = (key, values = {}) =>
  template(key, values)
    .replace(/\{(\w+)\}/g, (_, name) => show(values[name]))
    .replace(/<\/?[bi]>/g, '');

/** As {@link t}, as nodes: `<b>` and `<i>` in the template become elements, values never do. @param {string} key @param {Values} [values] @returns {Node[]} */
export function rich(key, values = {}) {
  /** @type {Node[]} */
  const out = [];
  /** @type {HTMLElement | undefined} */
  let open;
  for (const part of template(key, values).split(/(<\/?[bi]>|\{\w+\})/)) {
    if (/^<[bi]>$/.test(part)) {
      open = document.createElement(part[1]);
      out.push(open);
    } else if (part.startsWith('</')) open = undefined;
    else if (part) {
      const text = part[0] === '{' ? show(values[part.slice(1, -1)]) : part;
      open ? open.append(text) : out.push(document.createTextNode(text));
    }
  }
  return out;
}

/** @param {string | number | undefined} value */
const show = (value) => (typeof value === 'number' ? number(value) : (value ?? ''));

/**
 * A number as the language writes it, with a true minus.
 * @param {number} value
 * @param {{ digits?: number, significant?: number }} [options] at most so many places, or so many significant digits
 */
export function number(value, { digits, significant } = {}) {
  if (!Number.isFinite(value)) return String(value);
  return format(digits, significant).format(value).replace('-', '−');
}

// To make one of these takes longer than to write a hundred numbers with it.
/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();
/** @type {Map<string, Intl.PluralRules>} */
const plurals = new Map();

/** @param {number | undefined} digits @param {number | undefined} significant */
function format(digits, significant) {
  const key = [language, digits, significant].join();
  let found = formats.get(key);
  if (!found) {
    const places =
      significant === undefined
        ? { minimumFractionDigits: digits, maximumFractionDigits: digits ?? 0 }
        : { maximumSignificantDigits: significant, minimumSignificantDigits: Math.min(significant, 3) };
    found = new Intl.NumberFormat(language, { ...places, useGrouping: false });
    formats.set(key, found);
  }
  return found;
}

/** @param {'ordinal' | 'cardinal'} type */
function plural(type) {
  const key = `${language} ${type}`;
  const found = plurals.get(key) ?? new Intl.PluralRules(language, { type });
  plurals.set(key, found);
  return found;
}

/** Words in attributes: data-t-label is for aria-label, and so on. */
const ATTRIBUTES = [
  ['tLabel', 'data-t-label', 'aria-label'],
  ['tTitle', 'data-t-title', 'title'],
  ['tPlaceholder', 'data-t-placeholder', 'placeholder'],
];

/** Gives every element with data-t its words, and every one with data-t-label … its attribute. @param {ParentNode} root */
export function apply(root) {
  for (const node of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-t]')))
    node.replaceChildren(...rich(node.dataset.t ?? ''));
  for (const [key, selector, attribute] of ATTRIBUTES)
    for (const node of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(`[${selector}]`)))
      node.setAttribute(attribute, t(node.dataset[key] ?? ''));
}
