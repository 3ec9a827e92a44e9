/** A curve over amounts, drawn at the width of its place: axis, ends labelled, a mark where one looks. */

import { number } from '../words.js';
import { svg } from './dom.js';

const LEFT = 56;
const FOOT = 22;

/** @typedef {{ amounts: number[], values: ArrayLike<number>, hi: number, neutral: number, unit: (amount: number) => string, width: number, tall: number, label: string }} Curve `neutral`: the amount at which nothing is done */

/**
 * @param {Curve} curve values from 0 to `hi`; NaN where nothing is known yet
 * @returns {SVGElement}
 */
export function chart({ amounts, values, hi, neutral, unit, width, tall, label }) {
  const [from, to] = [amounts[0], amounts[amounts.length - 1]];
  const x = (/** @type {number} */ amount) => LEFT + ((amount - from) / (to - from)) * (width - LEFT - 12);
  const y = (/** @type {number} */ value) => 8 + (1 - value / (hi || 1)) * (tall - FOOT - 8);
  const base = tall - FOOT;
  const digits = hi <= 1 ? 2 : hi < 10 ? 1 : 0;
  const words = (/** @type {string} */ text, /** @type {Record<string, string | number>} */ at) =>
    svg('text', { class: 'tick', ...at }, text);
  const nodes = [
    svg('line', { class: 'axis', x1: LEFT, x2: width - 12, y1: base, y2: base }),
    words(number(hi, { digits }), { x: LEFT - 8, y: 14, 'text-anchor': 'end' }),
    words('0', { x: LEFT - 8, y: base, 'text-anchor': 'end' }),
  ];
  for (const amount of [from, neutral, to].filter((one) => one >= from && one <= to))
    nodes.push(words(unit(amount), { x: x(amount), y: tall - 5, 'text-anchor': amount === to ? 'end' : 'middle' }));
  if (neutral > from && neutral < to)
    nodes.push(svg('line', { class: 'neutral', x1: x(neutral), x2: x(neutral), y1: 8, y2: base }));
  let path = '';
  let open = false;
  for (const [i, amount] of amounts.entries()) {
    const known = !Number.isNaN(values[i]);
    if (known) path += `${open ? 'L' : 'M'}${x(amount).toFixed(1)} ${y(values[i]).toFixed(1)}`;
    open = known;
  }
  nodes.push(svg('path', { class: 'curve', d: path || 'M0 0' }));
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: 'img', 'aria-label': label },
    ...nodes,
  );
}

/**
 * The mark of the amount that is looked at.
 * @param {SVGElement} drawing from {@link chart}
 * @param {Curve} curve
 * @param {number} index
 */
export function mark(drawing, { amounts, values, hi, width, tall }, index) {
  drawing.querySelector('.mark')?.remove();
  if (index < 0) return;
  const [from, to] = [amounts[0], amounts[amounts.length - 1]];
  const x = LEFT + ((amounts[index] - from) / (to - from)) * (width - LEFT - 12);
  const parts = [svg('line', { x1: x, x2: x, y1: 8, y2: tall - FOOT })];
  if (!Number.isNaN(values[index]))
    parts.push(svg('circle', { cx: x, cy: 8 + (1 - values[index] / (hi || 1)) * (tall - FOOT - 8), r: 4 }));
  drawing.append(svg('g', { class: 'mark' }, ...parts));
}

/** The amount nearest to a pointer. @param {Element} drawing @param {number[]} amounts @param {number} clientX */
export function indexAt(drawing, amounts, clientX) {
  const { left, width } = drawing.getBoundingClientRect();
  const share = (clientX - left - LEFT) / (width - LEFT - 12);
  return Math.max(0, Math.min(amounts.length - 1, Math.round(share * (amounts.length - 1))));
}
