// Training as a script of somebody else's uses it: data of many kinds, runs that learn, pause, resume and diverge, winners; no page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { useModule } from './module.mjs';

/** @import * as types from '../../www/types.js' */
/**
 * @typedef {{ engine: types.Engine, lab: types.Lab, easy: types.TrainingData, experiment: types.WholeExperiment, idx: (n: number, first?: number) => Uint8Array[],
 *   last: <T>(parts: AsyncGenerator<T>) => Promise<T>, refused: (promise: Promise<unknown>) => Promise<string>,
 *   blob: (colour: string, side?: number) => Promise<Blob>, same: (a: Uint8Array, b: Uint8Array) => boolean,
 *   train: (training?: types.Recipe, options?: any) => Promise<types.TrainingRun> }} Prepared
 */

const page = useModule(prepare);

/** Runs in the page: what the tests below call. */
async function prepare() {
  const { Engine } = await import(new URL('unpool.js', document.baseURI).href);
  const engine = await Engine.start();
  const lab = await engine.lab();
  /** Images of 8×8 pixels, one half of them brighter: which one is the class. As IDX files: images, labels. @param {number} n */
  const idx = (n, first = 7) => {
    let state = first;
    const noise = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 25;
    };
    const pixels = Array.from({ length: n * 64 }, (_, p) => noise() + (p % 8 < 4 === (p >> 6) % 2 > 0 ? 0 : 90));
    const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 8, 0, 0, 0, 8, ...pixels);
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, n, ...Array.from({ length: n }, (_, i) => i % 2));
    return [images, labels];
  };
  const [[images, labels], [testImages, testLabels]] = [idx(100), idx(40, 99)];
  const files = [
    { name: 'images', file: images },
    { name: 'labels', file: labels },
    { name: 'test-images', file: testImages },
    { name: 'test-labels', file: new Blob([testLabels]) },
  ];
  const easy = await lab.trainingData({ files, classes: ['left', 'right'] });
  const layers = [
    { name: 'conv1', kind: 'conv', filters: 4, kernel: [3, 3] },
    { name: 'relu1', kind: 'relu' },
    { name: 'pool1', kind: 'max_pool', kernel: [2, 2], stride: [2, 2] },
    { name: 'fc2', kind: 'dense', units: 6 },
    { name: 'relu2', kind: 'relu' },
    { name: 'drop2', kind: 'dropout' },
    { name: 'fc3', kind: 'dense', units: 2 },
    { name: 'prob', kind: 'softmax' },
  ];
  const experiment = {
    network: { name: 'easy', input: { shape: [1, 8, 8], mean: [100], std: [60] }, layers },
    training: { epochs: 3, batch: 20, rate: 0.05, dropout: 0.2, shift: 1 },
  };
  /** @template T @param {AsyncGenerator<T>} parts @returns {Promise<T>} */
  const last = async (parts) => {
    let end;
    for await (const part of parts) end = part;
    return /** @type {T} */ (end);
  };
  /** A picture file of one colour, a little uneven. @param {string} colour */
  const blob = async (colour, side = 12) => {
    const canvas = new OffscreenCanvas(side, side + 3);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.fillStyle = colour;
    context.fillRect(0, 0, side, side + 3);
    context.fillStyle = '#888';
    context.fillRect(0, 0, side, side % 5);
    return canvas.convertToBlob({ type: 'image/png' });
  };
  /** @param {Uint8Array} a @param {Uint8Array} b */
  const same = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);
  const train = (training = {}, options = {}) =>
    lab.train({ ...experiment, training: { ...experiment.training, ...training } }, easy, options);
  Object.assign(window, { engine, lab, easy, experiment, idx, last, blob, same, train });
}

test('sizes are told from the spec alone, and a layer that does not fit is named', async () => {
  const got = await page().evaluate(async () => {
    const { lab, experiment, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const wrong = structuredClone(experiment.network);
    wrong.layers[0].kernel = [9, 9];
    const odd = structuredClone(experiment.network);
    odd.layers[1].kind = 'relo';
    const whole = await lab.experiment('lenet5');
    return {
      sizes: await lab.sizes(experiment.network),
      lenet: (await lab.sizes('lenet5')).reduce((sum, { parameters }) => sum + parameters, 0),
      whole: [whole.network.layers.length > 5, whole.training.batch, whole.training.seed],
      no: await Promise.all([
        refused(lab.sizes(wrong)),
        refused(lab.sizes(odd)),
        refused(lab.sizes('lenet6')),
        refused(lab.sizes(/** @type {any} */ (7))),
        refused(lab.experiment({ network: 'lenet5', training: { rate: 0 } })),
      ]),
    };
  });
  assert.deepEqual(got.sizes[0], { name: 'conv1', kind: 'conv', shape: [4, 6, 6], parameters: 40 });
  assert.deepEqual(got.sizes[3], { name: 'fc2', kind: 'dense', shape: [6, 1, 1], parameters: 6 * 36 + 6 });
  assert.ok(got.lenet > 60_000 && got.lenet < 63_000, `${got.lenet}`);
  assert.deepEqual(got.whole, [true, 128, 1]);
  const says = [
    /Shape: conv1.*fit/,
    /relo/,
    /Parameter: no network.*lenet5/,
    /Parameter: the network/,
    /Parameter: the learning rate is 0/,
  ];
  for (const [i, what] of says.entries()) assert.match(got.no[i], what);
});

test('a run learns, says how, and its network opens in the engine', async () => {
  const got = await page().evaluate(async () => {
    const { engine, easy, train, idx } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const run = await train({ epochs: 6 });
    /** @type {types.TrainingPart[]} */
    const parts = [];
    for await (const part of run.run({ interval: 1 })) parts.push(part);
    const end = /** @type {types.TrainingPart} */ (parts.at(-1));
    const net = await engine.load(await run.model());
    const half = await run.model({ half: true });
    const [images] = idx(20, 5);
    let right = 0;
    for (let i = 0; i < 20; i++) {
      const data = Float32Array.from(images.slice(16 + 64 * i, 80 + 64 * i), (v) => (v - 100) / 60);
      const [{ label }] = await (await net.run({ data, shape: [1, 8, 8] })).top(1);
      right += Number(label === ['left', 'right'][i % 2]);
    }
    const { image, label } = await easy.image(3);
    return {
      info: easy.info,
      experiment: [run.experiment.training.momentum, run.experiment.network.classes, run.layers.length, run.parameters],
      steps: parts.flatMap(({ points }) => points.map(({ step }) => step)),
      batches: [end.batches, end.epoch, end.epochs, end.batch, end.step],
      history: end.history,
      first: parts[0].points[0],
      pace: Math.max(...parts.map(({ imagesPerSecond }) => imagesPerSecond)),
      filters: [end.layer, end.filters?.shape, end.filters?.data.length],
      end: [end.done, end.fraction, end.diverged],
      note: net.info.notes,
      half: half.length < (await run.model()).length,
      right,
      image: [image.width, image.height, image.data[0] === image.data[2], label, image.data[3], images.length],
    };
  });
  assert.deepEqual(got.info, {
    classes: ['left', 'right'],
    train: 100,
    test: 40,
    channels: 1,
    height: 8,
    width: 8,
    skipped: [],
  });
  assert.deepEqual(got.experiment, [0.9, ['left', 'right'], 8, 40 + 222 + 14]);
  assert.deepEqual(
    got.steps,
    Array.from({ length: 30 }, (_, i) => i + 1),
    'every point once',
  );
  assert.deepEqual(got.batches, [5, 6, 6, 0, 30]);
  assert.equal(got.history.length, 6);
  assert.ok(Number(got.history[5].test?.accuracy) > 0.95, JSON.stringify(got.history));
  assert.ok(got.history[5].train.loss < got.history[0].train.loss && got.first.loss > 0);
  assert.ok(got.pace > 0);
  assert.deepEqual(got.filters, ['conv1', [4, 1, 3, 3], 36]);
  assert.deepEqual(got.end, [true, 1, null]);
  assert.match(got.note, /6 epochs, .* % right/);
  assert.ok(got.half && got.right >= 19, `${got.right} of 20`);
  assert.deepEqual(got.image.slice(0, 5), [8, 8, true, 1, 255]);
});

test('the same seed gives the same run, also paused, aborted and gone on with from a checkpoint in the middle', async () => {
  const got = await page().evaluate(async () => {
    const { lab, easy, train, last, same, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const whole = await train();
    await last(whole.run());
    const [model, state] = [await whole.model(), await whole.checkpoint()];
    const other = await train({ seed: 2 });
    await last(other.run());

    const left = await train();
    const look = await left.step(0);
    const part = await left.step(7);
    const middle = await left.checkpoint();
    for await (const _ of left.run({ interval: 1 })) break;
    const aborted = new AbortController();
    const going = last(left.run({ signal: aborted.signal }));
    aborted.abort();
    const told = await refused(going);
    await last(left.run());

    const again = await train({}, { from: middle });
    const first = await again.step();
    await last(again.run());
    const own = await lab.train(null, easy, { from: middle });
    await last(own.run());
    const started = await train({ epochs: 1 }, { weights: model });
    const { history } = await last(started.run());
    // Behind the last batch of an epoch its test.
    const stepped = await train();
    const epoch = await stepped.step(5);
    return {
      same: [same(await left.model(), model), same(await again.model(), model), same(await own.model(), model)],
      state: [state.length, (await again.checkpoint()).length],
      shorter: middle.length < state.length,
      other: same(await other.model(), model),
      look: [look.step, look.points.length, look.filters?.data.length, look.done],
      part: [part.epoch, part.batch, part.step, part.points.length],
      first: [first.epoch, first.batch, first.step, first.history.length, first.points.map(({ step }) => step)],
      told,
      weights: history[0].train.accuracy,
      epoch: [epoch.epoch, epoch.batch, epoch.history.length],
    };
  });
  assert.deepEqual(got.same, [true, true, true]);
  assert.ok(Math.abs(got.state[0] - got.state[1]) < 200, 'the two differ in seconds only');
  assert.equal(got.shorter, true);
  assert.equal(got.other, false);
  assert.deepEqual(got.look, [0, 0, 36, false]);
  assert.deepEqual(got.part, [1, 2, 7, 7]);
  assert.deepEqual(got.first, [1, 3, 8, 1, [8]]);
  assert.match(got.told, /^Aborted/);
  assert.ok(got.weights > 0.9, 'it starts where the other ended');
  assert.deepEqual(got.epoch, [1, 0, 1]);
});

test('the rate and the number of epochs are changed on the way; a run that diverges says so and keeps its last good state', async () => {
  const got = await page().evaluate(async () => {
    const { train, last, same, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const run = await train({ schedule: { kind: 'step', every: 2, factor: 0.5 } });
    await run.step(5);
    await run.setRate(0.02);
    const slow = await run.step();
    await run.setEpochs(4);
    const end = await last(run.run());
    const good = await run.model();
    await run.setEpochs(6);
    await run.setRate(1e30);
    const lost = await last(run.run());
    const kept = await run.model();
    await run.setRate(0.01);
    const back = await last(run.run());
    return {
      rates: [slow.rate, ...end.history.map(({ rate }) => rate)],
      epochs: [end.epochs, end.epoch],
      no: [await refused(run.setRate(0)), await refused(run.setRate(Number.NaN)), await refused(run.setEpochs(0))],
      lost: [lost.done, lost.diverged, lost.epoch, same(kept, good)],
      back: [back.done, back.diverged, back.epoch, Number(back.history[5].test?.accuracy) > 0.9],
    };
  });
  for (const [i, rate] of [0.02, 0.05, 0.02, 0.01, 0.01].entries())
    assert.ok(Math.abs(got.rates[i] - rate) < 1e-6, `${got.rates}`);
  assert.deepEqual(got.epochs, [4, 4]);
  assert.match(got.no[0], /Parameter: the learning rate is 0/);
  assert.match(got.no[1], /Parameter: rate/);
  assert.match(got.no[2], /Parameter: epochs/);
  assert.deepEqual([got.lost[0], got.lost[2], got.lost[3]], [false, 4, true]);
  assert.match(String(got.lost[1]), /diverged at step \d+.*state after epoch 4 is kept.*lower learning rate/);
  assert.deepEqual(got.back, [true, null, 6, true]);
});

test('a checkpoint of another network or other data, damaged files and closed things are refused', async () => {
  const got = await page().evaluate(async () => {
    const { lab, easy, experiment, train, idx, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const run = await train();
    const state = await run.checkpoint();
    const wider = structuredClone(experiment);
    wider.network.layers[0].filters = 5;
    const three = structuredClone(experiment);
    three.network.layers[6].units = 3;
    const colour = structuredClone(experiment);
    colour.network.input = { shape: [3, 8, 8], mean: [100, 100, 100], std: [60, 60, 60], order: 'rgb' };
    const unfinished = structuredClone(experiment);
    unfinished.network.layers.pop();
    const [images, labels] = idx(60, 3);
    const other = await lab.trainingData({
      files: [
        { name: 'a', file: images },
        { name: 'b', file: labels },
      ],
    });
    const damaged = state.slice(0, state.length - 9);
    const model = await run.model();
    const closed = await train();
    closed.close();
    const gone = await lab.trainingData({
      files: [
        { name: 'a', file: images },
        { name: 'b', file: labels },
      ],
    });
    gone.close();
    return Promise.all([
      refused(lab.train(wider, easy, { from: state })),
      refused(lab.train(experiment, other, { from: state })),
      refused(lab.train(null, easy, { from: damaged })),
      refused(lab.train(null, easy, { from: model })),
      refused(lab.train(experiment, easy, { from: state, weights: model })),
      refused(lab.train(experiment, easy, { weights: state })),
      refused(lab.train(three, easy)),
      refused(lab.train(colour, easy)),
      refused(lab.train(unfinished, easy)),
      refused(lab.train(null, easy)),
      refused(lab.train(experiment, /** @type {any} */ ({}))),
      refused(closed.step()),
      refused(gone.image(0)),
      refused(easy.image(100)),
      refused(run.projections({ layer: 'conv9', maps: [0] })),
      refused(run.projections({ layer: 'conv1', maps: [4] })),
    ]);
  });
  const says = [
    /Parameter: the checkpoint is of another network/,
    /Parameter: the checkpoint was made with other data/,
    /Malformed/,
    /Unsupported: this is no checkpoint/,
    /Parameter: from and weights exclude each other/,
    /Unsupported: .*no `spec`/,
    /Shape: the network has 3 outputs, the data 2 classes/,
    /accepted/, // of one channel all three are made
    /Unsupported: .*softmax/,
    /Parameter: the network/,
    /Parameter: the data must be what Lab.trainingData/,
    /Parameter: this training was closed/,
    /Parameter: this data was closed/,
    /Parameter: there are 100 images, no number 100/,
    /Parameter: .*conv9/,
    /Parameter: conv1 has maps 0 to 3, there is no map 4/,
  ];
  for (const [i, what] of says.entries()) assert.match(got[i], what);
});

test('labelled folders: sizes are mixed, broken files are named and left out, what cannot be learned from is refused', async () => {
  const got = await page().evaluate(async () => {
    const { lab, experiment, blob, last, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const files = [];
    for (let i = 0; i < 20; i++) {
      files.push({ name: `mine/red/${i}.png`, photo: await blob('#d22', 8 + i) });
      files.push({ name: `mine/blue/${i}.png`, photo: await blob('#23d', 30 - i) });
    }
    const whole = await files[3].photo.arrayBuffer();
    files.push({ name: 'mine/red/cut.png', photo: new Blob([whole.slice(0, 60)]) });
    files.push({ name: 'mine/red/notes.txt', photo: new Blob(['no picture']) });
    files.push({ name: 'mine/readme.md', photo: new Blob(['no picture']) });
    files.push({ name: 'mine/.hidden/x.png', photo: files[0].photo });
    const shape = /** @type {[number, number, number]} */ ([3, 8, 8]);
    let told = 0;
    const data = await lab.trainingData(
      { folders: files, shape },
      {
        onprogress: (done) => {
          told = done;
        },
      },
    );
    const none = await lab.trainingData({ folders: files, shape, hold: 0 });
    const colour = structuredClone(experiment);
    colour.network.input = { shape, mean: [128, 128, 128], std: [64, 64, 64], order: 'rgb' };
    const run = await lab.train({ ...colour, training: { ...colour.training, batch: 8, epochs: 5 } }, data);
    const { history } = await last(run.run());
    /** @param {any} folders @param {any} [more] */
    const no = (folders, more) => refused(lab.trainingData({ folders, shape, ...more }));
    const red = files.filter(({ name }) => name.includes('/red/'));
    const broken = [red[0], { name: 'mine/blue/b.png', photo: new Blob(['nothing']) }];
    return {
      info: data.info,
      told,
      none: [none.info.train, none.info.test],
      accuracy: history[4].test?.accuracy,
      no: [
        await no([]),
        await no(red),
        await no(broken),
        await no([{ name: 'loose.png', photo: red[0].photo }]),
        await no(files, { shape: [5, 8, 8] }),
        await no(files, { shape: [3, 0, 8] }),
        await no(files, { hold: 0.9 }),
        await no([{ name: 'a/b.png', photo: 'text' }]),
        await refused(lab.trainingData(/** @type {any} */ ({}))),
      ],
    };
  });
  const { skipped, ...info } = got.info;
  assert.deepEqual(info, { classes: ['blue', 'red'], train: 36, test: 4, channels: 3, height: 8, width: 8 });
  assert.deepEqual(skipped.map(({ name }) => name).sort(), ['readme.md', 'red/cut.png', 'red/notes.txt']);
  assert.match(String(skipped.find(({ name }) => name === 'red/cut.png')?.why), /cut short|damaged/);
  assert.match(String(skipped.find(({ name }) => name === 'readme.md')?.why), /no folder of a class/);
  assert.equal(got.told, 42);
  assert.deepEqual(got.none, [40, 0]);
  assert.equal(got.accuracy, 1);
  const says = [
    /Parameter: there are pictures of 0 classes; at least two/,
    /Parameter: there are pictures of 1 class; at least two.*2 files were skipped, the first is red\/cut.png/,
    /Parameter: there are pictures of 1 class; .*blue\/b.png/,
    /Parameter: there are pictures of 0 classes.*loose.png/,
    /Shape: .*1 or 3 channels/,
    /Parameter: shape\[1\]/,
    /Parameter: hold/,
    /Parameter: a\/b.png/,
    /Parameter: the data must be/,
  ];
  for (const [i, what] of says.entries()) assert.match(got.no[i], what);
});

test('photos without labels teach rotations; broken ones are named', async () => {
  const got = await page().evaluate(async () => {
    const { lab, experiment, blob, last, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const shape = /** @type {[number, number, number]} */ ([3, 8, 8]);
    const photos = await Promise.all(Array.from({ length: 10 }, (_, i) => blob(`hsl(${36 * i} 70% 50%)`, 10 + i)));
    const list = [...photos.slice(0, 9), { name: 'broken.jpg', photo: new Blob(['nothing']) }, photos[9], 'gone.webp'];
    const data = await lab.trainingData({ photos: list, shape });
    const turned = structuredClone(experiment);
    turned.network.input = { shape, mean: [128, 128, 128], std: [64, 64, 64], order: 'rgb' };
    const two = structuredClone(turned);
    turned.network.layers[6].units = 4;
    Object.assign(turned.training, { task: 'rotations', windows: 2, epochs: 1 });
    const run = await lab.train(turned, data);
    const end = await last(run.run());
    return {
      info: data.info,
      end: [end.done, end.history.length, end.batches],
      no: [
        await refused(lab.trainingData({ photos: [], shape })),
        await refused(lab.trainingData({ photos: [new Blob(['nothing'])], shape })),
        await refused(lab.train(two, data)),
      ],
    };
  });
  assert.deepEqual([got.info.train, got.info.test], [18, 2]);
  assert.equal(got.info.classes.length, 4);
  assert.equal(got.info.skipped[0].name, 'broken.jpg');
  assert.match(got.info.skipped[1].name, /gone\.webp$/);
  assert.match(got.info.skipped[1].why, /no photo/);
  assert.deepEqual(got.end, [true, 1, 2]);
  assert.match(got.no[0], /Parameter: there is no image to train on/);
  assert.match(got.no[1], /Parameter: there is no image to train on; 1 files were skipped, the first is photo 1/);
  assert.match(got.no[2], /Shape: the network has 2 outputs, the data 4 classes/);
});

test('sets and files in MNIST’s form are read packed and plain, and refused where they do not belong together', async () => {
  const files = await page().evaluate(async () => {
    const { idx } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    return [...idx(30), ...idx(10)].map((bytes) => [...bytes]);
  });
  const [images, labels, testImages, testLabels] = files.map((bytes) => Buffer.from(bytes));
  const names = ['train-images', 'train-labels', 'test-images', 'test-labels'];
  await page().route(/\/(whole|partly)\//, (route) => {
    const [, set, name] = /** @type {string[]} */ (/(whole|partly)\/(.+)$/.exec(route.request().url()));
    const i = names.indexOf(name.replace('.idx.gz', ''));
    if (name === 'classes.txt' && set === 'whole') return route.fulfill({ body: 'left\nright\n' });
    if (i < 0 || (set === 'partly' && i === 3)) return route.fulfill({ status: 404, body: '' });
    return route.fulfill({ body: gzipSync([images, labels, testImages, testLabels][i]) });
  });
  const packed = [...gzipSync(images)];
  const got = await page().evaluate(
    async ({ packed, images, labels }) => {
      const { lab, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
      const file = (/** @type {string} */ name, /** @type {number[]} */ bytes) => ({
        name,
        file: Uint8Array.from(bytes),
      });
      const all = [file('a.idx', labels), file('b.gz', packed)];
      /** @type {number[][]} */
      const told = [];
      const set = await lab.trainingData({ set: 'whole' }, { onprogress: (...now) => told.push(now) });
      const held = await lab.trainingData({ files: all, hold: 0.2 });
      /** @param {any} source */
      const no = (source) => refused(lab.trainingData(source));
      return {
        set: set.info,
        told: told.at(-1),
        held: held.info,
        no: [
          await no({ set: 'partly' }),
          await no({ files: [file('a.idx', labels)] }),
          await no({ files: [...all, file('c.idx', images)] }),
          await no({ files: [file('a.idx', labels), file('b.gz', packed.slice(0, 50))] }),
          await no({ files: [file('a.idx', labels.slice(0, 20)), file('b.gz', packed)] }),
          await no({ files: [file('a.idx', [0, 0, 8, 1, 0, 0, 0, 1, 0]), file('b.gz', packed)] }),
          await no({ files: [file('letter.txt', [72, 101, 108, 108, 111])] }),
          await no({ files: [] }),
          await no({ files: all, classes: ['one'] }),
        ],
      };
    },
    { packed, images: [...images], labels: [...labels] },
  );
  await page().unroute(/\/(whole|partly)\//);
  assert.deepEqual(got.set, {
    classes: ['left', 'right'],
    train: 30,
    test: 10,
    channels: 1,
    height: 8,
    width: 8,
    skipped: [],
  });
  assert.ok(got.told && got.told[0] > 0 && got.told[0] <= got.told[1]);
  assert.deepEqual([got.held.train, got.held.test, got.held.classes], [24, 6, ['0', '1']]);
  const says = [
    /Parameter: there is no training data at .*test-labels/,
    /Parameter: there are no training images to go with a.idx/,
    /Parameter: b.gz and c.idx both hold training images/,
    /Malformed: b.gz is damaged/,
    /Malformed: a.idx/,
    /Shape: images of .* do not belong together/,
    /Malformed: letter.txt/,
    /Parameter: there are no images to train on/,
    /Shape: 1 class names, but there is a label 1/,
  ];
  for (const [i, what] of says.entries()) assert.match(got.no[i], what);
});

test('winners are those of a search by brute force in the engine, and their projections its projections', async () => {
  const got = await page().evaluate(async () => {
    const { engine, lab, easy, train, last, idx, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const run = await train();
    await last(run.run());
    const model = await run.model();
    const options = { layer: 'pool1', maps: [3, 0, 1], images: 60 };
    const part = await last(lab.evolve(model, easy, options, { interval: 1 }));
    const live = await run.projections(options);

    const net = await engine.load(model);
    const [images] = idx(100);
    const traces = [];
    for (let i = 0; i < 60; i++) {
      const data = Float32Array.from(images.slice(16 + 64 * i, 80 + 64 * i), (v) => (v - 100) / 60);
      traces.push(await net.run({ data, shape: [1, 8, 8] }));
    }
    const want = [];
    for (const map of options.maps) {
      const best = { map, image: -1, label: -1, at: [0, 0], value: Number.NEGATIVE_INFINITY };
      for (const [i, trace] of traces.entries()) {
        const { data, shape } = await trace.map('pool1', map);
        const width = Number(shape.at(-1));
        for (const [p, value] of data.entries())
          if (value > best.value)
            Object.assign(best, { image: i, label: i % 2, at: [Math.floor(p / width), p % width], value });
      }
      const at = /** @type {[number, number]} */ (best.at);
      const { data, receptiveField } = await traces[best.image].project({ layer: 'pool1', map, at });
      want.push({ ...best, receptiveField, data: [...data] });
    }
    const [cell] = part.cells;
    // The patch is the image's own pixels where the receptive field lies.
    const { image } = await easy.image(cell.image);
    const [y0, x0] = cell.receptiveField;
    const patch = cell.patch.data[0] === image.data[4 * (8 * y0 + x0)];
    const shown = (
      /** @type {types.EvolutionCell} */ { map, image, label, at, value, receptiveField, projection },
    ) => ({
      ...{ map, image, label, at, value, receptiveField },
      data: [...projection.data],
    });
    return {
      want,
      cells: part.cells.map(shown),
      live: live.map(shown),
      winners: part.winners.map(({ image }) => image),
      rest: [part.images, part.done, part.fraction],
      pictures: [cell.shape, cell.patch.width, cell.picture.height, cell.contrast >= 1, patch],
      all: (await last(lab.evolve(model, easy, { layer: 'conv1', maps: [0] }))).images,
      no: [
        await refused(last(lab.evolve(model, easy, { layer: 'pool1', maps: [9] }))),
        await refused(last(lab.evolve('nowhere.safetensors', easy, options))),
        await refused(last(lab.evolve(model, easy, { ...options, images: 0 }))),
      ],
    };
  });
  assert.equal(got.cells.length, 3);
  for (const cells of [got.cells, got.live])
    for (const [i, { data, ...cell }] of cells.entries()) {
      const { data: wanted, ...want } = got.want[i];
      assert.deepEqual({ ...cell, value: 0 }, { ...want, value: 0 });
      const most = Math.max(...wanted.map(Math.abs));
      assert.ok(Math.abs(cell.value - want.value) <= 1e-5 * Math.abs(want.value), `${cell.value}, ${want.value}`);
      assert.ok(data.every((v, p) => Math.abs(v - wanted[p]) <= 1e-5 * most));
    }
  assert.deepEqual(
    got.winners,
    got.cells.map(({ image }) => image),
  );
  assert.deepEqual(got.rest, [60, true, 1]);
  assert.deepEqual(got.pictures, [[4, 4], 4, 4, true, true]);
  assert.equal(got.all, 100);
  assert.match(got.no[0], /Parameter: pool1 has maps 0 to 3/);
  assert.match(got.no[1], /Parameter: there is no model/);
  assert.match(got.no[2], /Parameter: images/);
});
