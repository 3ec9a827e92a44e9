/** Figures of "The way down": a few cells of a map before and after a step, with their values, and the switches between them. */

import { number } from '../words.js';
import { svg } from './dom.js';

/** @typedef {import('../types.d.ts').StepMap} StepMap */
/** @typedef {import('../types.d.ts').Rect} Rect */
/** @typedef {{ node: SVGElement, meet: number[] }} Figure `meet`: the values whose switches meet on the marked cell */
/**
 * @typedef {object} Options
 * @property {boolean} narrow one grid above the other
 * @property {number} width of the figure's place
 * @property {number} height of it; a narrow figure is as tall as it needs
 * @property {string} label text alternative
 * @property {string} from caption of the grid before
 * @property {string} to caption of the grid after
 * @property {[number, number]} before height and width of the layer before
 * @property {[number, number]} after height and width of the layer after
 */
/** @typedef {{ x: number, y: number, cell: number, rows: number, columns: number }} Place of a grid in the figure */

/** A cell that holds three digits of 13 pixels. */
const LEAST = 25;
/** Height of the captions above the grids, and some air. */
const HEAD = 36;

/** How many cells, at most `most`, fit one below the other. @param {number} height @param {number} most */
const fit = (height, most) => Math.max(3, Math.min(most, Math.floor((height - HEAD) / LEAST)));

/** @param {{ rect: Rect, data: Float32Array }} map */
const reader =
  ({ rect: [y0, x0, y1, x1], data }) =>
  (/** @type {number} */ y, /** @type {number} */ x) =>
    y < y0 || x < x0 || y >= y1 || x >= x1 ? 0 : data[(y - y0) * (x1 - x0) + x - x0];

/** Row and column of the largest magnitude, in the layer's frame. @param {{ rect: Rect, data: Float32Array }} map @returns {[number, number]} */
function peakOf({ rect: [y0, x0, , x1], data }) {
  let best = 0;
  for (let i = 1; i < data.length; i += 1) if (Math.abs(data[i]) > Math.abs(data[best])) best = i;
  return [y0 + Math.floor(best / Math.max(1, x1 - x0)), x0 + (best % Math.max(1, x1 - x0))];
}

/** Where a window of `size` begins so that `centre` is in its middle, within [from, to). @param {number} centre @param {number} size @param {number} from @param {number} to */
const begin = (centre, size, from, to) =>
  Math.max(from, Math.min(Math.floor(centre) - Math.floor(size / 2), to - size));

/**
 * Values in a cell of three or four signs: a power of ten that brings the largest to two or three digits, and what each
 * value then reads as; a dot where it is not zero but would read so.
 * @param {number} max
 */
function scaleOf(max) {
  const power = max === 0 || (max >= 10 && max < 1000) ? 0 : Math.floor(Math.log10(max)) - 1;
  const read = (/** @type {number} */ value) => {
    const scaled = value / 10 ** power;
    if (value !== 0 && Math.abs(scaled) < 0.05) return '·';
    return number(scaled, { digits: value === 0 || Math.abs(scaled) >= 9.95 ? 0 : 1 });
  };
  const raised = [...String(power)].map((sign) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(sign)] ?? '⁻').join('');
  return { read, unit: power ? `, ×10${raised}` : '' };
}

/** @param {number} share of the largest value @param {string} ink */
const shade = (share, ink) =>
  `color-mix(in srgb, var(--${ink}) ${Math.round(92 * Math.min(1, Math.abs(share)))}%, var(--paper))`;

/**
 * @param {Place} place
 * @param {(row: number, column: number) => number} value
 * @param {{ max: number, zeros: boolean, scale: ReturnType<typeof scaleOf> }} options `zeros`: write them, too
 * @returns {SVGElement[]}
 */
function grid({ x, y, cell, rows, columns }, value, { max, zeros, scale }) {
  const out = [];
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const v = value(i, j);
      const share = max ? v / max : 0;
      const rect = svg('rect', { x: x + j * cell, y: y + i * cell, width: cell, height: cell, class: 'cell' });
      if (v !== 0) rect.style.fill = shade(share, v < 0 ? 'ink' : 'mark');
      out.push(rect);
      if (v === 0 && !zeros) continue;
      const text = svg(
        'text',
        {
          x: x + (j + 0.5) * cell,
          y: y + (i + 0.5) * cell + 5,
          'text-anchor': 'middle',
          class: Math.abs(share) > 0.42 ? 'on-dark' : 'on-light',
        },
        scale.read(v),
      );
      if (cell < 38) text.style.fontSize = '13px';
      out.push(text);
    }
  }
  return out;
}

/** @param {number} x @param {number} y @param {number} width @param {number} height @param {boolean} [dashed] */
const frame = (x, y, width, height, dashed) =>
  svg('rect', { x, y, width, height, class: dashed ? 'frame is-dashed' : 'frame' });

/** @param {number} x @param {number} y @param {string} words @param {string} [anchor] */
const caption = (x, y, words, anchor = 'start') => svg('text', { x, y, 'text-anchor': anchor }, words);

/**
 * Both grids in one figure: side by side, or one above the other on a phone.
 * @param {{ rows: number, columns: number, cell: number }} from
 * @param {{ rows: number, columns: number, cell: number }} to
 * @param {{ narrow: boolean, room: number, air: number }} place
 */
function layout(from, to, { narrow, room, air }) {
  const [w1, h1, w2, h2] = [from.columns * from.cell, from.rows * from.cell, to.columns * to.cell, to.rows * to.cell];
  const width = narrow ? room : Math.max(w1 + w2 + 60, Math.min(room, 674));
  const height = narrow ? h1 + h2 + 90 : Math.max(air, Math.max(h1, h2) + HEAD);
  const left = { ...from, x: 1, y: narrow ? 26 : 34 + (Math.max(h1, h2) - h1) / 2 };
  const right = { ...to, x: width - w2 - 1, y: narrow ? h1 + 88 : 34 + (Math.max(h1, h2) - h2) / 2 };
  return { width, height, left, right };
}

/** @param {number} width @param {number} height @param {string} label */
const figure = (width, height, label) =>
  svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label });

/**
 * The values that are shown on their way: those whose switches meet and add up to most, where there are such, else the
 * largest one. They must lie close enough together for one picture.
 * @param {{ rect: Rect, data: Float32Array }} pooled
 * @param {(y: number, x: number) => number[]} target
 * @param {number[]} reach rows and columns of the picture
 * @returns {[number, number][]}
 */
function brightest({ rect: [y0, x0, , x1], data }, target, reach) {
  /** @type {Map<string, { spots: [number, number][], sum: number }>} */
  const met = new Map();
  for (let i = 0; i < data.length; i += 1) {
    const [y, x] = [y0 + Math.floor(i / (x1 - x0)), x0 + (i % (x1 - x0))];
    const goal = target(y, x);
    if (data[i] === 0 || goal[0] < 0) continue;
    const one = met.get(goal.join()) ?? { spots: [], sum: 0 };
    one.spots.push([y, x]);
    one.sum += data[i];
    met.set(goal.join(), one);
  }
  const near = [...met.values()].filter(({ spots }) => [0, 1].every((k) => spread(spots, k) < reach[k]));
  near.sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  const enough = Math.abs(near[0]?.sum ?? 0) / 4;
  return (near.find(({ spots, sum }) => spots.length > 1 && Math.abs(sum) >= enough) ?? near[0])?.spots ?? [];
}

/** @param {[number, number][]} spots @param {number} k row or column */
const spread = (spots, k) => Math.max(...spots.map((one) => one[k])) - Math.min(...spots.map((one) => one[k]));

/**
 * Unpooling: every value returns to its switch; where switches meet, values add up.
 * @param {StepMap} step @param {Options} options @returns {Figure}
 */
export function drawUnpool(step, { narrow, width: room, height: air, label, from, to, before: [tall, wide] }) {
  const pooled = /** @type {NonNullable<StepMap['pooled']>} */ (step.pooled);
  const { kernel, stride, pad, switches, rect } = pooled;
  const [y0, x0, , x1] = rect;
  const value = reader(pooled);
  const after = reader(step);
  const most = narrow ? 11 : fit(air, 11);
  const n = [tall, wide].map((side, k) => Math.max(1, Math.min(side, Math.floor((most - kernel[k]) / stride[k]) + 1)));
  const m = [0, 1].map((k) => stride[k] * (n[k] - 1) + kernel[k]);
  // Beyond the signal's rectangle there are no values, so no switches either.
  const target = (/** @type {number} */ y, /** @type {number} */ x) => {
    const at = 2 * ((y - y0) * (x1 - x0) + x - x0);
    return [switches[at], switches[at + 1]];
  };
  const spots = brightest(pooled, target, n);
  const middle = (/** @type {number} */ k) =>
    (Math.min(...spots.map((one) => one[k])) + Math.max(...spots.map((one) => one[k])) + 1) / 2;
  const [sy, sx] = spots.length ? [middle(0), middle(1)] : peakOf(pooled);
  const [top, left] = [begin(sy, n[0], 0, tall), begin(sx, n[1], 0, wide)];
  const [under, beside] = [top * stride[0] - pad[0], left * stride[1] - pad[1]];
  const cell = Math.min(32, Math.floor(narrow ? (room - 4) / m[1] : (air - HEAD) / m[0]));
  const wider = Math.min(46, Math.max(cell, Math.floor(narrow ? room / 7 : (air - HEAD) / n[0])));
  const places = layout(
    { rows: n[0], columns: n[1], cell: wider },
    { rows: m[0], columns: m[1], cell },
    { narrow, room, air },
  );
  const { width, height, left: a, right: b } = places;
  const node = figure(width, height, label);
  let max = 0;
  for (const v of step.data) max = Math.max(max, Math.abs(v));
  const scale = scaleOf(max);
  node.append(
    caption(a.x, a.y - 12, from + scale.unit),
    caption(narrow ? b.x : b.x + m[1] * b.cell, b.y - 12, to + scale.unit, narrow ? 'start' : 'end'),
    ...grid(a, (i, j) => value(top + i, left + j), { max, zeros: true, scale }),
    ...grid(b, (i, j) => after(under + i, beside + j), { max, zeros: false, scale }),
  );
  if (spots.length) {
    const [ty, tx] = target(...spots[0]);
    const [gy, gx] = [b.y + (ty - under) * b.cell, b.x + (tx - beside) * b.cell];
    for (const [k, [y, x]] of spots.entries()) {
      const [i, j] = [y - top, x - left];
      node.append(
        frame(a.x + j * a.cell, a.y + i * a.cell, a.cell, a.cell),
        frame(b.x + stride[1] * j * b.cell, b.y + stride[0] * i * b.cell, kernel[1] * b.cell, kernel[0] * b.cell, true),
        svg('path', {
          d: narrow ? down(a, b, [i, j], [gx, gy], k) : across(a, b, [i, j], [gx, gy], k),
          class: 'thread',
        }),
      );
    }
    node.append(
      frame(gx, gy, b.cell, b.cell),
      svg('path', { d: `M${gx + b.cell / 2} ${gy - 1} l-5 -9 h10z`, class: 'arrow' }),
    );
  }
  return { node, meet: spots.map(([y, x]) => value(y, x)) };
}

/** A thread from a pooled cell, through the gap, to above the switch's cell. @param {Place} a @param {Place} b @param {[number, number]} cell @param {number[]} goal @param {number} k */
function across(a, b, [i, j], [gx, gy], k) {
  const [x, y] = [a.x + (j + 1) * a.cell, a.y + (i + (k ? 0.7 : 0.3)) * a.cell];
  const [end, rise] = [gx + b.cell / 2, Math.max(8, gy - 24 - 8 * k)];
  const gap = a.x + a.columns * a.cell + 6;
  return `M${x} ${y} H${gap} C${(gap + b.x) / 2} ${y} ${(gap + b.x) / 2} ${rise} ${b.x - 4} ${rise} H${end - 6} Q${end} ${rise} ${end} ${rise + 6} V${gy - 6}`;
}

/** @param {Place} a @param {Place} b @param {[number, number]} cell @param {number[]} goal @param {number} k */
function down(a, b, [i, j], [gx, gy], k) {
  const [x, y] = [a.x + (j + 1) * a.cell, a.y + (i + (k ? 0.7 : 0.3)) * a.cell];
  const [side, turn] = [a.x + a.columns * a.cell + 10 + 8 * k, a.y + a.rows * a.cell + 14 + 8 * k];
  return `M${x} ${y} H${side} V${turn} H${gx + b.cell / 2} V${gy - 6}`;
}

/**
 * Any other step: the same stretch of a map before and after.
 * @param {StepMap | undefined} before @param {StepMap} here @param {Options} options @returns {Figure}
 */
export function drawMove(before, here, { narrow, width: room, height: air, label, from, to, before: old, after }) {
  const window = (/** @type {StepMap} */ map, /** @type {[number, number]} */ [tall, wide]) => {
    const [py, px] = peakOf(map);
    const most = narrow ? 9 : fit(air, 9);
    const [rows, columns] = [Math.min(most, tall), Math.min(9, wide)];
    return {
      rows,
      columns,
      cell: Math.min(34, Math.floor(narrow ? (room - 4) / columns : (air - HEAD) / rows)),
      top: begin(py, rows, 0, tall),
      left: begin(px, columns, 0, wide),
    };
  };
  const to_ = window(here, after);
  const same = before && String(before.rect) === String(here.rect);
  const from_ = before ? (same ? to_ : window(before, old)) : { rows: 0, columns: 0, cell: 33, top: 0, left: 0 };
  const { width, height, left: a, right: b } = layout(from_, to_, { narrow, room, air });
  const node = figure(width, height, label);
  /** @param {StepMap} map @param {string} words */
  const side = (map, words) => {
    const max = map.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const scale = scaleOf(max);
    return { value: reader(map), words: words + scale.unit, look: { max, zeros: false, scale } };
  };
  if (before) {
    const { value, words, look } = side(before, from);
    node.append(caption(a.x, a.y - 12, words), ...grid(a, (i, j) => value(from_.top + i, from_.left + j), look));
    const [x0, x1, y] = [
      a.x + a.columns * a.cell + 14,
      b.x - 14,
      Math.max(a.y, b.y) + Math.min(a.rows * a.cell, b.rows * b.cell) / 2,
    ];
    const x = a.x + 40;
    const [y0, y1] = [a.y + a.rows * a.cell + 8, b.y - 34];
    node.append(
      svg('path', { d: narrow ? `M${x} ${y0} V${y1}` : `M${x0} ${y} H${x1 - 8}`, class: 'thread' }),
      svg('path', { d: narrow ? `M${x} ${y1 + 8} l-5 -9 h10z` : `M${x1} ${y} l-9 -5 v10z`, class: 'arrow' }),
    );
  }
  const { value, words, look } = side(here, to);
  node.append(
    caption(narrow ? b.x : b.x + b.columns * b.cell, b.y - 12, words, narrow ? 'start' : 'end'),
    ...grid(b, (i, j) => value(to_.top + i, to_.left + j), look),
  );
  return { node, meet: [] };
}
