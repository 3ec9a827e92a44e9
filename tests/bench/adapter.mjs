// This project as a runtime of the peer benchmark (shared/bench in the development environment): the seeded graph
// and weights that every peer gets, through the engine's synchronous interface in a worker.

export const where = 'worker';

/** Milliseconds between two looks at a sweep, as in the page. */
const SLICE = 30;

/** Whether every 4th position of every 4th row is there. @param {{ shape: [number, number], watched: { activation: Float32Array }[] }} part */
function isCoarse({ shape: [rows, columns], watched: [{ activation }] }) {
  for (let y = 0; y < rows; y += 4)
    for (let x = 0; x < columns; x += 4) if (Number.isNaN(activation[y * columns + x])) return false;
  return true;
}

/** The benchmark's graph as a network spec, and where each tensor stands in the weights. @param {any} graph */
export function translate(graph) {
  /** @type {object[]} */
  const layers = [];
  /** @type {Record<string, { off: number, shape: number[] }>} */
  const index = {};
  /** @type {Record<string, string>} */
  const renamed = { in: 'data' };
  for (const node of graph.nodes) {
    const base = { name: node.name, inputs: node.x.map((/** @type {string} */ x) => renamed[x]) };
    const window = { kernel: [node.k, node.k], stride: [node.s, node.s] };
    const end = node.pe ?? 0;
    /** @type {Record<string, () => object>} */
    const kinds = {
      conv: () => ({ kind: 'conv', filters: node.cout, ...window, pad: Array(4).fill(node.p), groups: node.g }),
      maxpool: () => ({ kind: 'max_pool', ...window, pad: [0, 0, end, end] }),
      lrn: () => ({ kind: 'lrn', size: node.size, alpha: node.alpha, beta: node.beta, k: node.bias }),
      concat: () => ({ kind: 'concat' }),
      gap: () => ({ kind: 'global_avg' }),
      fc: () => ({ kind: 'dense', units: node.cout }),
      softmax: () => ({ kind: 'softmax' }),
    };
    if (!kinds[node.op]) throw new Error(`${node.name}: no layer for ${node.op}`);
    layers.push({ ...base, ...kinds[node.op]() });
    if (node.W) {
      index[`${node.name}.weight`] = node.W;
      index[`${node.name}.bias`] = node.b;
    }
    if (node.relu) layers.push({ name: `${node.name}_relu`, inputs: [node.name], kind: 'relu' });
    renamed[node.out] = node.relu ? `${node.name}_relu` : node.name;
  }
  return { spec: { name: graph.name, input: { shape: graph.input }, layers }, index };
}

/**
 * The same as a model file of the engine's own, in pieces.
 * @param {object} spec @param {Record<string, { off: number, shape: number[] }>} index @param {Float32Array} weights
 */
function modelFile(spec, index, weights) {
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { spec: JSON.stringify(spec) } };
  const tensors = [];
  let at = 0;
  for (const [name, { off, shape }] of Object.entries(index)) {
    const values = weights.slice(off, off + shape.reduce((n, side) => n * side, 1));
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + values.byteLength] };
    tensors.push(new Uint8Array(values.buffer));
    at += values.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  return [length, json, ...tensors];
}

/** @param {{ threads: number, base: string }} options `base`: where `pkg/unpool/` is served */
export async function create({ threads, base }) {
  // What the page takes in a browser that can multiply and add at once.
  const flavour = threads > 1 ? 'relaxed' : 'single';
  const glue = await import(new URL(`pkg/unpool/wasm/${flavour}/unpool.js`, base).href);
  const { memory } = await glue.default();
  if (threads > 1) await glue.initThreadPool(threads);
  /** @type {any} */
  let net;
  return {
    info: { flavour },
    /** Bytes of the engine's memory, which never shrinks: the peak. */
    heap: () => memory.buffer.byteLength,
    /** @param {object} spec @param {{ weights: Float32Array, index: Record<string, { off: number, shape: number[] }> }} tensors */
    async prepare(spec, { weights, index }) {
      const file = new glue.ModelFile(0);
      for (const piece of modelFile(spec, index, weights)) file.push(piece);
      net = file.open();
    },
    /** @param {any} model */
    async load(model) {
      const [graph, weights] = await Promise.all([model.spec(), model.weights()]);
      const { spec, index } = translate(graph);
      await this.prepare(spec, { weights, index });
    },
    /** @param {Float32Array} x @param {number[]} shape */
    async run(x, [n, c, h, w]) {
      return net.batch(x, n, c, h, w);
    },
    /**
     * The sweep of the page, corners at multiples of the stride. `sum` adds up the probability of the unoccluded top
     * class (without a classifier the followed map's activation); `coarse_ms` is the time to the first map that
     * covers the whole input, `heap_bytes` what the sweep added to the engine's memory.
     * @param {{ x: Float32Array, shape: number[], size: number, stride: number, value: number }} what
     */
    async occlusion({ x, shape: [c, h, w], size, stride, value }) {
      // 0 in the network's units is the mean of a spec without one.
      if (value !== 0) throw new Error('the square is filled with 0 only');
      const began = performance.now();
      const pass = net.startTensor(x, c, h, w);
      while (pass.step(1000) < 1);
      const trace = pass.finish();
      const before = memory.buffer.byteLength;
      const job = trace.occlude(JSON.stringify({ size, stride, grid: 'inside', fill: 'mean', watch: [], full: false }));
      let coarse = 0;
      for (let done = false; !done; ) {
        done = job.step(SLICE);
        if (!coarse && isCoarse(job.part())) coarse = performance.now() - began;
      }
      const part = job.part();
      if (glue.profile) console.log(glue.profile());
      const values = part.class === null ? part.watched[0].activation : part.p;
      const sum = values.reduce((/** @type {number} */ n, /** @type {number} */ v) => n + v, 0);
      const heap = memory.buffer.byteLength - before;
      for (const used of [job, trace]) used.free();
      return { positions: values.length, sum, ms: performance.now() - began, coarse_ms: coarse, heap_bytes: heap };
    },
  };
}
