// Sparse coding as a script of somebody else's uses it: a layer inverted, a dictionary learned, a photo coded in it, no page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useModule } from './module.mjs';

/** @import * as types from '../../www/types.js' */
/** @typedef {import('playwright-core').Page} Page */
/**
 * @typedef {{ trace: types.Trace, lab: types.Lab, Engine: typeof types.Engine, photo: (k?: number) => ImageData,
 *   last: <T>(parts: AsyncGenerator<T>) => Promise<T>, refused: (promise: Promise<unknown>) => Promise<string> }} Prepared
 */

const page = useModule(prepare);

/** Runs in the page: what the tests below call. */
async function prepare() {
  const { Engine } = await import(new URL('unpool.js', document.baseURI).href);
  const engine = await Engine.start();
  const net = await engine.load('tiny.safetensors');
  const lab = await engine.lab();
  /** Waves of several directions. */
  const photo = (k = 1) => {
    const made = new ImageData(64, 60);
    made.data.forEach((_, i) => {
      const [channel, x, y] = [i % 4, (i >> 2) % 64, Math.floor(i / 256)];
      const wave = Math.sin((x * k + y * (3 - k)) / 3) * Math.cos(y / (4 + k));
      made.data[i] = channel === 3 ? 255 : 128 + 90 * wave + ((i * 7919 * (k + 3)) % 23);
    });
    return made;
  };
  const trace = await net.run(photo());
  /** @template T @param {AsyncGenerator<T>} parts @returns {Promise<T>} */
  const last = async (parts) => {
    let end;
    for await (const part of parts) end = part;
    return /** @type {T} */ (end);
  };
  Object.assign(window, { Engine, lab, trace, photo, last });
}

test('a layer is inverted, and the layers below it through the recorded switches', async () => {
  const got = await page().evaluate(async () => {
    const { lab, trace, last } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const ista = await last(lab.invert(trace, { layer: 'conv2', method: 'ista', iterations: 40 }));
    const down = await last(lab.invert(trace, { layer: 'conv2', down: 1, iterations: 30, start: 'transpose' }));
    const truth = await trace.activation('pool1');
    return {
      flavour: [lab.flavour, lab.threads > 0],
      done: [ista.done, ista.fraction],
      stage: {
        ...ista.stages[0],
        z: undefined,
        truth: undefined,
        transpose: undefined,
        response: undefined,
        residual: undefined,
      },
      shapes: [ista.stages[0].z.shape, ista.stages[0].truth.shape, ista.stages[0].response.shape],
      nonzero: ista.stages[0].z.data.filter((v) => v !== 0).length,
      truth: ista.stages[0].truth.data.every((v, i) => v === truth.data[i]),
      down: down.stages.map(({ layer, input, z, objective, prior }) => [
        ...[layer, input, z.shape.join('×'), objective.length, prior],
      ]),
      known: down.stages.map(({ known }) => known),
      smooth: down.stages[1].objective,
    };
  });
  assert.deepEqual(got.flavour, ['threads', true]);
  assert.deepEqual(got.done, [true, 1]);
  assert.deepEqual(got.shapes, [
    [8, 16, 16],
    [8, 16, 16],
    [12, 16, 16],
  ]);
  assert.ok(got.truth, 'the true input is the trace’s own');
  const { objective, start, lambda, step, norm2, nonzero, support, diverged } = got.stage;
  assert.equal(objective.length, 40);
  assert.ok(
    objective.every((v, i) => v <= (i ? objective[i - 1] : Number(start)) * (1 + 1e-6)),
    'ISTA descends',
  );
  assert.ok(Math.abs(Number(step) * Number(lambda) * norm2 - 1) < 1e-6);
  assert.equal(nonzero, got.nonzero);
  assert.equal(support, got.nonzero / (8 * 16 * 16));
  assert.equal(diverged, null);
  assert.deepEqual(got.down, [
    ['conv2', 'pool1', '8×16×16', 30, 'sparse'],
    ['conv1', 'data', '3×32×32', 30, 'smooth'],
  ]);
  assert.ok(got.known[0] === 1 && got.known[1] > 0 && got.known[1] < 0.26, `a quarter came through: ${got.known}`);
  assert.ok(
    got.smooth.every((v, i) => !i || v <= got.smooth[i - 1] * (1 + 1e-5)),
    'conjugate gradient descends',
  );
});

test('a step too large is shown diverging, and what makes no sense is refused', async () => {
  const got = await page().evaluate(async () => {
    const { lab, trace, last, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const first = await last(lab.invert(trace, { layer: 'conv1', iterations: 1 }));
    const [{ lambda, step }] = first.stages;
    const wild = {
      lambda: Number(lambda),
      step: 50 * Number(step),
      iterations: 5000,
      method: /** @type {const} */ ('ista'),
    };
    const run = await last(lab.invert(trace, { layer: 'conv1', ...wild }));
    /** @param {any} options */
    const no = (options) => refused(last(lab.invert(trace, options)));
    const aborted = new AbortController();
    aborted.abort();
    return {
      run: [run.done, run.stages[0].diverged, run.stages[0].objective.length],
      no: await Promise.all([
        no({ layer: 'conv1', lambda: 0 }),
        no({ layer: 'conv1', lambda: Number.NaN }),
        no({ layer: 'conv1', iterations: 0 }),
        no({ layer: 'pool1' }),
        no({ layer: 'conv1', down: 1 }),
        no({ layer: 'conv1', method: 'newton' }),
        no({ layer: 'conv1', prior: ['dense'] }),
        no({ layer: 'conv1', prior: 7 }),
        refused(last(lab.invert(trace, { layer: 'conv1' }, { signal: aborted.signal }))),
      ]),
    };
  });
  assert.equal(got.run[0], true);
  assert.match(String(got.run[1]), /diverged: after \d+ iterations/);
  assert.ok(Number(got.run[2]) < 5000);
  const says = [
    /Parameter: lambda/,
    /Parameter: lambda/,
    /Parameter: iterations/,
    /Unsupported: pool1 is no convolution/,
  ];
  for (const [i, says_] of [
    ...says,
    /no more convolutions/,
    /Parameter: method/,
    /Parameter: prior/,
    /Parameter: prior/,
    /Aborted/,
  ].entries())
    assert.match(got.no[i], says_);
});

test('a dictionary is learned, left, gone on with; a photo is coded in it, taken apart, and followed along λ', async () => {
  const got = await page().evaluate(async () => {
    const { lab, photo, last, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const options = { layers: 2, maps: [6, 4], share: [0.05, 0.05], side: 48, epochs: 2, batch: 2, iterations: 5 };
    const photos = [1, 2, 3].map((k) => photo(k));
    const learning = await lab.learn(photos, options);
    for await (const _ of learning.run({ interval: 1 })) break;
    const left = await learning.bytes();
    const end = await last(learning.run());
    const again = await lab.learn(photos, { ...options, from: left });
    const other = await last(again.run());
    const dictionary = await learning.dictionary();
    const reopened = await lab.dictionary(await dictionary.bytes());
    const coding = await reopened.code(photo(2), { iterations: 8 });
    const part = await last(coding.run());
    const levels = await coding.decompose({ layer: 2, most: 5 });
    const drawn = await coding.filters(1);
    const path = await last(reopened.path(photo(2), { count: 5, iterations: 10 }));
    const { data, shape } = await reopened.filters(1);
    const norms = Array.from({ length: 6 }, (_, k) => Math.hypot(...data.slice(49 * k, 49 * k + 49)));
    const grey = { data: new Float32Array(900).map((_, i) => (i * 37) % 11), shape: [1, 30, 30] };
    const colour = { data: new Float32Array(2700).fill(1), shape: [3, 30, 30] };
    const tensor = await last((await reopened.code(grey, { layers: 1, lambda: 'auto' })).run());
    const asItIs = await last((await reopened.code(grey, { layers: 1, normalised: true })).run());
    return {
      end: [end.done, end.layer, end.passes, end.photos, end.filters.shape, end.objective.length],
      other: other.done,
      info: reopened.info.layers.map((l) => l.shape),
      layers: part.layers.map((l) => [l.z.shape, l.reconstruction.shape, Number(l.error) < 1, l.objective.length]),
      levels: levels.map((l) => [l.layer, l.parts.length > 0]),
      drawn: drawn.length,
      points: path.points.map((p) => p.error),
      shape,
      norms,
      tensor: [tensor.image.shape, Number(tensor.layers[0].support)],
      asItIs: [
        asItIs.image.data.every((v, i) => v === grey.data[i]),
        tensor.image.data.every((v, i) => v === grey.data[i]),
      ],
      no: await Promise.all([
        refused(reopened.code(colour)),
        refused(reopened.code(grey, { lambda: -1 })),
        refused(reopened.code(grey, { layers: 5 })),
        refused(reopened.code(grey, { iterations: 0 })),
        refused(reopened.code({ data: new Float32Array(900).fill(Number.NaN), shape: [1, 30, 30] })),
        refused(
          reopened.code({ data: new Float32Array(900).fill(Number.NaN), shape: [1, 30, 30] }, { normalised: true }),
        ),
        refused(reopened.code({ data: new Float32Array([1, 2, 1, 2]), shape: [1, 2, 2] })),
        refused(reopened.code(photo(1), { normalised: true })),
        refused(reopened.code(grey, { lambda: Number.NaN })),
        refused(last(reopened.path(grey, { lambda: [0] }))),
        refused(last(reopened.path(grey, { iterations: 0 }))),
        refused(lab.learn(photos, { ...options, side: 5 })),
        refused(lab.learn(photos, { ...options, epochs: 0 })),
        refused(lab.learn(photos, { ...options, share: [0, 0.1] })),
        refused(lab.learn(photos, { ...options, colour: true, from: left })),
        refused(coding.decompose({ layer: 3 })),
        refused(lab.dictionary(new Uint8Array(40))),
        refused(lab.dictionary('nothing.safetensors')),
        refused(lab.learn([], {})),
        refused(lab.learn([new ImageData(20, 20)], {})),
        refused(lab.learn(photos, { ...options, maps: [7, 4] })),
        refused(lab.learn(photos, { ...options, maps: [9, 4], from: left })),
      ]),
    };
  });
  assert.deepEqual(got.end, [true, 2, 2, 3, [4, 2, 7, 7], 2]);
  assert.equal(got.other, true);
  assert.deepEqual(got.info, [
    [6, 1, 7, 7],
    [4, 2, 7, 7],
  ]);
  assert.deepEqual(got.layers, [
    [[6, 54, 54], [1, 48, 48], true, 8],
    [[4, 33, 33], [1, 48, 48], true, 8],
  ]);
  assert.deepEqual(got.levels, [
    [2, true],
    [1, true],
  ]);
  assert.equal(got.drawn, 6);
  assert.ok(
    got.points.length === 5 && got.points.every((v, i) => !i || v <= got.points[i - 1] + 1e-6),
    `error falls as λ grows: ${got.points}`,
  );
  assert.deepEqual(got.shape, [6, 1, 7, 7]);
  assert.ok(
    got.norms.every((n) => Math.abs(n - 1) < 2e-3),
    `filters of unit norm: ${got.norms}`,
  );
  assert.deepEqual(got.tensor[0], [1, 30, 30]);
  assert.deepEqual(got.asItIs, [true, false]);
  const says = [
    /Shape: .*grey/,
    /Parameter: lambda/,
    /Parameter: .*2 layers/,
    /Parameter: iterations/,
    /Malformed: .*not finite/,
    /Malformed: .*not finite/,
    /Shape: .*larger than/,
    /Parameter: normalised/,
    /Parameter: lambda/,
    /Parameter: lambda/,
    /Parameter: iterations/,
    /Shape: .*larger than/,
    /Parameter: epochs/,
    /Parameter: share/,
    /Parameter: .*other options/,
    /Parameter: .*no layer 3/,
    /Malformed/,
    /Parameter: there is no dictionary/,
    /Parameter: no photo/,
    /Parameter: none of the photos has any contrast/,
    /Parameter: .*divide the filters/,
    /Parameter: .*other options/,
  ];
  for (const [i, expected] of says.entries()) assert.match(got.no[i], expected);
});
