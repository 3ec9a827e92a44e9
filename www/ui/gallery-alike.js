/** Maps in an order in which neighbours have similar filters. */

import { task } from './dom.js';

/** @typedef {import('../types.d.ts').Net} Net */
/** @typedef {{ map: number, reads: string, weights: Float32Array }} Filter of unit length; `reads`: what makes filters comparable */

/** Work on the page's own thread lasts no longer, in milliseconds. */
const SLICE = 12;

/** What has the maps of the layer before it. */
const PASSES = ['relu', 'leaky', 'clip', 'dropout', 'batch_norm', 'scale', 'lrn', 'max_pool', 'avg_pool'];

/** The convolutions that a layer's maps come from, in their order. @param {Net} net @param {string} name @returns {string[]} */
function convolutions(net, name) {
  const { kind, inputs } = net.info.layers.find((layer) => layer.name === name) ?? { kind: '', inputs: [] };
  if (kind === 'conv') return [name];
  if (kind === 'concat' || PASSES.includes(kind)) return inputs.flatMap((input) => convolutions(net, input));
  throw Object.assign(new Error(`${name}: its maps are not those of a convolution`), { name: 'Unsupported' });
}

/** A filter put into the middle of a larger one, at unit length. @param {Float32Array} from @param {number[]} shape in, rows, columns @param {number[]} size rows, columns */
function unit(from, [maps, rows, columns], [high, wide]) {
  const weights = new Float32Array(maps * high * wide);
  const [top, left] = [(high - rows) >> 1, (wide - columns) >> 1];
  let sum = 0;
  for (let c = 0; c < maps; c += 1)
    for (let y = 0; y < rows; y += 1)
      for (let x = 0; x < columns; x += 1) {
        const value = from[(c * rows + y) * columns + x];
        weights[(c * high + top + y) * wide + left + x] = value;
        sum += value * value;
      }
  const length = Math.sqrt(sum) || 1;
  for (let i = 0; i < weights.length; i += 1) weights[i] /= length;
  return weights;
}

/** @param {Net} net @param {string} layer @returns {Promise<Filter[]>} */
async function filters(net, layer) {
  const names = convolutions(net, layer);
  const all = await Promise.all(names.map((name) => net.filters(name)));
  const size = [2, 3].map((side) => Math.max(...all.map(({ shape }) => shape[side])));
  /** @type {Filter[]} */
  const found = [];
  for (const [i, { data, shape }] of all.entries()) {
    const [count, ...rest] = shape;
    const n = rest[0] * rest[1] * rest[2];
    const { inputs } = net.info.layers.find(({ name }) => name === names[i]) ?? { inputs: [] };
    for (let k = 0; k < count; k += 1) {
      const weights = unit(data.subarray(k * n, (k + 1) * n), rest, size);
      found.push({ map: found.length, reads: `${inputs.join()} ${rest[0]}`, weights });
    }
  }
  return found;
}

/** @param {Filter} a @param {Filter} b the cosine between them; least where they do not read the same maps */
function likeness(a, b) {
  if (a.reads !== b.reads) return -2;
  let sum = 0;
  for (let i = 0; i < a.weights.length; i += 1) sum += a.weights[i] * b.weights[i];
  return sum;
}

/**
 * From one map to the one whose filter is most like its own, then on from there.
 * @param {Net} net @param {string} layer @param {number[]} maps the first is where it begins
 * @returns {Promise<number[]>}
 */
export async function alike(net, layer, maps) {
  const all = await filters(net, layer);
  const left = maps.map((map) => all[map]);
  const order = left.splice(0, 1);
  let last = performance.now();
  while (left.length) {
    const now = order[order.length - 1];
    let [best, most] = [0, -3];
    for (const [i, filter] of left.entries()) {
      const is = likeness(now, filter);
      if (is > most) [best, most] = [i, is];
    }
    order.push(...left.splice(best, 1));
    if (performance.now() - last > SLICE) {
      await task();
      last = performance.now();
    }
  }
  return order.map(({ map }) => map);
}
