/** Spectra as charts, drawn at the width of their place: what a layer's filters cover, and the stride's grid in the next layer. */

import { number, t } from '../words.js';
import { svg } from './dom.js';

/** @typedef {import('../types.d.ts').FilterDiagnosis} Diagnosis */
/** @typedef {{ x: number, y: number, w: number, h: number, X: (f: number) => number, Y: (v: number) => number }} Frame */

const percent = (/** @type {number} */ v, digits = 0) => `${number(100 * v, { digits })} %`;
const text = (
  /** @type {string} */ words,
  /** @type {number} */ x,
  /** @type {number} */ y,
  anchor = 'start',
  kind = 'tick',
) => svg('text', { class: kind, x, y, 'text-anchor': anchor }, words);

/** A curve over equal rings or bands from 0 to half a cycle per pixel. @param {number[]} values @param {Frame} frame */
function curve(values, { X, Y }) {
  const middle = (/** @type {number} */ i) => (i + 0.5) / (2 * values.length);
  return values.map((v, i) => `${i ? 'L' : 'M'}${X(middle(i)).toFixed(1)} ${Y(v).toFixed(1)}`).join('');
}

/** Round numbers up to a largest value, two to five of them. @param {number} hi */
function ticks(hi) {
  const rough = hi / 3.5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  return Array.from({ length: Math.floor(hi / step + 1e-9) }, (_, i) => (i + 1) * step);
}

/** @param {number} width @param {number} tall @param {number} right room beside the plot @returns {Omit<Frame, 'Y'>} */
function frame(width, tall, right) {
  const [x, y] = [46, 30];
  const [w, h] = [width - x - right, tall - y - 40];
  return { x, y, w, h, X: (f) => x + (f / 0.5) * w };
}

/** Frequencies below, gridlines and numbers at the left. @param {Frame} f @param {[number, string][]} left @param {string} title */
function axes({ x, y, w, h, X, Y }, left, title) {
  const grid = left.flatMap(([v, words]) => [
    svg('line', { class: 'grid', x1: x, x2: x + w, y1: Y(v), y2: Y(v) }),
    text(words, x - 8, Y(v) + 4, 'end'),
  ]);
  const below = [0, 0.1, 0.2, 0.3, 0.4, 0.5].map((v) =>
    text(v ? number(v, { digits: 1 }) : '0', X(v), y + h + 18, 'middle'),
  );
  return [
    ...grid,
    svg('line', { class: 'axis', x1: x, x2: x + w, y1: y + h, y2: y + h }),
    ...below,
    text(t('fil.cycles'), x + w, y + h + 36, 'end'),
    text(title, 0, 14),
  ];
}

/** @param {number} width @param {number} tall @param {string} label @param {(SVGElement | false | undefined)[]} nodes */
const drawing = (width, tall, label, nodes) =>
  svg(
    'svg',
    { viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: 'img', 'aria-label': label },
    .../** @type {SVGElement[]} */ (nodes.filter(Boolean)),
  );

/** The rings of the gap: those around its bottom that lie below half the way up to the lower of its brims. @param {number[]} rings @param {number} at @returns {[number, number]} frequencies */
export function gapEdges(rings, at) {
  const n = rings.length;
  const bottom = Math.min(n - 1, Math.floor(at * 2 * n));
  const brim = Math.min(Math.max(...rings.slice(0, bottom)), Math.max(...rings.slice(bottom + 1)));
  const half = (brim + rings[bottom]) / 2;
  let [from, to] = [bottom, bottom];
  while (from > 0 && rings[from - 1] < half) from -= 1;
  while (to < n - 1 && rings[to + 1] < half) to += 1;
  return [from / (2 * n), (to + 1) / (2 * n)];
}

/**
 * All spectra, faint; all filters together, and their plain mean; the one that is looked at in red.
 * @param {Diagnosis} d @param {{ width: number, tall: number, looked: number, hi: number, single: number }} options `hi`,
 *   `single`: tops of the scales for all together and for one
 */
export function spectra(d, { width, tall, looked, hi, single }) {
  const base = frame(width, tall, 44);
  const { x, y, w, h, X } = base;
  const f = { ...base, Y: (/** @type {number} */ v) => y + h - Math.min(1.02, v / hi) * h };
  const one = { ...f, Y: (/** @type {number} */ v) => y + h - Math.min(1.02, v / single) * h };
  const red = d.filters.find(({ filter }) => filter === looked);
  const [from, to] = d.gap.depth > 0 ? gapEdges(d.power, d.gap.at) : [0, 0];
  // Named where they are apart: the mean at its peak, all together where they rise again, if they do.
  const highest = (/** @type {number[]} */ values, start = 0) =>
    values.indexOf(Math.max(...values.slice(start)), start);
  const peak = highest(d.power, to > from ? Math.floor(2 * d.power.length * d.gap.at) : 0);
  const middle = (/** @type {number} */ ring) => (ring + 0.5) / (2 * d.power.length);
  const top = highest(d.spectrum);
  const near = Math.abs(X(middle(top)) - X(middle(peak))) < 110;
  const mean = near ? Math.max(2, peak - Math.ceil(d.power.length / 3)) : top;
  return drawing(width, tall, t('fil.chart', { n: d.filters.length }), [
    to > from && svg('rect', { class: 'gap', x: X(from), width: X(to) - X(from), y, height: h }),
    ...axes(f, [[0, '0'], ...ticks(hi).map((v) => /** @type {[number, string]} */ ([v, percent(v)]))], t('fil.share')),
    ...ticks(single).map((v) => text(percent(v), x + w + 6, one.Y(v) + 4, 'start', 'tick is-faint')),
    text(t('fil.single'), width, 14, 'end', 'tick is-faint'),
    svg('path', {
      class: 'hair',
      d: d.filters
        .filter(({ dead }) => !dead)
        .map(({ spectrum }) => curve(spectrum, one))
        .join(''),
    }),
    svg('path', { class: 'line is-mean', d: curve(d.spectrum, f) }),
    svg('path', { class: 'line', d: curve(d.power, f) }),
    red && svg('path', { class: 'line is-looked', d: curve(red.spectrum, one) }),
    to > from &&
      text(t('fil.gap.mark', { depth: percent(d.gap.depth) }), (X(from) + X(to)) / 2, y + h - 8, 'middle', 'label'),
    text(t('fil.together', { n: d.filters.length }), X(middle(peak)), f.Y(d.power[peak]) - 10, 'middle', 'label'),
    text(t('fil.mean'), X(middle(mean)), f.Y(d.spectrum[mean]) - 8, 'middle', 'tick'),
    red && text(t('fil.one', { filter: looked }), x + w - 4, y + 14, 'end', 'label is-looked'),
  ]);
}

/** Two layers at one scale: the first drawn through, the second dashed. @param {Diagnosis} a @param {Diagnosis} b @param {{ width: number, tall: number }} size */
export function both(a, b, { width, tall }) {
  const hi = 1.12 * Math.max(...a.power, ...b.power);
  const base = frame(width, tall, 8);
  const { y, h, X } = base;
  const f = { ...base, Y: (/** @type {number} */ v) => y + h - (v / hi) * h };
  const name = (/** @type {number[]} */ values, /** @type {string} */ letter) => {
    const at = values.indexOf(Math.max(...values));
    return text(letter, X((at + 0.5) / (2 * values.length)), f.Y(values[at]) - 7, 'middle', 'label');
  };
  return drawing(width, tall, t('fil.ab.chart'), [
    ...axes(f, [[0, '0'], ...ticks(hi).map((v) => /** @type {[number, string]} */ ([v, percent(v)]))], t('fil.share')),
    svg('path', { class: 'line', d: curve(a.power, f) }),
    svg('path', { class: 'line is-second', d: curve(b.power, f) }),
    name(a.power, 'A'),
    name(b.power, 'B'),
  ]);
}

/**
 * The spectrum of projections along rows and columns, on a scale of powers of ten, with the stride's frequencies.
 * @param {NonNullable<Diagnosis['aliasing']>} grid @param {{ width: number, tall: number, looked: number[] | null, lo: number, hi: number, second?: Diagnosis['aliasing'] }} options
 */
export function gridChart(grid, { width, tall, looked, lo, hi, second }) {
  const base = frame(width, tall, 8);
  const { y, h, X } = base;
  const place = (/** @type {number} */ v) => Math.log(Math.max(v, lo) / lo) / Math.log(hi / lo);
  const f = { ...base, Y: (/** @type {number} */ v) => y + h - Math.min(1, place(v)) * h };
  const tens = [0.1, 0.01, 0.001, 0.0001].filter((v) => v >= lo && v <= hi);
  const left = tens.map((v) => /** @type {[number, string]} */ ([v, percent(v, v < 0.001 ? 2 : v < 0.01 ? 1 : 0)]));
  return drawing(width, tall, t('fil.grid.chart', { layer: grid.layer }), [
    ...grid.frequencies.map((v) =>
      svg('rect', { class: 'gap', x: X(v - 0.02), width: X(Math.min(0.5, v + 0.02)) - X(v - 0.02), y, height: h }),
    ),
    ...axes(f, left, t('fil.share')),
    ...grid.frequencies.map((v) => svg('line', { class: 'stride', x1: X(v), x2: X(v), y1: y, y2: y + h })),
    ...grid.frequencies.map((v, i) =>
      text(`${i + 1}/${grid.stride}`, X(v) - (v > 0.45 ? 6 : 0), y - 5, v > 0.45 ? 'end' : 'middle', 'label'),
    ),
    svg('path', { class: 'line', d: curve(grid.spectrum, f) }),
    second ? svg('path', { class: 'line is-second', d: curve(second.spectrum, f) }) : false,
    looked ? svg('path', { class: 'line is-looked', d: curve(looked, f) }) : false,
  ]);
}
