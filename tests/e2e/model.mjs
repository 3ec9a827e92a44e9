// A small network with seeded weights, as a model file: what a test of the module needs, without a download.

/** @param {number} seed @returns {() => number} uniform in [-0.5, 0.5), the same on every machine */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

/** @typedef {{ name: string, kind: string, [more: string]: unknown }} Layer */

/** @type {Layer[]} */
const layers = [
  { name: 'conv1', kind: 'conv', filters: 8, kernel: [3, 3], pad: [1, 1, 1, 1] },
  { name: 'relu1', kind: 'relu' },
  { name: 'pool1', kind: 'max_pool', kernel: [3, 3], stride: [2, 2], ceil: true },
  { name: 'conv2', kind: 'conv', filters: 12, kernel: [3, 3], pad: [1, 1, 1, 1] },
  { name: 'relu2', kind: 'relu' },
  { name: 'fc', kind: 'dense', units: 5 },
  { name: 'prob', kind: 'softmax' },
];

const spec = {
  name: 'tiny',
  title: 'Tiny',
  licence: 'CC0-1.0',
  origin: 'seeded numbers',
  input: { shape: [3, 32, 32], mean: [104, 117, 123], std: [], order: 'bgr' },
  classes: ['ant', 'bee', 'cow', 'dog', 'emu'],
  layers,
};

/** @param {{ spec?: object, shapes?: Record<string, number[]>, fill?: (value: number, i: number) => number }} [change] */
export function model({ spec: own = spec, shapes = {}, fill = (value) => value } = {}) {
  const next = random(7);
  const tensors = {
    'conv1.weight': [8, 3, 3, 3],
    'conv1.bias': [8],
    'conv2.weight': [12, 8, 3, 3],
    'conv2.bias': [12],
    'fc.weight': [5, 12 * 16 * 16],
    'fc.bias': [5],
    ...shapes,
  };
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'unpool', spec: JSON.stringify(own) } };
  /** @type {number[]} */
  const values = [];
  for (const [name, shape] of Object.entries(tensors)) {
    if (!shape.length) continue; // a tensor that the spec has no use for
    const count = shape.reduce((n, side) => n * side, 1);
    const scale = 3 / Math.sqrt(count / shape[0]);
    header[name] = { dtype: 'F32', shape, data_offsets: [values.length * 4, (values.length + count) * 4] };
    for (let i = 0; i < count; i++) values.push(fill(next() * scale, values.length));
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + values.length * 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  for (const [i, value] of values.entries()) view.setFloat32(8 + json.length + i * 4, value, true);
  return bytes;
}

export { spec };
