/** A network against the test data that its file came with (ONNX: input_0.pb, output_0.pb). */

import { t } from '../words.js';

/** @import { ImportTest, Net } from '../types.d.ts' */

/** As the ONNX project's own tests. */
const [ABSOLUTE, RELATIVE] = [1e-5, 1e-3];

/** Channels, rows, columns of N,C · N,C,L · N,C,H,W. @param {number[]} shape @returns {[number, number, number]} */
function picture([, ...rest]) {
  const [c, h, w] = rest;
  if (rest.length === 1) return [c, 1, 1];
  if (rest.length === 2) return [c, 1, h];
  if (rest.length === 3) return [c, h, w];
  throw new Error(t('import.test.shape', { shape: rest.join('×') }));
}

/**
 * @param {Net} net @param {string} layer @param {ImportTest} input @param {ImportTest} wanted
 * @returns {Promise<{ n: number, off: number, largest: number }>} numbers, how many differ, by how much at most
 */
export async function agreement(net, layer, input, wanted) {
  const shape = picture(input.shape);
  const size = shape.reduce((a, b) => a * b);
  const n = wanted.data.length;
  let [at, off, largest] = [0, 0, 0];
  for (let from = 0; from < input.data.length; from += size) {
    const trace = await net.run({ data: input.data.slice(from, from + size), shape });
    const { data } = await trace.activation(layer);
    trace.close();
    for (const got of data) {
      const want = at < n ? wanted.data[at] : Number.NaN;
      const difference = Math.abs(got - want);
      at += 1;
      if (Object.is(got, want) || difference <= ABSOLUTE + RELATIVE * Math.abs(want)) {
        largest = Math.max(largest, difference || 0);
        continue;
      }
      off += 1;
      if (difference > largest) largest = difference;
    }
  }
  return { n: Math.max(n, at), off: off + Math.max(0, n - at), largest };
}
