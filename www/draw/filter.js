/** A filter as a picture: 0.5 + x / (2·max|x|), so that a weight of zero is mid-grey; one pixel a tap. */

import { projection } from './projection.js';

/**
 * @param {CanvasRenderingContext2D} context its canvas takes one pixel a tap
 * @param {Float32Array} weights of all filters
 * @param {number[]} shape filters, inputs, rows, columns
 * @param {number} filter
 * @param {{ order: 'rgb' | 'bgr', max?: number }} options `max`: what is white; default: the filter's own largest
 */
export function filter(context, weights, [, inputs, rows, columns], filter, { order, max }) {
  const plane = rows * columns;
  const all = weights.subarray(filter * inputs * plane, (filter + 1) * inputs * plane);
  // Pixels have one channel or three; of other inputs the one that weighs most is shown.
  const pixels = inputs === 1 || inputs === 3;
  const from = pixels ? 0 : heaviest(all, inputs, plane) * plane;
  const data = pixels ? all : all.subarray(from, from + plane);
  const shape = [pixels ? inputs : 1, rows, columns];
  projection(context, data, { shape, rect: [0, 0, rows, columns], order, gain: 1, max: max ?? largest(data) });
}

/** @param {Float32Array} values */
export function largest(values) {
  let max = 0;
  for (const value of values) max = Math.max(max, Math.abs(value));
  return max;
}

/** @param {Float32Array} values @param {number} inputs @param {number} plane */
function heaviest(values, inputs, plane) {
  let best = 0;
  let most = -1;
  for (let c = 0; c < inputs; c += 1) {
    let sum = 0;
    for (let i = c * plane; i < (c + 1) * plane; i += 1) sum += values[i] ** 2;
    if (sum > most) [best, most] = [c, sum];
  }
  return best;
}
