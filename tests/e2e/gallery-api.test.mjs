// Galleries as a script of somebody else's uses them: built from photos, opened, asked, merged, no page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useModule } from './module.mjs';

/** @import * as types from '../../www/types.js' */
/** @typedef {import('playwright-core').Page} Page */
/**
 * @typedef {{ net: types.Net, Engine: typeof types.Engine, photos: (n: number) => { name: string, photo: ImageData }[],
 *   refused: (promise: Promise<unknown>) => Promise<string>,
 *   built: (files: { name: string, photo: Blob | ImageData }[], options?: types.BuildOptions) => Promise<types.Gallery> }} Prepared
 */

const page = useModule(prepare);

/** Runs in the page: what the tests below call. */
async function prepare() {
  const { Engine } = await import(new URL('unpool.js', document.baseURI).href);
  const engine = await Engine.start();
  const net = await engine.load('tiny.safetensors');
  /** Waves of colour, larger than the network's input and not square. @param {number} n */
  const photos = (n) =>
    Array.from({ length: n }, (_, k) => {
      const photo = new ImageData(90, 70);
      photo.data.forEach((_, i) => {
        const [channel, x, y] = [i % 4, (i >> 2) % 90, Math.floor(i / 360)];
        const wave = Math.sin((x * (k + 1)) / 17 + channel) * Math.cos((y * (k % 5)) / 11);
        photo.data[i] = channel === 3 ? 255 : 128 + 90 * wave + ((i * 7919 * (k + 3)) % 23);
      });
      return { name: `waves/${k}.png`, photo };
    });
  /** @param {{ name: string, photo: ImageData }[]} files @param {types.BuildOptions} [options] */
  const built = async (files, options) => {
    const build = await net.buildGallery(files, { layers: ['relu1', 'relu2'], top: 3, windows: 3, ...options });
    for await (const _ of build.run());
    const gallery = await build.gallery();
    build.close();
    return gallery;
  };
  Object.assign(window, { Engine, net, photos, built });
}

test('a gallery is built, and its entries are what the network says of their photos', async () => {
  const out = await page().evaluate(async () => {
    const { net, photos, built } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const files = photos(8);
    const gallery = await built(files);
    const entries = await gallery.entries('relu2', 5);
    const cell = await gallery.cell('relu2', 5, 0);
    const small = await gallery.cell('relu2', 5, 0, { side: 5 });
    const patches = await Promise.all([0, 5].map((side) => gallery.patch('relu2', 5, 0, { side })));
    const trace = await gallery.trace('relu2', 5, 0);
    const histogram = await gallery.histogram('relu2', 5);
    // By hand: the largest maximum of the middle windows alone.
    const middles = await Promise.all(
      files.map(async ({ photo }) => (await (await net.run(photo)).maps('relu2'))[5].peak),
    );
    const again = await net.gallery(await gallery.bytes(), { photos: new Map(files.map((f) => [f.name, f.photo])) });
    return {
      info: gallery.info,
      entries,
      cell: {
        ...cell,
        patch: [cell.patch.width, cell.patch.height, cell.patch.data[3]],
        projection: cell.projection.width,
      },
      patches: patches.map(({ patch, stored, receptiveField }, i) => [
        patch.data.join() === [cell, small][i].patch.data.join(),
        stored === cell.stored && receptiveField.join() === cell.receptiveField.join(),
      ]),
      small: [small.shape, small.patch.width, small.projection.height],
      traced: (await trace.map('relu2', 5)).data[entries[0].at[0] * 16 + entries[0].at[1]],
      photo: trace.photo?.width,
      histogram: [...histogram.counts].reduce((a, b) => a + b, 0),
      middle: Math.max(...middles),
      again: [await again.entries('relu2', 5), (await again.cell('relu2', 5, 1)).stale],
      same: again.info,
    };
  });
  assert.deepEqual(
    out.info.layers.map(({ name, maps }) => [name, maps]),
    [
      ['relu1', 8],
      ['relu2', 12],
    ],
  );
  assert.deepEqual([out.info.searched, out.info.skipped, out.info.windows, out.info.top], [8, 0, 3, 3]);
  assert.ok(out.info.sameWeights && out.info.model === 'tiny');
  assert.equal(out.entries.length, 3);
  assert.ok(out.entries.every(({ value }, i) => i === 0 || value <= out.entries[i - 1].value));
  assert.ok(
    out.entries[0].value >= out.middle,
    `${out.entries[0].value} is not the largest, ${out.middle} is in a middle`,
  );
  const [y0, x0, y1, x1] = out.entries[0].window;
  assert.ok(y0 >= 0 && x0 >= 0 && y1 <= 70 && x1 <= 90 && y1 - y0 === x1 - x0);
  assert.deepEqual([out.cell.stored, out.cell.at, out.cell.stale], [out.entries[0].value, out.entries[0].at, false]);
  const [top, left, bottom, right] = out.cell.receptiveField;
  assert.deepEqual(out.cell.shape, [bottom - top, right - left]);
  assert.deepEqual(out.cell.patch, [right - left, bottom - top, 255]);
  assert.deepEqual(out.small, [[5, 5], 5, 5]);
  assert.ok(Math.abs(out.traced - out.entries[0].value) <= 1e-5 * out.traced);
  assert.deepEqual(out.patches, [
    [true, true],
    [true, true],
  ]);
  assert.equal(out.photo, 32);
  assert.equal(out.histogram, 8);
  assert.deepEqual(out.again, [out.entries, false]);
  assert.deepEqual(out.same, out.info);
});

test('a build is stopped and resumed, keeps what is there, and ends like one that was not', async () => {
  const out = await page().evaluate(async () => {
    const { net, photos, built, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const broken = { name: 'zz.jpg', photo: new Blob([new Uint8Array(99)]) };
    const files = [...photos(30), broken];
    const options = { layers: ['relu1', 'relu2'], top: 3, windows: 3 };
    const whole = await (await built(files)).bytes();
    const build = await net.buildGallery(files, options);
    for await (const { done } of build.run({ interval: 0 })) if (done >= 4) break;
    const first = { done: build.done, searched: (await build.gallery()).info.searched };
    const abort = new AbortController();
    const aborted = await refused(
      (async () => {
        for await (const { done } of build.run({ interval: 0, signal: abort.signal })) if (done >= 8) abort.abort();
      })(),
    );
    const kept = await build.gallery();
    const [done, bytes] = [kept.info.searched, await kept.bytes()];
    // In another session: only the bytes and the count are left.
    const later = await net.buildGallery(files, { ...options, into: await net.gallery(bytes), from: done });
    /** @type {types.BuildProgress[]} */
    const progress = [];
    for await (const part of later.run()) progress.push(part);
    const end = await (await later.gallery()).bytes();
    for await (const _ of build.run());
    const own = await (await build.gallery()).bytes();
    return {
      first,
      aborted,
      done,
      last: progress.at(-1),
      equal: [end, own].map((b) => b.length === whole.length && b.every((v, i) => v === whole[i])),
    };
  });
  assert.ok(out.first.done >= 4 && out.first.done < 31 && out.first.searched === out.first.done);
  assert.match(out.aborted, /^Aborted/);
  assert.ok(out.done >= 8 && out.done < 31);
  assert.deepEqual([out.last?.done, out.last?.total, out.last?.secondsLeft], [31, 31, 0]);
  assert.ok(Number(out.last?.rate) > 0);
  assert.deepEqual(
    out.last?.skipped.map(({ name }) => name),
    ['zz.jpg'],
  );
  assert.match(String(out.last?.skipped[0].why), /not a picture/);
  assert.deepEqual(out.equal, [true, true]);
});

test('parts merge into the whole, and a photo is ranked in it', async () => {
  const out = await page().evaluate(async () => {
    const { net, photos, built, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const files = photos(12);
    const [whole, a, b] = await Promise.all([built(files), built(files.slice(0, 5)), built(files.slice(5))]);
    const merged = await b.merge(a);
    const bytes = await Promise.all([whole.bytes(), merged.bytes()]);
    const [{ name }] = await whole.entries('relu2', 1);
    const file = files.filter((one) => one.name === name)[0];
    const ranks = await whole.ranks(file.photo);
    const own = ranks.filter(({ rank }) => rank === 1);
    const entries = await Promise.all(own.map(({ layer, map }) => whole.entries(layer, map)));
    const alone = await whole.ranks(await built([file], { top: 1 }));
    const trace = await net.run(file.photo);
    const middle = await whole.ranks(trace);
    return {
      equal: bytes[0].length === bytes[1].length && bytes[0].every((v, i) => v === bytes[1][i]),
      cells: (await merged.cell('relu1', 0, 0)).stale,
      ranks: ranks.length,
      sorted: ranks.every(({ rank }, i) => i === 0 || rank >= ranks[i - 1].rank),
      own: own.map(({ value, share }, i) => [value, share, entries[i][0].value, entries[i][0].name === name]),
      windows: middle.map(({ window }) => window).filter(Boolean).length,
      lower: middle.filter((m) => {
        const all = ranks.find(({ layer, map }) => layer === m.layer && map === m.map);
        return !all || m.rank < all.rank;
      }).length,
      alone: JSON.stringify(alone) === JSON.stringify(ranks),
      several: await refused(whole.ranks(b)),
      again: await refused(a.merge(a)),
      foreign: await refused(whole.ranks(/** @type {any} */ ('photo.jpg'))),
    };
  });
  assert.ok(out.equal && !out.cells && out.sorted);
  // Searched once, a photo can be ranked without searching it again.
  assert.ok(out.alone);
  assert.match(out.several, /^Parameter: one input is ranked at a time/);
  assert.ok(out.ranks > 5 && out.own.length > 0);
  // Rank 1 is the strongest of the very photos that were searched: it is that entry.
  for (const [value, share, stored, same] of out.own) assert.deepEqual([value, share, same], [stored, 1, true]);
  assert.deepEqual([out.windows, out.lower], [0, 0]);
  assert.match(out.again, /^Parameter: both galleries hold waves/);
  assert.match(out.foreign, /^Parameter: the photo must be/);
});

test('what does not fit is refused in words', async () => {
  const out = await page().evaluate(async () => {
    const { net, photos, built, refused } = /** @type {Prepared} */ (/** @type {unknown} */ (window));
    const files = photos(2);
    const gallery = await built(files);
    const bytes = await gallery.bytes();
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    /** @param {string} from @param {string} to of the same length */
    const changed = (from, to) => Uint8Array.from(text.replace(from, to), (c) => c.charCodeAt(0));
    const other = await net.gallery(changed(gallery.info.weights, '0123456789abcdef'), {
      photos: (name) => Promise.resolve(files[name === 'waves/0.png' ? 1 : 0].photo),
    });
    const lost = await net.gallery(bytes, { photos: new Map() });
    gallery.close();
    return {
      page: await refused(net.gallery('blank.html')),
      gone: await refused(net.gallery('nothing.safetensors')),
      model: await refused(net.gallery('tiny.safetensors')),
      cut: await refused(net.gallery(bytes.slice(0, -9))),
      name: await refused(net.gallery(changed('\\"model\\":\\"tiny\\"', '\\"model\\":\\"thin\\"'))),
      weights: [other.info.sameWeights, (await other.cell('relu2', 1, 0)).stale],
      lost: await refused(lost.cell('relu2', 1, 0)),
      layer: await refused(lost.layer('conv9')),
      map: await refused(lost.entries('relu2', 12)),
      closed: await refused(gallery.bytes()),
      empty: await refused(net.buildGallery([])),
      twice: await refused(net.buildGallery([files[0], files[0]])),
      path: await refused(net.buildGallery([{ ...files[0], name: '../x.png' }])),
      layers: await refused(net.buildGallery(files, { layers: ['conv9'] })),
      top: await refused(net.buildGallery(files, { top: 0 })),
    };
  });
  assert.match(out.page, /^Malformed: this is no gallery/);
  assert.match(out.gone, /^Parameter: there is no gallery at/);
  assert.match(out.model, /^Unsupported: .*no gallery/);
  assert.match(out.cut, /^Malformed: .*truncated/);
  assert.match(out.name, /^Unsupported: .*thin, not with tiny/);
  assert.deepEqual(out.weights, [false, true]);
  assert.match(out.lost, /^Parameter: the photo waves.* is not at hand/);
  assert.match(out.layer, /no layer “conv9”; it has relu1, relu2/);
  assert.match(out.map, /from 0 to 11/);
  assert.match(out.closed, /this gallery was closed/);
  assert.match(out.empty, /nothing to search/);
  assert.match(out.twice, /two photos are called waves/);
  assert.match(out.path, /a path inside a folder/);
  assert.match(out.layers, /no layer is called “conv9”/);
  assert.match(out.top, /top must be a whole number from 1 to 1000/);
});
