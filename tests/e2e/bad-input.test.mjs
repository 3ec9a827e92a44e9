// What strangers drop: each gives a sentence to act on, and what was there stays usable.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { drop, eventually, ready, unit, useBrowser, verdict, visit } from './browser.mjs';
import { model, spec } from './model.mjs';
import { host } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('./server.mjs').Host} */
let site;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
});
after(() => site.stop());

/** Does `act`, expects a sentence, and everything else as it was. @param {import('node:test').TestContext} t @param {(page: Page) => Promise<void>} act */
async function refused(t, act, says = /\w+ \w+/) {
  const page = await visit(t, site);
  await ready(page);
  const [said, chosen] = [await verdict(page), await unit(page)];
  await act(page);
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match(await alert.innerText(), says);
  t.diagnostic((await alert.innerText()).replace(/\s+/g, ' '));
  await eventually(async () => assert.equal(await verdict(page), said));
  assert.equal(await unit(page), chosen);
  await page.getByRole('listbox', { name: 'Choose a map' }).focus();
  await page.keyboard.press('ArrowDown');
  await eventually(async () => assert.notEqual(await unit(page), chosen));
}

/** The beginning of a PNG that claims this size. @param {number} side */
const claims = (side) => {
  const head = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\0\x08\x06\0\0\0', 'latin1');
  head.writeUInt32BE(side, 16);
  head.writeUInt32BE(side, 20);
  return [...head, 0, 0, 0, 0];
};

const photos = [
  { what: 'not an image', name: 'notes.txt', type: 'text/plain', bytes: [...Buffer.from('not a picture')] },
  { what: 'an empty file', name: 'empty.png', type: 'image/png', bytes: [] },
  { what: 'a truncated photo', name: 'cut.jpg', type: 'image/jpeg', bytes: [255, 216, 255, 224, 0, 16, 74, 70] },
  { what: '20000×20000 pixels', name: 'vast.png', type: 'image/png', bytes: claims(20000), says: /20000/ },
];
for (const { what, says, ...file } of photos) test(what, (t) => refused(t, (page) => drop(page, file), says));

/** EXIF that turns a picture by a right angle: the camera was held so that its left is up. */
const SIDEWAYS = [
  ...[0xff, 0xe1, 0, 34, ...Buffer.from('Exif\0\0MM\0*'), 0, 0, 0, 8, 0, 1],
  ...[1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0],
];

/**
 * Drops a picture of many shades, as the browser's own encoder writes it, or a part of that file.
 * @param {Page} page @param {string} type @param {{ size?: [number, number], share?: number, exif?: number[] }} [options]
 */
async function dropDrawn(page, type, { size = [320, 240], share = 1, exif = [] } = {}) {
  await page.evaluate(
    async ({ type, size: [width, height], share, exif }) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      for (let i = 0; i < 300; i += 1) {
        context.fillStyle = `hsl(${(i * 47) % 360} 70% ${20 + ((i * 31) % 60)}%)`;
        context.fillRect((i * 0.618 * width) % width, (i * 0.414 * height) % height, width / 9, height / 9);
      }
      const file = await canvas.convertToBlob({ type });
      const parts = [file.slice(0, 2), new Uint8Array(exif), file.slice(2, Math.round(file.size * share))];
      Object.assign(window, { drawn: new Blob(parts) });
    },
    { type, size, share, exif },
  );
  await drop(page, { name: `drawn.${type.slice(6)}`, type, made: 'drawn' });
}

for (const type of ['JPEG', 'PNG', 'WebP'])
  test(`half of a ${type} is refused as cut short`, (t) =>
    refused(
      t,
      (page) => dropDrawn(page, `image/${type.toLowerCase()}`, { share: 0.5 }),
      new RegExp(`cut short.*${type}.*fresh copy`, 's'),
    ));

test('a large panorama that lies on its side is turned and analysed', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  const said = await verdict(page);
  await dropDrawn(page, 'image/jpeg', { size: [20_000, 2500], exif: SIDEWAYS });
  await eventually(async () => assert.notEqual(await verdict(page), said), 60_000);
  assert.ok(await page.getByRole('alert').isHidden());
});

/** @param {(bytes: Uint8Array) => Uint8Array} [change] @param {Parameters<typeof model>[0]} [options] */
const weights = (change = (bytes) => bytes, options = {}) => Buffer.from(change(model(options)));
const models = [
  { what: 'a file that is no model', buffer: Buffer.from('{"not": "a model"}') },
  { what: 'a truncated model', buffer: weights((bytes) => bytes.subarray(0, bytes.length - 100)) },
  {
    what: 'weights that do not fit the layers',
    buffer: weights(undefined, { shapes: { 'conv2.weight': [12, 8, 2, 3] } }),
  },
];
for (const { what, buffer } of models)
  test(what, (t) =>
    refused(t, (page) =>
      page
        .getByLabel('Model file', { exact: true })
        .setInputFiles({ name: 'mine.safetensors', mimeType: 'application/octet-stream', buffer }),
    ),
  );

const own = (/** @type {Parameters<typeof weights>[1]} */ options) => ({
  name: 'mine.safetensors',
  mimeType: 'application/octet-stream',
  buffer: weights(undefined, options),
});
const blind = { ...spec, layers: spec.layers.slice(0, 5), classes: [] };
const nan = (/** @type {number[]} */ ...places) => ({
  fill: (/** @type {number} */ value, /** @type {number} */ i) => (places.includes(i) ? Number.NaN : value),
});

// They may come from a training that diverged, and somebody wants to see where.
for (const { what, options, says } of [
  { what: 'with a classifier', options: nan(5), says: /1 weight of Tiny is NaN/ },
  {
    what: 'without one',
    options: { ...nan(5, 6), spec: blind, shapes: { 'fc.weight': [], 'fc.bias': [] } },
    says: /2 weights of Tiny are NaN/,
  },
])
  test(`a network of our own format ${what} whose weights are NaN is shown, and the page says so`, async (t) => {
    const page = await visit(t, site);
    await ready(page);
    await page.getByLabel('Model file', { exact: true }).setInputFiles(own(options));
    const alert = page.getByRole('alert').filter({ hasText: says });
    await alert.waitFor({ timeout: 60_000 });
    await page
      .locator('[data-unit-id]')
      .filter({ hasText: /conv|relu|pool/ })
      .waitFor();
    // What it says belongs to that network.
    await page.getByLabel('Model', { exact: true }).selectOption('squeezenet');
    await alert.waitFor({ state: 'hidden', timeout: 60_000 });
    await eventually(async () => assert.match(await verdict(page), /cat|tabby|lynx/i), 60_000);
  });

// Odd, but pictures.
for (const [what, side, alpha] of /** @type {[string, number, number][]} */ ([
  ['a transparent picture', 64, 0],
  ['a picture of one pixel', 1, 1],
]))
  test(`${what} is analysed`, async (t) => {
    const page = await visit(t, site);
    await ready(page);
    const said = await verdict(page);
    const bytes = await page.evaluate(
      async ([side, alpha]) => {
        const canvas = new OffscreenCanvas(side, side);
        const context = canvas.getContext('2d');
        if (context) {
          context.fillStyle = `rgba(200, 30, 30, ${alpha})`;
          context.fillRect(0, 0, side, side);
        }
        return [...new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer())];
      },
      [side, alpha],
    );
    await drop(page, { name: 'odd.png', type: 'image/png', bytes });
    await eventually(async () => assert.notEqual(await verdict(page), said));
    assert.ok(await page.getByRole('alert').isHidden());
  });

const file = (/** @type {string} */ name) => [...readFileSync(new URL(`../cli/data/${name}`, import.meta.url))];

// They are analysed as what they are turned into, and the page says what that is.
for (const [name, type, says] of /** @type {[string, string, RegExp][]} */ ([
  ['cmyk.jpg', 'image/jpeg', /cmyk\.jpg has the four inks of print/],
  ['animated.png', 'image/png', /animated\.png is an animation. Its first frame/],
  ['animated.webp', 'image/webp', /animated\.webp is an animation. Its first frame/],
]))
  test(`${name} is analysed, and the page says as what`, async (t) => {
    const page = await visit(t, site);
    await ready(page);
    await drop(page, { name: 'quarters.png', type: 'image/png', bytes: file('quarters.png') });
    await page.getByRole('img', { name: 'Your photo, quarters.png' }).waitFor();
    await drop(page, { name, type, bytes: file(name) });
    const alert = page.getByRole('alert').filter({ hasText: says });
    await alert.waitFor();
    await page.getByRole('img', { name: `Your photo, ${name}` }).waitFor({ timeout: 60_000 });
    // What was said goes with the photo.
    await drop(page, { name: 'quarters.png', type: 'image/png', bytes: file('quarters.png') });
    await alert.waitFor({ state: 'hidden' });
    await page.getByRole('img', { name: 'Your photo, quarters.png' }).waitFor({ timeout: 60_000 });
  });

for (const { what, hash, says } of [
  { what: 'a map', hash: '&map=9999', says: /fire5\/concat has 256 maps.*9999.*strongest/ },
  { what: 'a place', hash: '&map=17&at=99,99', says: /A map of fire5\/concat is 28×28.*99,99.*strongest/ },
])
  test(`${what} that is not there is named, and the strongest is shown`, async (t) => {
    const page = await visit(t, site, { hash: `#photo=cat&layer=fire5/concat${hash}` });
    await ready(page);
    const alert = page.getByRole('alert');
    await alert.filter({ hasText: says }).waitFor();
    const shown = await unit(page);
    assert.match(shown, hash.includes('9999') ? /fire5\/concat, map \d+: .* 1st of 256/ : /map 17/);
    await alert.getByRole('button', { name: 'Dismiss' }).click();
    await alert.waitFor({ state: 'hidden' });
    await page.getByRole('listbox', { name: 'Choose a map' }).focus();
    await page.keyboard.press('ArrowDown');
    await eventually(async () => assert.notEqual(await unit(page), shown));
  });

test('a network of the visitor’s own is used', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  await page
    .getByLabel('Model file', { exact: true })
    .setInputFiles({ name: 'mine.safetensors', mimeType: 'application/octet-stream', buffer: weights() });
  await eventually(async () => assert.match(await verdict(page), /ant|bee|cow|dog|emu/));
  assert.ok(await page.getByRole('alert').isHidden());
});
