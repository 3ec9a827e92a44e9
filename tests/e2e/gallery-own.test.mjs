// A gallery of the visitor's own when things go wrong: what was found is never lost, and what is wrong is said.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, useBrowser, visit } from './browser.mjs';
import { host } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

const COUNT = 12;
/** @type {import('./server.mjs').Host} */
let site;
/** @type {string} */
let folder;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
  folder = mkdtempSync(join(tmpdir(), 'unpool-'));
  for (const name of ['one', 'notes', 'nothing']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'notes', 'readme.txt'), 'no picture');
  writeFileSync(join(folder, 'notes', 'list.csv'), 'none either');
});
after(async () => {
  rmSync(folder, { recursive: true });
  await site.stop();
});

/** Small pictures, drawn by the browser: waves, and one of fewer pixels than a unit sees. @param {Page} page */
async function draw(page) {
  if (readdirSync(folder).includes('many')) return;
  const files = await page.evaluate(async (count) => {
    const made = [];
    for (let k = 0; k <= count; k += 1) {
      const [width, height] = k < count ? [160, 120] : [9, 7];
      const canvas = new OffscreenCanvas(width, height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
      for (let y = 0; y < height; y += 1)
        for (let x = 0; x < width; x += 1) {
          context.fillStyle = `hsl(${(x * (k + 2)) % 360} 80% ${50 + 40 * Math.sin((y * (k + 1)) / 9)}%)`;
          context.fillRect(x, y, 1, 1);
        }
      made.push([...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())]);
    }
    return made;
  }, COUNT);
  mkdirSync(join(folder, 'many'));
  for (const [k, bytes] of files.slice(0, COUNT).entries())
    writeFileSync(join(folder, 'many', `waves-${k}.png`), Uint8Array.from(bytes));
  writeFileSync(join(folder, 'one', 'tiny.png'), Uint8Array.from(files[COUNT]));
}

/** The steps of a search wait until they are let on, one by one, each of a few photos at most. @param {Page} page */
const hold = (page) =>
  page.evaluate(() => {
    const post = Worker.prototype.postMessage;
    /** @type {(() => void)[]} */
    const held = [];
    const letOn = () => {
      for (const one of held.splice(0)) one();
    };
    const free = () => {
      Worker.prototype.postMessage = post;
      letOn();
    };
    /** Files in each step. @type {number[]} */
    const sent = [];
    Object.assign(window, { letOn, free, sent });
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ transfer) {
      if (message.op !== 'galleryBuild') return post.call(this, message, transfer);
      sent.push(message.args[3].length);
      held.push(() => post.call(this, { ...message, args: [message.args[0], 0, ...message.args.slice(2)] }, transfer));
    };
  });
/** @param {Page} page @param {'letOn' | 'free'} what */
const tell = (page, what) => page.evaluate((what) => /** @type {any} */ (window)[what](), what);

/** @param {Page} page */
const open = async (page) => {
  await page.locator('.gal-map .nine .is-there').first().waitFor({ timeout: 60_000 });
  await page.locator('[data-gal-own]').click();
};
/** @param {Page} page @param {RegExp} pattern */
const says = (page, pattern) =>
  eventually(async () => assert.match(await page.locator('[data-own-status]').innerText(), pattern), 60_000);
/** @param {Page} page @param {RegExp} pattern */
const notes = (page, pattern) =>
  eventually(async () => assert.match(await page.locator('[data-own-note]').innerText(), pattern), 60_000);
/** @param {Page} page */
async function saved(page) {
  const coming = page.waitForEvent('download');
  await page.locator('[data-own=save]').click();
  const path = join(folder, 'saved.safetensors');
  await (await coming).saveAs(path);
  return readFileSync(path);
}

/** Lets a search that is held go on, step by step, until its line reads so. @param {Page} page @param {RegExp} some */
const gone = (page, some) =>
  eventually(async () => {
    const text = await page.locator('[data-own-status]').innerText();
    // Only when what the last step brought is shown.
    if (!some.test(text)) await tell(page, 'letOn');
    assert.match(text, some);
  }, 60_000);

test('a search that was stopped goes on after a reload, and ends like one that was not', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&layer=relu_conv1' });
  await open(page);
  await draw(page);
  await hold(page);
  await page.locator('[data-own-folder]').setInputFiles(join(folder, 'many'));
  const some = new RegExp(`^[1-9]\\d* of ${COUNT} photos`);
  await gone(page, some);
  await page.locator('[data-own=stop]').click();
  await says(page, new RegExp(`Stopped after [1-9]\\d* of ${COUNT} photos`));

  await page.reload();
  await open(page);
  await says(page, new RegExp(`^[1-9]\\d* of ${COUNT} photos were searched`));
  // What was found is there to be seen and saved.
  assert.ok((await saved(page)).length > 1000);
  await page.locator('[data-own-folder]').setInputFiles(join(folder, 'many'));
  await says(page, new RegExp(`^${COUNT} photos are searched`));
  const resumed = await saved(page);
  await page.locator('[data-own=forget]').click();
  await says(page, /Nothing has been searched/);
  await page.locator('[data-own-folder]').setInputFiles(join(folder, 'many'));
  await says(page, new RegExp(`^${COUNT} photos are searched`));
  assert.ok(resumed.equals(await saved(page)));
});

test('folders without photos, with one, and dropped ones', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&layer=relu_conv1' });
  await open(page);
  await draw(page);
  await page.locator('[data-own-folder]').setInputFiles(join(folder, 'notes'));
  await notes(page, /None of the 2 files there is a picture/);
  assert.match(await page.locator('[data-own-status]').innerText(), /Nothing has been searched/);

  const devtools = await page.context().newCDPSession(page);
  /** @param {string} name of a folder, dropped as from a file manager */
  const dropped = async (name) => {
    const data = { items: [], files: [join(folder, name)], dragOperationsMask: 1 };
    for (const type of /** @type {const} */ (['dragEnter', 'dragOver', 'drop']))
      await devtools.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  };
  await dropped('nothing');
  await notes(page, /There is no file in this folder/);
  // Of fewer pixels than a unit sees, and alone: it stands first in every map.
  await dropped('one');
  await says(page, /^1 photo is searched/);
  assert.ok(await page.locator('[data-own-note]').isHidden());
  await eventually(async () => {
    assert.match(await page.locator('[data-gal-say]').innerText(), /over 1 photograph/);
    assert.ok((await page.locator('.gal-map').first().locator('.nine .is-there').count()) === 2);
  }, 30_000);
  // What is there stays when the next folder holds nothing.
  await dropped('notes');
  await notes(page, /None of the 2 files/);
  await says(page, /^1 photo is searched/);
});

test('20,000 files start, are handed over little by little, stop, and what was found is kept', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&layer=relu_conv1' });
  await open(page);
  await hold(page);
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(8, 8);
    canvas.getContext('2d')?.fillRect(2, 2, 3, 3);
    const bytes = await canvas.convertToBlob();
    const files = Array.from({ length: 20_000 }, (_, i) => new File([bytes], `dot-${i}.png`));
    const folder = /** @type {HTMLInputElement} */ (document.querySelector('[data-own-folder]'));
    Object.defineProperty(folder, 'files', { value: files, configurable: true });
    folder.dispatchEvent(new Event('change'));
  });
  await says(page, /^0 of 20000 photos/);
  await notes(page, /too many or too large to be kept here/);
  const some = /^[1-9]\d* of 20000 photos, [\d.]+ a second, \d+ s left/;
  await gone(page, some);
  await page.locator('[data-own=stop]').click();
  await says(page, /Stopped after [1-9]\d* of 20000 photos/);
  const done = Number(/after (\d+)/.exec(await page.locator('[data-own-status]').innerText())?.[1]);
  // Never more at once than the worker needs, whatever was chosen.
  const sent = /** @type {number[]} */ (await page.evaluate(() => /** @type {any} */ (window).sent));
  assert.ok(Math.max(...sent) <= 64 && sent.reduce((a, b) => a + b) <= 64 * (sent.length + 1), `${sent}`);
  const bytes = await saved(page);
  const length = Number(bytes.readBigUInt64LE(0));
  const { search, photos } = JSON.parse(JSON.parse(bytes.toString('utf8', 8, 8 + length)).__metadata__.gallery);
  assert.deepEqual([search.searched, photos.length], [done, Math.min(done, 9)]);
  // The photos are not kept: their patches are not there, the rest is.
  await page.reload();
  await page.locator('[data-gal-own]').click({ timeout: 60_000 });
  await says(page, new RegExp(`^${done} of 20000 photos were searched`));
  await eventually(
    async () => assert.match(await page.locator('[data-gal-stale]').innerText(), /dot-\d+\.png/),
    60_000,
  );
});

test('a browser without room says so, and what was found can be saved', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&layer=relu_conv1' });
  await open(page);
  await draw(page);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 2000 });
  await page.locator('[data-own-folder]').setInputFiles(join(folder, 'one'));
  await says(page, /^1 photo is searched/);
  await notes(page, /The browser has no more room|too many or too large to be kept/);
  assert.ok((await saved(page)).length > 1000);
});

test('a gallery of another version of the network is noticed', async (t) => {
  const copy = join(folder, 'site');
  cpSync(
    fileURLToPath(new URL('../../dist/models/galleries/squeezenet/relu_conv1.safetensors', import.meta.url)),
    copy,
  );
  const bytes = readFileSync(copy);
  const length = Number(bytes.readBigUInt64LE(0));
  const [from, to] = JSON.parse(bytes.toString('utf8', 8, 8 + length))['relu_conv1/value'].data_offsets;
  for (let at = 8 + length + from; at < 8 + length + to; at += 4) bytes.writeFloatLE(bytes.readFloatLE(at) * 1.003, at);
  const page = await visit(t, site);
  await page.route('**/relu_conv1.safetensors', (route) => route.fulfill({ body: bytes }));
  await page.evaluate(() => {
    location.hash = '#view=gallery&layer=relu_conv1';
  });
  await page.locator('.gal-map .nine .is-there').first().waitFor({ timeout: 60_000 });
  const stale = page.locator('[data-gal-stale]');
  await eventually(
    async () => assert.match(await stale.innerText(), /\d+ entr.* differ.* from what this network/),
    30_000,
  );
});
