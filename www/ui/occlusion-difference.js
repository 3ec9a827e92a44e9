/** Two sweeps of one photo against each other: one scale for both, one order of classes, and numbers. */

import { positionAt } from '../draw/square.js';

/** @typedef {import('../findings.js').Findings} Findings */
/** @typedef {import('../findings.js').Winner} Winner */

/** Pixels between the places at which two maps are compared, whatever their strides. */
const STEP = 4;

/** Gives both the same scales and the same colours of classes. @param {Findings} a @param {Findings} b */
export function align(a, b) {
  for (const key of /** @type {const} */ (['p', 'activation'])) {
    const [one, two] = [a[key], b[key]];
    if (!one || !two) continue;
    one.lo = two.lo = Math.min(one.lo, two.lo);
    one.hi = two.hi = Math.max(one.hi, two.hi);
  }
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const { label, count } of [...a.winners, ...b.winners]) counts.set(label, (counts.get(label) ?? 0) + count);
  const answer = a.winners[0]?.label;
  counts.delete(answer);
  const order = [answer, ...[...counts].sort((x, y) => y[1] - x[1] || x[0] - y[0]).map(([label]) => label)];
  for (const one of [a, b]) {
    if (!one.winners.length) continue;
    const found = new Map(one.winners.map((winner) => [winner.label, winner]));
    one.winners = order.map((label) => found.get(label) ?? { label, count: 0, best: -1 });
    const places = new Map(order.map((label, place) => [label, place]));
    one.kinds = one.from.map((from) => (from < 0 ? -1 : (places.get(one.part.top[from]) ?? -1)));
  }
}

/**
 * `low`: least value of p of both; `mean`: what the square costs on average; `most`, `at`: the largest difference of
 * p and where; `answers`: share of the photo where the most probable class differs; `alike`: correlation of the two maps.
 * @param {Findings} a @param {Findings} b @param {number} height @param {number} width of the photo
 */
export function difference(a, b, height, width) {
  const [x, y] = [a.p ?? a.activation, b.p ?? b.activation];
  /** @type {number[][]} */
  const pairs = [];
  let [most, answers] = [0, 0];
  let at = [0, 0];
  for (let row = STEP / 2; row < height; row += STEP) {
    for (let column = STEP / 2; column < width; column += STEP) {
      const [i, j] = [a, b].map(({ grid, from }) => from[positionAt(grid, row, column)]);
      if (i < 0 || j < 0) continue;
      pairs.push([x.values[i], y.values[j]]);
      const apart = Math.abs(a.part.p[i] - b.part.p[j]);
      if (apart > most) [most, at] = [apart, [row, column]];
      if (a.part.top[i] !== b.part.top[j]) answers += 1;
    }
  }
  const known = (/** @type {Findings} */ { part }) => [...part.p].filter((value) => !Number.isNaN(value));
  const cost = (/** @type {Findings} */ one) => {
    const values = known(one);
    return one.part.p0 - values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const low = (/** @type {Findings} */ one) => known(one).reduce((least, value) => Math.min(least, value), 1);
  return {
    low: [low(a), low(b)],
    mean: [cost(a), cost(b)],
    most,
    at,
    answers: answers / Math.max(1, pairs.length),
    alike: correlation(pairs),
  };
}

/** Pearson's; NaN where one of the maps is even. @param {number[][]} pairs */
function correlation(pairs) {
  const n = pairs.length;
  const [mx, my] = [0, 1].map((k) => pairs.reduce((sum, pair) => sum + pair[k], 0) / n);
  let [xy, xx, yy] = [0, 0, 0];
  for (const [x, y] of pairs) {
    xy += (x - mx) * (y - my);
    xx += (x - mx) ** 2;
    yy += (y - my) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}
