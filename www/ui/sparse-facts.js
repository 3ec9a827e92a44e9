/** Numbers under the curves, and the curves of two solvers: the same for a layer's input and for a photo's code. */

import { t } from '../words.js';
import { el } from './dom.js';
import { percent } from './sparse-plate.js';

/** @typedef {[string, string, string]} Row name, value, why */
/** @typedef {{ start: number | null, objective: number[] }} Run */
/** @typedef {{ ista?: Run, fista?: Run }} Runs */

/** @param {HTMLElement} box @param {Row[]} rows */
export function facts(box, rows) {
  box.replaceChildren(
    ...rows.flatMap(([name, value, why]) => [el('dt', {}, name), el('dd', { class: 'num' }, value), el('dd', {}, why)]),
  );
}

/** @param {Runs} runs @returns {import('./sparse-chart.js').Curve[]} */
export const curves = ({ ista, fista }) => [
  ...(ista ? [{ name: 'ISTA', kind: 'is-a', start: ista.start ?? Number.NaN, objective: ista.objective }] : []),
  ...(fista ? [{ name: 'FISTA', kind: 'is-b', start: fista.start ?? Number.NaN, objective: fista.objective }] : []),
];

/** How many values are not zero. @param {{ support: number | null, nonzero: number | null, z: { data: Float32Array } }} solved @returns {Row[]} */
export const sparsity = ({ support, nonzero, z }) =>
  support === null
    ? []
    : [[t('spa.fact.support'), percent(support), t('spa.fact.nonzero', { n: nonzero ?? 0, of: z.data.length })]];

/** How many steps FISTA takes to where ISTA is. @param {Runs} runs @returns {Row[]} */
export function pace({ ista, fista }) {
  const end = ista?.objective.at(-1);
  const reached = end !== undefined && fista ? fista.objective.findIndex((value) => value <= end) : -1;
  if (!ista || reached < 0) return [];
  return [['FISTA', t('spa.fact.steps', { n: reached + 1 }), t('spa.fact.reached', { n: ista.objective.length })]];
}
