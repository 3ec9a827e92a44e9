/** Pictures of the Sparse view: maps and images with zero as mid-grey, whose values the pointer reads. */

import { contrast, projection } from '../draw/projection.js';
import { number } from '../words.js';
import { context2d, el } from './dom.js';

/** @typedef {{ data: Float32Array, shape: number[] }} Picture */
/** @typedef {{ max: number, auto: number }} Scale black and white are at ±max/auto */

/** One map of several. @param {Picture} picture @param {number} map @returns {Picture} */
export function mapOf({ data, shape: [, height, width] }, map) {
  const size = height * width;
  return { data: data.subarray(map * size, (map + 1) * size), shape: [1, height, width] };
}

/** @param {Picture} picture @returns {Scale} */
export const scaleOf = ({ data, shape }) => contrast(data, shape, [0, 0, shape[1], shape[2]]);

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Picture} picture one map, or three colours
 * @param {{ scale?: Scale, order?: 'rgb' | 'bgr', side?: number, label: string }} options `scale` of another picture, to compare; `side`: most pixels
 */
export function plate(canvas, picture, { scale = scaleOf(picture), order = 'rgb', side, label }) {
  const { data, shape } = picture;
  const [channels, height, width] = shape;
  projection(context2d(canvas), data, {
    shape,
    rect: [0, 0, height, width],
    order,
    gain: scale.auto,
    max: scale.max,
    side,
  });
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', label);
  canvas.onpointermove = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    const x = Math.min(width - 1, Math.max(0, Math.floor(((clientX - box.left) / box.width) * width)));
    const y = Math.min(height - 1, Math.max(0, Math.floor(((clientY - box.top) / box.height) * height)));
    const values = Array.from({ length: channels }, (_, c) =>
      number(data[(c * height + y) * width + x], { significant: 3 }),
    );
    canvas.title = `${values.join(', ')} @ ${y}, ${x}`;
  };
}

/** A figure whose parts are filled in later. @param {string} name @returns {HTMLElement} */
export const figure = (name) =>
  el('figure', { 'data-plate': name, hidden: true }, el('canvas', { class: 'pixels' }), el('figcaption'));

/** @param {ParentNode} root @param {string} name @returns {{ box: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement }} */
export function parts(root, name) {
  const box = /** @type {HTMLElement} */ (root.querySelector(`[data-plate="${name}"]`));
  box.hidden = false;
  return {
    box,
    canvas: /** @type {HTMLCanvasElement} */ (box.querySelector('canvas')),
    caption: /** @type {HTMLElement} */ (box.querySelector('figcaption')),
  };
}

/** A share as one reads it. @param {number} value */
export const percent = (value) =>
  `${number(100 * value, value < 0.1 ? { significant: 2 } : { digits: value < 9.995 ? 0 : undefined })} %`;

const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** @param {number} exponent */
export const raised = (exponent) =>
  `10${String(exponent)
    .replace('-', '⁻')
    .replace(/\d/g, (digit) => RAISED[Number(digit)])}`;

/** A number of any size. @param {number} value */
export function sized(value) {
  if (value === 0 || !Number.isFinite(value)) return number(value);
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -2 && exponent < 5) return number(value, { significant: 3 });
  return `${number(value / 10 ** exponent, { digits: 2 })}·${raised(exponent)}`;
}

/** The maps with the largest sum of magnitudes, strongest first. @param {Picture} picture @param {number} most */
export function strongest({ data, shape: [maps, height, width] }, most) {
  const size = height * width;
  const sums = Array.from({ length: maps }, (_, map) => {
    let sum = 0;
    for (let i = map * size; i < (map + 1) * size; i += 1) sum += Math.abs(data[i]);
    return sum;
  });
  return [...sums.keys()].sort((a, b) => sums[b] - sums[a] || a - b).slice(0, most);
}
