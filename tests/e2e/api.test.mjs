// The JavaScript module as a script of somebody else's uses it: no page, only dist/unpool.js.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { useBrowser } from './browser.mjs';
import { model, spec } from './model.mjs';
import { blank } from './module.mjs';
import { host } from './server.mjs';

/** @import * as types from '../../www/types.js' */
/** @typedef {import('playwright-core').Page} Page */

/** One host with isolation headers, one without. @type {Record<string, import('./server.mjs').Host>} */
const sites = {};

useBrowser();

before(async () => {
  sites.isolated = await host({ isolated: true });
  sites.plain = await host();
});
after(async () => {
  for (const site of Object.values(sites)) await site.stop();
});

/**
 * An empty page beside the module, with an engine, the small network and an input as globals of its own.
 * @param {import('node:test').TestContext} t @param {{ isolated?: boolean }} [options]
 * @returns {Promise<Page>}
 */
async function open(t, { isolated = true } = {}) {
  const site = isolated ? sites.isolated : sites.plain;
  const page = await blank(site, prepare, { isolated });
  t.after(() => page.close());
  return page;
}

/** Runs in the page: what the tests below call. */
async function prepare() {
  const { Engine } = await import(new URL('unpool.js', document.baseURI).href);
  /** A photo-like input: smooth, with some noise. @param {number} [phase] */
  const input = (phase = 0) => ({
    data: new Float32Array(3 * 32 * 32).map((_, i) => 80 * Math.sin(i / 7 + phase) + ((i * 7919) % 13)),
    shape: [3, 32, 32],
  });
  Object.assign(window, { Engine, input });
}

/**
 * @typedef {{ Engine: typeof types.Engine, input: (phase?: number) => types.Tensor, refused: (promise: Promise<unknown>) => Promise<string> }} Prepared
 */

for (const isolated of [true, false]) {
  test(`load, run and every question, ${isolated ? 'threads' : 'one thread'}`, async (t) => {
    const page = await open(t, { isolated });
    const out = await page.evaluate(async () => {
      const { Engine, input } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
      const engine = await Engine.start();
      /** @type {number[][]} */
      const progress = [];
      const net = await engine.load('tiny.safetensors', { onprogress: (done, total) => progress.push([done, total]) });
      const trace = await net.run(input());
      const options = { layer: 'relu2', map: 3 };
      const projection = await trace.project(options);
      const activation = await trace.activation('relu2');
      const map = await trace.map('relu2', 3);
      const thumbnails = await trace.thumbnails('relu2', 8);
      const way = await trace.way(options);
      const step = await trace.step(options, 'relu1', way[3].strongest);
      return {
        engine: { flavour: engine.flavour, threads: engine.threads, reason: engine.reason, why: engine.why },
        progress: progress.at(-1),
        info: net.info,
        shapes: trace.shapes,
        photo: trace.photo,
        milliseconds: trace.milliseconds,
        top: await trace.top(),
        maps: await trace.maps('relu2'),
        activation: { shape: activation.shape, data: [...activation.data] },
        map: { shape: map.shape, data: [...map.data] },
        thumbnails: { shape: thumbnails.shape, data: [...thumbnails.data] },
        field: await trace.receptiveField('relu2', [0, 0]),
        unit: await trace.unitAt('relu2', 3, [16, 16]),
        projection: { ...projection, data: [...projection.data] },
        way: way.map((part) => ({ ...part, extent: [...part.extent] })),
        step: {
          ...step,
          data: [...step.data],
          pooled: step.pooled && { ...step.pooled, data: [...step.pooled.data], switches: [...step.pooled.switches] },
        },
        filters: (await net.filters('conv1')).shape,
      };
    });
    assert.equal(out.engine.flavour, isolated ? 'threads' : 'single');
    assert.equal(out.engine.why, isolated ? 'isolated' : 'not-isolated');
    assert.match(out.engine.reason, isolated ? /^\d+ threads: .+\.$/ : /^One thread: .+\.$/);
    assert.ok(isolated ? out.engine.threads > 1 : out.engine.threads === 1);
    assert.deepEqual(out.progress, [model().length, model().length]);
    assert.equal(out.info.title, 'Tiny');
    assert.deepEqual(out.info.input, { ...spec.input, std: [] });
    assert.deepEqual(
      out.info.layers.map((layer) => layer.name),
      spec.layers.map((layer) => layer.name),
    );
    assert.deepEqual(out.shapes.pool1, [8, 16, 16]);
    assert.deepEqual(out.shapes.data, [3, 32, 32]);
    assert.equal(out.photo, null);
    assert.ok(out.milliseconds > 0);
    assert.equal(out.top.length, 5);
    assert.ok(Math.abs(out.top.reduce((sum, { p }) => sum + p, 0) - 1) < 1e-5);
    assert.ok(out.top.every(({ p }, i) => i === 0 || p <= out.top[i - 1].p));
    assert.ok(spec.classes.includes(out.top[0].label));
    // The summary of a map is that of its numbers, whichever way one asks.
    const plane = out.activation.data.slice(3 * 256, 4 * 256);
    assert.deepEqual(out.map, { shape: [16, 16], data: plane });
    const peak = Math.max(...plane);
    const [y, x] = out.maps[3].at;
    assert.deepEqual([out.maps[3].map, out.maps[3].peak, plane[y * 16 + x]], [3, peak, peak]);
    assert.ok(peak > 0);
    assert.deepEqual(out.thumbnails.shape, [12, 8, 8]);
    assert.equal(Math.max(...out.thumbnails.data.slice(3 * 64, 4 * 64)), 255);
    assert.deepEqual(out.field, [-3, -3, 6, 6]);
    assert.ok(
      out.unit.at.every((side) => side >= 6 && side <= 9),
      String(out.unit.at),
    );
    assert.deepEqual(out.projection.at, [y, x]);
    assert.deepEqual([out.projection.value, out.projection.units, out.projection.rule], [peak, 1, 'deconvnet']);
    assert.deepEqual(out.projection.shape, [3, 32, 32]);
    const [y0, x0, y1, x1] = out.projection.receptiveField;
    const outside = out.projection.data.filter((value, i) => {
      const [row, column] = [Math.floor((i % 1024) / 32), i % 32];
      return value !== 0 && !(row >= y0 && row < y1 && column >= x0 && column < x1);
    });
    assert.deepEqual(outside, []);
    assert.ok(out.projection.data.some((value) => value < 0) && out.projection.data.some((value) => value > 0));
    assert.deepEqual(
      out.way.map((part) => `${part.operation} ${part.layer}`),
      ['seed relu2', 'rectify conv2', 'filter pool1', 'unpool relu1', 'rectify conv1', 'filter data'],
    );
    assert.ok(
      Math.abs(out.step.data.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0) - out.way[3].peak) < 1e-6,
    );
    assert.equal(out.step.pooled?.layer, 'pool1');
    assert.equal(out.step.pooled.switches.length, 2 * out.step.pooled.data.length);
    assert.deepEqual(out.filters, [8, 3, 3, 3]);
  });
}

test('both flavours give the same numbers', async (t) => {
  const page = await open(t);
  const worst = await page.evaluate(async () => {
    const { Engine, input } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    /** @type {number[][]} */
    const results = [];
    for (const threads of [1, 2]) {
      const engine = await Engine.start({ threads });
      const trace = await (await engine.load('tiny.safetensors')).run(input());
      const guided = await trace.project({ layer: 'fc', map: 2, rule: 'guided', unpool: 'centre' });
      results.push([...(await trace.activation('fc')).data, ...guided.data]);
      engine.stop();
    }
    const largest = Math.max(...results[0].map(Math.abs));
    return Math.max(...results[0].map((value, i) => Math.abs(value - results[1][i]))) / largest;
  });
  assert.ok(worst < 1e-6, `largest difference ${worst} of the maximum`);
});

test('arrays are the caller’s own, those handed in and those handed out', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine, input } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const engine = await Engine.start();
    const bytes = new Uint8Array(await (await fetch('tiny.safetensors')).arrayBuffer());
    const net = await engine.load(bytes);
    const given = input();
    const trace = await net.run(given);
    const first = await trace.activation('conv1');
    const kept = [...first.data.slice(0, 10)];
    first.data.fill(NaN);
    const second = await trace.activation('conv1');
    await net.run(input(1));
    await (await engine.load(bytes)).run(input(2));
    return {
      bytes: bytes.length,
      given: given.data.length,
      shared: second.data.buffer instanceof ArrayBuffer,
      same: kept.every((value, i) => value === second.data[i]),
    };
  });
  assert.deepEqual(out, { bytes: model().length, given: 3 * 32 * 32, shared: true, same: true });
});

test('photos: Blob, ImageBitmap and ImageData give the same numbers', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const canvas = new OffscreenCanvas(90, 60);
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no canvas');
    for (let i = 0; i < 90; i++) {
      context.fillStyle = `rgb(${i * 2} ${255 - i} ${(i * i) % 256})`;
      context.fillRect(i, 0, 1, 60);
    }
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    const pixels = context.getImageData(0, 0, 90, 60);
    const net = await (await Engine.start()).load('tiny.safetensors');
    const traces = [];
    for (const source of [blob, await createImageBitmap(blob), pixels]) traces.push(await net.run(source));
    /** @type {number[][]} */
    const data = [];
    for (const trace of traces) data.push([...(await trace.activation('data')).data]);
    return {
      usable: pixels.data.length,
      photo: [traces[0].photo?.width, traces[0].photo?.height],
      // Blue comes first in this network: (pixel - 104), in the photo it is last.
      blue: Number(traces[0].photo?.data[4 * 500 + 2]) - 104,
      first: data[0][500],
      same: data.every((values) => values.every((value, i) => value === data[0][i])),
    };
  });
  assert.deepEqual(out, { usable: 90 * 60 * 4, photo: [32, 32], blue: out.first, first: out.first, same: true });
});

test('one pixel, an animation and the inks of print are taken in, each as what it is', async (t) => {
  const page = await open(t);
  const names = ['quarters.png', 'animated.png', 'animated.webp', 'cmyk.jpg'];
  const files = names.map((name) => [...readFileSync(new URL(`../cli/data/${name}`, import.meta.url))]);
  const out = await page.evaluate(async (files) => {
    const { Engine } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const net = await (await Engine.start()).load('tiny.safetensors');
    const photos = [];
    for (const bytes of files) {
      const { photo } = await net.run(new Blob([new Uint8Array(bytes)]));
      photos.push([photo?.width, photo?.height, ...(photo?.data ?? [])]);
    }
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext('2d');
    if (context) context.fillStyle = '#c81e28';
    context?.fillRect(0, 0, 1, 1);
    const pixel = await net.run(await canvas.convertToBlob({ type: 'image/png' }));
    return { photos, pixel: [...(pixel.photo?.data ?? [])], top: (await pixel.top(1)).length };
  }, files);
  const [plain, ...others] = out.photos;
  assert.deepEqual(plain.slice(0, 6), [32, 32, 200, 30, 40, 255]);
  // The first frame, to the last bit; the inks nearly, for a JPEG blurs where colours meet.
  for (const i of [0, 1]) assert.deepEqual(others[i], plain, names[i + 1]);
  const off = others[2].map((value, i) => Math.abs(Number(value) - Number(plain[i])));
  const apart = off.reduce((sum, value) => sum + value, 0) / plain.length;
  t.diagnostic(`CMYK: ${apart.toFixed(1)} levels off on average`);
  assert.ok(apart < 30, `${apart}`);
  assert.deepEqual([out.pixel.slice(0, 4), out.pixel.slice(-4), out.top], [[200, 30, 40, 255], [200, 30, 40, 255], 1]);
});

test('a sideways photo is turned, a transparent one lies on white, a large one is taken in', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const net = await (await Engine.start()).load('tiny.safetensors');
    /** @param {number} width @param {number} height @param {(context: OffscreenCanvasRenderingContext2D) => void} draw @param {string} type */
    const drawn = (width, height, draw, type) => {
      const canvas = new OffscreenCanvas(width, height);
      draw(/** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d')));
      return canvas.convertToBlob({ type });
    };
    // Left half black, right half white; orientation 6: the camera was held so that its left is up.
    const plain = await drawn(
      64,
      64,
      (context) => {
        context.fillStyle = '#fff';
        context.fillRect(32, 0, 32, 64);
      },
      'image/jpeg',
    );
    const exif = [
      0xff,
      0xe1,
      0,
      34,
      ...new TextEncoder().encode('Exif\0\0MM\0*'),
      0,
      0,
      0,
      8,
      0,
      1,
      1,
      0x12,
      0,
      3,
      0,
      0,
      0,
      1,
      0,
      6,
      0,
      0,
      0,
      0,
      0,
      0,
    ];
    const bytes = new Uint8Array(await plain.arrayBuffer());
    const sideways = new Blob([bytes.slice(0, 2), new Uint8Array(exif), bytes.slice(2)], { type: 'image/jpeg' });
    const turned = (await net.run(sideways)).photo;
    const clear = (await net.run(await drawn(32, 32, () => {}, 'image/png'))).photo;
    const begun = performance.now();
    const large = await net.run(await drawn(8660, 5774, (context) => context.fillRect(0, 0, 8660, 5774), 'image/jpeg'));
    return {
      turned: [turned?.data[4 * (4 * 32 + 16)], turned?.data[4 * (28 * 32 + 16)]],
      clear: [...(clear?.data.slice(0, 4) ?? [])],
      large: [large.photo?.width, large.photo?.data[0]],
      seconds: (performance.now() - begun) / 1000,
    };
  });
  t.diagnostic(`50 megapixels, encoding included: ${out.seconds.toFixed(1)} s`);
  assert.ok(Number(out.turned[0]) < 10 && Number(out.turned[1]) > 245, String(out.turned));
  assert.deepEqual(out.clear, [255, 255, 255, 255]);
  assert.deepEqual(out.large, [32, 0]);
});

test('every kind of error crosses as an Error of that name, and the engine goes on', async (t) => {
  const page = await open(t);
  const files = {
    nan: [...model({ fill: (value, i) => (i === 5 ? Number.NaN : value) })],
    misfit: [...model({ shapes: { 'conv2.weight': [12, 7, 3, 3] } })],
    cut: [...model().slice(0, 20_000)],
    unknown: [...model({ spec: { ...spec, layers: [{ name: 'x', kind: 'attention' }] } })],
  };
  const out = await page.evaluate(async (files) => {
    const { Engine, input, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const engine = await Engine.start();
    const net = await engine.load('tiny.safetensors');
    const trace = await net.run(input());
    const canvas = new OffscreenCanvas(400, 400);
    canvas.getContext('2d')?.fillRect(50, 50, 300, 300);
    const png = await canvas.convertToBlob({ type: 'image/png' });
    const jpeg = await canvas.convertToBlob({ type: 'image/jpeg' });
    // A PNG header that announces 20000 x 20000 pixels: refused before anything is decoded.
    const huge = new Uint8Array(await png.arrayBuffer());
    new DataView(huge.buffer).setUint32(16, 20000);
    new DataView(huge.buffer).setUint32(20, 20000);
    const wild = /** @type {any} */ (trace);
    const nan = input();
    nan.data[77] = Number.NaN;
    const closed = await net.run(input());
    closed.close();
    /** @type {Record<string, string>} */
    const said = {
      'a model that is text': await refused(engine.load(new Blob(['<!doctype html><p>not here']))),
      'an empty model': await refused(engine.load(new Uint8Array(0))),
      'a truncated model': await refused(engine.load(new Uint8Array(files.cut))),
      'NaN weights': await refused(engine.load(new Uint8Array(files.nan))),
      'weights that do not fit': await refused(engine.load(new Uint8Array(files.misfit))),
      'an unknown layer kind': await refused(engine.load(new Uint8Array(files.unknown))),
      'a missing model': await refused(engine.load('nothing.safetensors')),
      'a model of the wrong type': await refused(engine.load(/** @type {any} */ (42))),
      'a picture that is text': await refused(net.run(new Blob(['hello, this is not a picture at all']))),
      'a truncated JPEG': await refused(net.run(jpeg.slice(0, jpeg.size / 2))),
      'a truncated PNG': await refused(net.run(png.slice(0, png.size - 9))),
      'a huge picture': await refused(net.run(new Blob([huge]))),
      'a NaN input': await refused(net.run(nan)),
      'values that do not fill the shape': await refused(net.run({ data: new Float32Array(5), shape: [3, 32, 32] })),
      'a batch': await refused(net.run({ data: new Float32Array(6), shape: [2, 3, 1, 1] })),
      'another number of channels': await refused(net.run({ data: new Float32Array(1024), shape: [1, 32, 32] })),
      'sides the dense layer cannot take': await refused(
        net.run({ data: new Float32Array(3 * 64 * 64), shape: [3, 64, 64] }),
      ),
      'no input': await refused(net.run(/** @type {any} */ (null))),
      'an unknown layer': await refused(trace.activation('relu3')),
      'an unknown map': await refused(trace.map('relu2', 12)),
      'a position outside': await refused(trace.project({ layer: 'relu2', map: 0, at: [16, 0] })),
      'a negative map': await refused(trace.map('relu2', -1)),
      'a fraction': await refused(trace.receptiveField('relu2', [1.5, 0])),
      'an unknown rule': await refused(wild.project({ layer: 'relu2', map: 0, rule: 'magic' })),
      'two seeds': await refused(trace.project({ layer: 'relu2', map: 0, at: [1, 1], strongest: 4 })),
      'no layer': await refused(wild.project({ map: 0 })),
      'filters of a ReLU': await refused(net.filters('relu1')),
      'a step off the way': await refused(trace.step({ layer: 'relu1', map: 0 }, 'relu2', 0)),
      'a closed trace': await refused(closed.top()),
      'threads: 0': await refused(Engine.start({ threads: 0 })),
    };
    const again = await (await net.run(input())).top(1);
    return { said, same: again[0].p === (await trace.top(1))[0].p };
  }, files);
  /** @type {Record<string, RegExp>} */
  const expected = {
    'a model that is text': /^Malformed: /,
    'an empty model': /^Malformed: /,
    'a truncated model': /^Malformed: /,
    'NaN weights': /^accepted$/,
    'weights that do not fit': /^Shape: conv2/,
    'an unknown layer kind': /^(Malformed|Unsupported): .*attention/,
    'a missing model': /^Parameter: .*404/,
    'a model of the wrong type': /^Parameter: .*42/,
    'a picture that is text': /^Malformed: .*JPEG, PNG and WebP/,
    'a truncated JPEG': /^Malformed: .*JPEG is cut short/,
    'a truncated PNG': /^Malformed: .*PNG is cut short/,
    'a huge picture': /^Limit: .*20000×20000/,
    'a NaN input': /^Malformed: .*row 2, column 13/,
    'values that do not fill the shape': /^Shape: .*3072/,
    'a batch': /^Shape: /,
    'another number of channels': /^Shape: .*3 .*channels/,
    'sides the dense layer cannot take': /^Shape: fc/,
    'no input': /^Parameter: .*null/,
    'an unknown layer': /^Parameter: .*relu3.*relu2/,
    'an unknown map': /^Parameter: .*0 to 11/,
    'a position outside': /^Parameter: .*16/,
    'a negative map': /^Parameter: map .*-1/,
    'a fraction': /^Parameter: .*1\.5/,
    'an unknown rule': /^Parameter: .*deconvnet, gradient, guided/,
    'two seeds': /^Parameter: .*exclude/,
    'no layer': /^Parameter: layer/,
    'filters of a ReLU': /^Unsupported: relu1/,
    'a step off the way': /^Parameter: .*relu2/,
    'a closed trace': /^Parameter: .*closed/,
    'threads: 0': /^Parameter: threads/,
  };
  for (const [what, said] of Object.entries(out.said)) assert.match(said, expected[what], what);
  assert.deepEqual(Object.keys(out.said), Object.keys(expected));
  assert.ok(out.same, 'what was there before still works, and gives the same');
});

test('cancelling: at once for the caller, and the engine does not finish the work', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine, input, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const engine = await Engine.start();
    const net = await engine.load('tiny.safetensors');
    const trace = await net.run(input());
    const before = AbortSignal.abort();
    const early = await refused(net.run(input(), { signal: before }));
    // As a page does that follows the pointer: each request takes the place of the one before.
    const said = [];
    let last;
    for (let map = 0; map < 12; map++) {
      last?.abort();
      last = new AbortController();
      said.push(refused(trace.project({ layer: 'relu2', map, signal: last.signal })));
    }
    const download = new AbortController();
    const loading = refused(engine.load('tiny.safetensors', { signal: download.signal }));
    download.abort('changed my mind');
    return { early, said: await Promise.all(said), loading: await loading, top: (await trace.top(1)).length };
  });
  assert.match(out.early, /^Aborted: /);
  assert.deepEqual(
    out.said.map((line) => line.split(':')[0]),
    [...Array(11).fill('Aborted'), 'accepted'],
  );
  assert.match(out.loading, /^Aborted: /);
  assert.equal(out.top, 1);
});

test('occlusion: partial results first, the last complete; leaving the loop stops it', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine, input, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const net = await (await Engine.start()).load('tiny.safetensors');
    const trace = await net.run(input());
    /** @type {types.OcclusionPart[]} */
    const parts = [];
    for await (const part of trace.occlude({ size: 6, stride: 2 })) parts.push(part);
    const last = parts[parts.length - 1];
    let full = last;
    for await (const part of trace.occlude({ size: 6, stride: 2, full: true })) full = part;
    // By hand, at one position: the same square in the input itself.
    const { data, shape } = input();
    for (let i = 0; i < data.length; i++) {
      const [y, x] = [Math.floor((i % 1024) / 32), i % 32];
      if (y >= 10 && y < 16 && x >= 14 && x < 20) data[i] = 0;
    }
    const byHand = (await (await net.run({ data, shape })).top(5)).find(({ index }) => index === last.class);
    let left = 0;
    for await (const part of trace.occlude({ size: 8, stride: 1, full: true })) {
      left = part.fraction;
      break;
    }
    const stop = new AbortController();
    const sweep = trace.occlude({ stride: 1 }, { signal: stop.signal });
    stop.abort();
    return {
      shape: last.shape,
      fractions: parts.map((part) => part.fraction),
      complete:
        [...last.p, ...last.logit, ...last.watched[0].activation].every(Number.isFinite) &&
        last.top.every((k) => k >= 0),
      top: (await trace.top(1))[0],
      last: {
        class: last.class,
        label: last.label,
        p0: last.p0,
        layer: last.watched[0].layer,
        left: last.secondsLeft,
        done: last.done,
      },
      p: last.p[6 * 16 + 8],
      byHand: byHand?.p,
      apart: Math.max(...last.p.map((value, i) => Math.abs(value - full.p[i]))),
      left,
      aborted: await refused(sweep.next()),
      bad: await refused(trace.occlude({ stride: 0 }).next()),
      none: await refused(trace.occlude({ watch: [{ layer: 'nothing' }] }).next()),
    };
  });
  assert.deepEqual(out.shape, [16, 16]);
  assert.equal(out.fractions.at(-1), 1);
  assert.ok(out.complete);
  assert.deepEqual([out.last.class, out.last.label, out.last.layer], [out.top.index, out.top.label, 'relu2']);
  assert.deepEqual([out.last.left, out.last.done], [0, true]);
  assert.equal(out.last.p0, out.top.p);
  assert.ok(Math.abs(out.p - Number(out.byHand)) < 1e-5, `${out.p} against ${out.byHand}`);
  assert.ok(out.apart < 1e-4, String(out.apart));
  assert.match(out.aborted, /^Aborted: /);
  assert.match(out.bad, /^Parameter: stride/);
  assert.match(out.none, /^Parameter: .*nothing/);
});

test('a thread that dies stops its engine and no other; a new one starts', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine, input, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    /** @type {string[]} */
    const alarms = [];
    const Original = BroadcastChannel;
    window.BroadcastChannel = class extends Original {
      constructor(/** @type {string} */ name) {
        super(name);
        alarms.push(name);
      }
    };
    const one = await Engine.start();
    const two = await Engine.start();
    const [a, b] = await Promise.all([one.load('tiny.safetensors'), two.load('tiny.safetensors')]);
    const trace = await b.run(input());
    // As the panic hook of a thread does, since the worker that waits for it cannot.
    const dying = new Original(alarms[0]);
    dying.postMessage('panicked at layer 7');
    await new Promise((done) => setTimeout(done, 200));
    const late = await refused(a.run(input()));
    const again = await (await Engine.start()).load('tiny.safetensors');
    return { late, other: (await trace.top(1)).length, again: (await (await again.run(input())).top(1)).length };
  });
  assert.match(out.late, /^Stopped: .*panicked at layer 7.*Engine\.start/);
  assert.deepEqual([out.other, out.again], [1, 1]);
});

test('two engines side by side; a stopped one refuses, the other goes on', async (t) => {
  const page = await open(t);
  const out = await page.evaluate(async () => {
    const { Engine, input, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const [one, two] = await Promise.all([Engine.start({ threads: 1 }), Engine.start({ preload: 'tiny.safetensors' })]);
    const [a, b] = await Promise.all([one.load('tiny.safetensors'), two.load('tiny.safetensors')]);
    const [first, second] = await Promise.all([a.run(input()), b.run(input())]);
    const waiting = refused(a.run(input()));
    one.stop();
    return {
      flavours: [one.flavour, one.why, two.flavour],
      waiting: await waiting,
      stopped: await refused(first.top()),
      running: (await second.top(1))[0].label.length,
    };
  });
  assert.deepEqual(out.flavours, ['single', 'asked', 'threads']);
  assert.match(out.waiting, /^Stopped: /);
  assert.match(out.stopped, /^Stopped: /);
  assert.equal(out.running, 3);
});
