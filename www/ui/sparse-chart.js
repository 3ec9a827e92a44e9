/** The curves of the Sparse view: objective by iteration, error and sparsity by λ, objective by pass. */

import { lines } from '../draw/lines.js';
import { number, t } from '../words.js';
import { raised, sized } from './sparse-plate.js';

/** @typedef {import('../draw/lines.js').Series} Series */
/** @typedef {import('../draw/lines.js').Ticks} Ticks */
/** @typedef {{ name: string, kind: string, start: number, objective: number[] }} Curve */

const TALL = 310;
/** What lies below a thousandth of the way is drawn there: the limit itself is only known from above. */
const FLOOR = -3;

/** @param {HTMLElement} place */
const widthOf = (place) => Math.max(280, Math.round(place.clientWidth) || 464);

/** @param {number} power of ten, of a ratio */
const ratio = (power) =>
  power <= 0 ? `${number(10 ** (power + 2), power < -2 ? { digits: 1 } : {})} %` : `${raised(power)}×`;

/** Round numbers from 0 to most. @param {number} most @returns {Ticks} */
function steps(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = Math.max(1, [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? 1);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => [i * step, number(i * step)]);
}

/**
 * How far each curve is above the lowest objective that any of them has reached, in shares of where they start, by powers of ten.
 * @param {HTMLElement} place @param {Curve[]} curves @param {number} iterations
 */
export function objectives(place, curves, iterations) {
  const all = curves.flatMap(({ objective }) => objective).filter(Number.isFinite);
  const starts = curves.map(({ start }) => start).filter(Number.isFinite);
  if (!starts.length) return place.replaceChildren();
  const best = Math.min(...all, ...starts);
  const gap = Math.max(...starts) - best || 1;
  const height = (/** @type {number} */ value) =>
    Number.isFinite(value) ? Math.max(FLOOR, Math.log10(Math.max(0, (value - best) / gap) || 1e-9)) : Number.NaN;
  const top = Math.max(0, ...all.map(height));
  const to = top > 0 ? Math.ceil(top + 0.01) : 0;
  const step = Math.max(1, Math.ceil((to - FLOOR) / 6));
  /** @type {Ticks} */
  const ticks = [];
  for (let power = FLOOR; power <= to; power += step) ticks.push([power, ratio(power)]);
  const series = curves.map(({ name, kind, start, objective }, i) => ({
    points: /** @type {[number, number][]} */ ([start, ...objective].map((value, n) => [n, height(value)])),
    ...{ name, kind, at: i ? 0.45 : 0.75, lift: i ? -20 : 10 },
  }));
  place.replaceChildren(
    lines({
      series,
      x: { from: 0, to: iterations, ticks: steps(iterations) },
      y: { from: FLOOR, to, ticks },
      ...{ title: t('spa.chart.objective'), foot: t('spa.chart.iterations') },
      ...{
        width: widthOf(place),
        tall: TALL,
        label: t('spa.chart.label', { methods: curves.map((c) => c.name).join(', ') }),
      },
    }),
  );
}

/** Error and share of values other than zero against λ. @param {HTMLElement} place @param {{ lambda: number, error: number, support: number }[]} points @param {number} [looked] */
export function path(place, points, looked) {
  if (points.length < 2) return place.replaceChildren();
  const x = points.map(({ lambda }) => Math.log10(lambda));
  const [from, to] = [x[0], x[x.length - 1]];
  /** @type {Ticks} */
  const ticks = [];
  for (let power = Math.ceil(from - 1e-6); power <= to + 1e-6; power += 1)
    ticks.push([power, Math.abs(power) < 4 ? number(10 ** power, { digits: Math.max(0, -power) }) : raised(power)]);
  const most = Math.max(...points.map(({ support }) => support), 0.01);
  place.replaceChildren(
    lines({
      series: [
        {
          points: points.map(({ error }, i) => [x[i], error]),
          ...{ name: t('spa.path.error'), kind: 'is-a', at: 0.15, lift: 8 },
        },
        {
          points: points.map(({ support }, i) => [x[i], support / most]),
          ...{ name: t('spa.path.support'), kind: 'is-b', at: 0.85, lift: 10 },
        },
      ],
      x: { from, to, ticks },
      y: {
        ...{ from: 0, to: 1 },
        ticks: [0, 0.25, 0.5, 0.75, 1].map((one) => [
          one,
          `${number(100 * one)} % · ${number(100 * one * most, { digits: most < 0.095 ? 1 : 0 })} %`,
        ]),
      },
      ...{ title: t('spa.path.title'), foot: 'λ', width: widthOf(place), tall: TALL - 50 },
      label: t('spa.path.label'),
      left: 100,
      mark: looked && Math.log10(looked),
    }),
  );
}

/** The mean objective of a photo after each pass. @param {HTMLElement} place @param {number[]} objective @param {number} passes */
export function learned(place, objective, passes) {
  if (objective.length < 1) return place.replaceChildren();
  const [lo, hi] = [Math.min(...objective), Math.max(...objective)];
  const space = (hi - lo || hi || 1) * 0.15;
  const ticks = [lo, (lo + hi) / 2, hi].filter((one, i, all) => all.indexOf(one) === i);
  place.replaceChildren(
    lines({
      series: [
        {
          points: objective.map((value, i) => [i + 1, value]),
          ...{ name: t('spa.learn.curve'), kind: 'is-a', at: 0.6, lift: 12 },
        },
      ],
      x: { from: 0, to: passes, ticks: steps(passes) },
      y: { from: lo - space, to: hi + space, ticks: ticks.map((one) => [one, sized(one)]) },
      ...{ title: t('spa.learn.objective'), foot: t('spa.learn.passes'), width: widthOf(place), tall: TALL - 80 },
      label: t('spa.learn.label'),
    }),
  );
}
