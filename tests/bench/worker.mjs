// Inside the browser: one network, one number of threads. Started by page.html, driven by run.mjs.
import { create } from './adapter.mjs';

/** Uniform numbers of the given standard deviation, the same everywhere. @param {Float32Array} to @param {number} deviation */
function fill(to, deviation) {
  let state = 12345;
  const scale = (deviation * Math.sqrt(12)) / 2 ** 32;
  for (let i = 0; i < to.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    to[i] = (state - 2 ** 31) * scale;
  }
}

/** @param {Record<string, number[]>} shapes @returns the tensors one after the other, and where each stands */
function seeded(shapes) {
  const count = (/** @type {number[]} */ shape) => shape.reduce((n, side) => n * side, 1);
  const weights = new Float32Array(Object.values(shapes).reduce((n, shape) => n + count(shape), 0));
  /** @type {Record<string, { off: number, shape: number[] }>} */
  const index = {};
  let off = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const deviation = name.endsWith('.bias') ? 0.05 : Math.sqrt(2 / count(shape.slice(1)));
    fill(weights.subarray(off, off + count(shape)), deviation);
    index[name] = { off, shape };
    off += count(shape);
  }
  return { weights, index };
}

addEventListener('message', async ({ data }) => {
  const { net, threads, batch, runs, occlude } = data;
  try {
    const engine = await create({ threads, base: new URL('/', location.href).href });
    await engine.prepare(net.spec, seeded(net.weights));
    const shape = net.spec.input.shape;
    const x = new Float32Array(batch * shape[0] * shape[1] * shape[2]);
    fill(x, 1);
    if (occlude) {
      /** @type {object[]} */
      const sweeps = [];
      for (let i = 0; i < runs; i++) sweeps.push(await engine.occlusion({ x, shape, ...occlude, value: 0 }));
      return postMessage({ sweeps, heap: engine.heap() });
    }
    /** @type {number[]} */
    const times = [];
    for (let i = 0; i < runs + 2; i++) {
      const start = performance.now();
      await engine.run(x, [batch, ...shape]);
      if (i >= 2) times.push(performance.now() - start);
    }
    postMessage({ times, heap: engine.heap() });
  } catch (error) {
    postMessage({ error: String(error) });
  }
});
