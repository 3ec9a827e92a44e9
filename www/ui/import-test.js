/** A network against the test data that its file came with (ONNX: input_0.pb, output_0.pb). */

/** @import { ImportTest, Net } from '../types.d.ts' */

/** As the ONNX project's own tests; the command line's are in src/format/onnx/test_data.rs. */
const [ABSOLUTE, RELATIVE] = [1e-5, 1e-3];

/**
 * @param {Net} net @param {string} layer @param {Exclude<ImportTest, { refused: string }>} test
 * @returns {Promise<{ n: number, off: number, largest: number }>} numbers, how many differ, by how much at most
 */
export async function agreement(net, layer, { shape, pictures, wanted }) {
  const size = shape.reduce((a, b) => a * b);
  const n = wanted.length;
  let [at, off, largest] = [0, 0, 0];
  for (let from = 0; from < pictures.length; from += size) {
    const trace = await net.run({ data: pictures.slice(from, from + size), shape });
    const { data } = await trace.activation(layer);
    trace.close();
    for (const got of data) {
      const want = at < n ? wanted[at] : Number.NaN;
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
