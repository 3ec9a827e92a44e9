/** The curves of a run: cross-entropy and the share of right answers over the epochs. */

import { lines } from '../draw/lines.js';
import { number, t } from '../words.js';

/** @typedef {import('./training-course.js').Course} Course */
/** @typedef {import('../draw/lines.js').Series} Series */
/** @typedef {import('../draw/lines.js').Ticks} Ticks */

/** More points than a chart has pixels show nothing more. */
const MOST = 400;

/** Round steps. @param {number} from @param {number} to @param {number} about how many @param {(value: number, digits: number) => string} [write] @returns {Ticks} */
function ticks(from, to, about, write = (value, digits) => number(value, { digits })) {
  const rough = (to - from) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  /** @type {Ticks} */
  const all = [];
  for (let i = Math.ceil(from / step - 1e-9) + 0; i * step <= to + step * 1e-6; i += 1)
    all.push([i * step, write(i * step, digits)]);
  return all;
}

/** Means of neighbours, so that at most MOST are left. @param {[number, number][]} points @returns {[number, number][]} */
function thinned(points) {
  const size = Math.ceil(points.length / MOST);
  if (size < 2) return points;
  /** @type {[number, number][]} */
  const out = [];
  for (let i = 0; i < points.length; i += size) {
    const some = points.slice(i, i + size);
    out.push([some[some.length - 1][0], some.reduce((sum, [, y]) => sum + y, 0) / some.length]);
  }
  return out;
}

/** Means over as many neighbours on both sides. @param {[number, number][]} points @returns {[number, number][]} */
function smooth(points) {
  const reach = Math.ceil(points.length / 50);
  const sums = [0];
  for (const [, y] of points) sums.push(sums[sums.length - 1] + y);
  return points.map(([x], i) => {
    const each = Math.min(reach, i, points.length - 1 - i);
    return [x, (sums[i + each + 1] - sums[i - each]) / (2 * each + 1)];
  });
}

/** @param {HTMLElement} place @param {Course} course @param {number} [looked] epoch */
export function loss(place, { epochs, points, until }, looked) {
  const thin = thinned(points);
  /** @type {Series[]} */
  const series = [
    { points: thin, kind: 'is-hair', name: '' },
    {
      points: points.length ? smooth(thin) : thinned(epochs.map(({ epoch, train }) => [epoch, train.loss])),
      ...{ kind: 'is-train', name: t('tr.train'), at: 0.35, lift: 14 },
    },
    {
      points: thinned(epochs.flatMap(({ epoch, test }) => (test ? [[epoch, test.loss]] : []))),
      ...{ kind: 'is-test', name: t('tr.test'), at: 0.7, lift: -20 },
    },
  ];
  const values = series.flatMap((one) => one.points.map(([, y]) => y)).filter(Number.isFinite);
  const [lo, hi] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 2.5];
  // A curve in the upper half of a chart from 0 would hide how it falls.
  const from = lo > 0.5 * hi ? lo - 0.15 * (hi - lo || hi) : 0;
  place.replaceChildren(
    lines({
      series,
      x: { from: 0, to: until, ticks: ticks(0, until, 6) },
      y: { from, to: hi + 0.06 * (hi - from), ticks: ticks(from, hi, 4) },
      ...{
        title: t('tr.loss'),
        foot: t('tr.epochs.axis'),
        label: t('tr.loss.label'),
        width: wide(place),
        tall: 225,
        left: 46,
      },
      ...{ mark: looked, marked: looked === undefined ? '' : t('tr.at', { epoch: looked }) },
    }),
  );
}

/** @param {HTMLElement} place @param {Course} course @param {number} [looked] epoch */
export function accuracy(place, { epochs, shares, until, classes }, looked) {
  const thin = smooth(thinned(shares));
  /** @type {Series[]} */
  const series = [
    {
      points: thin.length ? thin : thinned(epochs.map(({ epoch, train }) => [epoch, train.accuracy])),
      ...{ kind: 'is-train', name: '' },
    },
    {
      points: thinned(epochs.flatMap(({ epoch, test }) => (test ? [[epoch, test.accuracy]] : []))),
      ...{ kind: 'is-test', name: '' },
    },
  ];
  const values = series.flatMap((one) => one.points.map(([, y]) => y));
  const [lo, hi] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const low = lo > 0.8;
  const from = low ? Math.floor(20 * lo) / 20 : 0;
  const to = hi > 0.6 ? 1 : Math.min(1, Math.max(2 / classes, Math.ceil(10 * hi + 0.5) / 10));
  if (!low)
    series.unshift({
      points: [
        [0, 1 / classes],
        [until, 1 / classes],
      ],
      ...{ kind: 'is-chance', name: t('tr.chance'), at: 1, lift: -16 },
    });
  const write = (/** @type {number} */ value, /** @type {number} */ digits) =>
    `${number(100 * value, { digits: Math.max(0, digits - 2) })} %`;
  place.replaceChildren(
    lines({
      series,
      x: { from: 0, to: until, ticks: ticks(0, until, 6) },
      y: { from, to, ticks: ticks(from, to, 3, write) },
      ...{ title: t('tr.accuracy'), foot: '', label: t('tr.accuracy.label'), width: wide(place), tall: 160, left: 46 },
      ...{ mark: looked },
    }),
  );
}

/** @param {HTMLElement} place */
const wide = (place) => Math.max(260, Math.round(place.clientWidth) || 464);
