/** The maxima of a map over the photos searched, as bars, with the visitor's photo marked. */

import { number, t } from '../words.js';
import { svg } from './dom.js';

/** @typedef {{ from: number, to: number, count: number }} Bin */

/**
 * Bins of any widths spread over bars of one width.
 * @param {Bin[]} bins
 * @param {number} hi
 * @param {number} bars
 */
export function spread(bins, hi, bars) {
  const out = new Float32Array(bars);
  for (const { from, to, count } of bins) {
    // What does not excite the map says nothing of how strongly others do.
    if (to <= 0) continue;
    const [a, b] = [from, Math.max(to, from)].map((value) => (Math.min(Math.max(value, 0), hi) / hi) * bars);
    const [first, last] = [Math.min(bars - 1, Math.floor(a)), Math.min(bars - 1, Math.floor(b))];
    for (let i = first; i <= last; i += 1) {
      const share = b > a ? (Math.min(b, i + 1) - Math.max(a, i)) / (b - a) : 1 / (last - first + 1);
      out[i] += count * Math.max(0, share);
    }
  }
  return out;
}

/**
 * @param {Bin[]} bins
 * @param {{ top: number, value: number | undefined, width: number, bars: number, tall: number }} how `top`: the largest value; `value`: the visitor's photo's
 * @returns {SVGElement}
 */
export function rug(bins, { top, value, width, bars, tall }) {
  const hi = Math.max(top, value ?? 0) || 1;
  const heights = spread(bins, hi, bars);
  const most = heights.reduce((a, b) => Math.max(a, b), 0) || 1;
  const step = width / bars;
  const base = tall + 4;
  const path = [...heights]
    .map((count, i) => {
      // The root, so that one photo still shows where fifty stand elsewhere.
      const high = tall * Math.sqrt(count / most);
      return high > 0.2
        ? `M${(i * step).toFixed(1)} ${base}v${-high.toFixed(1)}h${(step - 1).toFixed(1)}v${high.toFixed(1)}z`
        : '';
    })
    .join('');
  const digits = hi < 10 ? 1 : 0;
  const x = value === undefined ? 0 : (value / hi) * width;
  const words = (/** @type {string} */ text, /** @type {Record<string, string | number>} */ at) =>
    svg('text', { y: base + 15, ...at }, text);
  const said = value === undefined ? '' : t('gal.yours.value', { value: number(value, { digits }) });
  const near = x > width - 110;
  return svg(
    'svg',
    {
      viewBox: `0 0 ${width} ${base + 18}`,
      height: base + 18,
      role: 'img',
      'aria-label': t('gal.rug', { hi: number(hi, { digits }) }) + (said && `, ${said}`),
    },
    svg('path', { d: path || 'M0 0' }),
    svg('line', { class: 'axis', x1: 0, x2: width, y1: base, y2: base }),
    ...(x > 70 || value === undefined ? [words('0', { x: 0 })] : []),
    ...(near && value !== undefined ? [] : [words(number(hi, { digits }), { x: width, 'text-anchor': 'end' })]),
    ...(value === undefined
      ? []
      : [
          svg('line', { class: 'you', x1: x, x2: x, y1: 0, y2: base + 3 }),
          words(said, {
            class: 'you',
            x: near ? width : Math.max(x, 0),
            'text-anchor': near ? 'end' : x < 70 ? 'start' : 'middle',
          }),
        ]),
  );
}
