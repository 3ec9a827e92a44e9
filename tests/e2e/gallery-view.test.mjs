// The Gallery view: walls of maps, one map large, the visitor's rank, and a gallery of the visitor's own photos.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { drop, eventually, ready, unit, useBrowser, visit } from './browser.mjs';
import { host } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('./server.mjs').Host} */
let site;
/** @type {string} */
let folder;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
  folder = mkdtempSync(join(tmpdir(), 'unpool-'));
  mkdirSync(join(folder, 'animals'));
  const pool = fileURLToPath(new URL('../../www/pool/', import.meta.url));
  for (const name of ['erase-horse', 'erase-goat', 'skimage-brick', 'lomiri-bridge', 'erase-toucan', 'plasma-dog'])
    copyFileSync(`${pool}${name}.webp`, join(folder, 'animals', `${name}-again.webp`));
  writeFileSync(join(folder, 'broken.jpg'), 'no picture');
  writeFileSync(join(folder, 'notes.txt'), 'none either');
});
after(async () => {
  rmSync(folder, { recursive: true });
  await site.stop();
});

/** @param {Page} page */
const hash = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));
/** Tiles of the first map that hold a picture. @param {Page} page */
const drawn = (page) => page.locator('.gal-map').first().locator('.nine .is-there').count();
const wall = (/** @type {Page} */ page) => eventually(async () => assert.equal(await drawn(page), 18), 30_000);
/** @param {Page} page */
const order = (page) =>
  page
    .locator('.gal-map')
    .evaluateAll((all) => all.slice(0, 6).map((one) => Number(/** @type {HTMLElement} */ (one).dataset.map)));

test('a wall, its orders, one map large, another beside it, and on to Explore', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&model=alexnet&layer=relu2' });
  await wall(page);
  assert.match(await page.locator('[data-gal-say]').innerText(), /relu2, 192 maps.* over \d{3} photographs/);
  // By the photo's rank: places ascend.
  const places = await page
    .locator('.gal-map [data-rank]')
    .evaluateAll((all) => all.slice(0, 12).map((one) => one.textContent));
  const numbers = places.map((text) => Number(/(\d+)(?:\w\w of \d+)?$/.exec(text ?? '')?.[1]));
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
    `${places}`,
  );
  const byRank = await order(page);
  await page.locator('[data-gal-pick=sort]').selectOption('number');
  await eventually(async () => assert.deepEqual(await order(page), [0, 1, 2, 3, 4, 5]));
  await page.locator('[data-gal-pick=sort]').selectOption('strength');
  await eventually(async () => assert.notDeepEqual(await order(page), byRank));

  // Large: the first is the strongest, and the whole photo says what the unit sees.
  await page.locator('[data-gal-find]').fill('17');
  await eventually(async () => assert.match(await page.locator('.gal-entry').innerText(), /1\. activation .*source/s));
  assert.equal(hash(page).get('map'), '17');
  assert.equal(await page.locator('.gal-entry rect.rf').count(), 1);
  const value = async () => Number(/activation ([\d.]+)/.exec(await page.locator('.gal-entry').innerText())?.[1]);
  const first = await value();
  await page.locator('.gal-sheet [data-kind=patch] [data-entry="8"]').hover();
  await eventually(async () => assert.ok((await value()) < first));
  await page.locator('.gal-sheet input').fill('18');
  await page.locator('.gal-sheet input').press('Enter');
  await eventually(async () => assert.equal(await page.locator('.gal-sheet').count(), 2));
  await page.getByRole('button', { name: 'End the comparison' }).click();
  await page.locator('h1:visible').click();
  const second = await order(page);
  await page.keyboard.press('ArrowRight');
  await eventually(async () => assert.equal(hash(page).get('layer'), 'relu3'));
  // The layer's name changes first, its wall follows.
  await eventually(async () => assert.notDeepEqual(await order(page), second), 30_000);
  await page.keyboard.press('ArrowLeft');
  await eventually(async () => assert.deepEqual(await order(page), second), 30_000);
  await wall(page);

  // A patch leads to its unit, with nearly the value it has in the gallery: the window is cut to whole pixels.
  const block = page.locator('.gal-map').first();
  const map = await block.getAttribute('data-map');
  const title = (await block.locator('[data-entry]').first().getAttribute('title')) ?? '';
  await block.locator('[data-entry]').first().click();
  await ready(page);
  await eventually(async () => assert.match(await unit(page), new RegExp(`relu2, map ${map}: activation`)));
  const [stored, now] = [
    Number(/: ([\d.]+),/.exec(title)?.[1]),
    Number(/activation ([\d.]+)/.exec(await unit(page))?.[1]),
  ];
  assert.ok(Math.abs(stored - now) < 0.1 * stored, `${stored} ${now}`);
  assert.match(hash(page).get('photo') ?? '', /^[\w-]+@\d+,\d+,\d+,\d+$/);
});

test('a folder is searched, kept, saved, opened again and shown with the others', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&layer=relu_conv1' });
  await wall(page);
  await page.getByRole('button', { name: 'Search your own photos' }).click();
  const status = page.locator('[data-own-status]');
  const says = (/** @type {RegExp} */ pattern) =>
    eventually(async () => assert.match(await status.innerText(), pattern), 60_000);
  await says(/Nothing has been searched/);
  await page.locator('[data-own-folder]').setInputFiles(folder);
  await says(/7 photos are searched/);
  assert.match(await page.locator('[data-own-skipped] summary').innerText(), /1 photo could not be read; 1 other/);
  assert.equal(hash(page).get('pool'), 'own');
  await eventually(async () => assert.ok((await drawn(page)) > 0));
  await eventually(async () => assert.match(await page.locator('[data-gal-say]').innerText(), /over 6 photographs/));
  const saved = page.waitForEvent('download');
  await page.locator('[data-own=save]').click();
  const file = await saved;
  assert.equal(file.suggestedFilename(), 'squeezenet-gallery.safetensors');
  const path = join(folder, 'saved.safetensors');
  await file.saveAs(path);

  // With the page's, as one file: the very bytes that the command line makes of both.
  const both = page.waitForEvent('download');
  await page.locator('[data-own=both]').click();
  await (await both).saveAs(join(folder, 'both.safetensors'));
  const galleries = fileURLToPath(new URL('../../dist/models/galleries/squeezenet/', import.meta.url));
  const parts = readdirSync(galleries).map((name) => join(galleries, name));
  const unpool = fileURLToPath(new URL('../../target/release/unpool', import.meta.url));
  const merged = join(folder, 'merged.safetensors');
  execFileSync(unpool, ['gallery', 'merge', path, ...parts, '--output', merged]);
  assert.ok(readFileSync(merged).equals(readFileSync(join(folder, 'both.safetensors'))));

  // In a later session it is still there; with the page's, the same photo stands twice among the strongest.
  await page.reload();
  await page.locator('[data-gal-pools]').waitFor();
  await eventually(async () => assert.match(await page.locator('[data-gal-say]').innerText(), /over 6 photographs/));
  await eventually(async () => assert.ok((await drawn(page)) > 0));
  await page.locator('[data-gal-pick=pool]').selectOption('both');
  await eventually(async () =>
    assert.match(await page.locator('[data-gal-say]').innerText(), /over 3\d\d photographs/),
  );

  // Forgotten, then opened from the file; what does not fit is told, and what is there stays.
  await page.getByRole('button', { name: 'Search your own photos' }).click();
  await page.locator('[data-own=forget]').click();
  await says(/Nothing has been searched/);
  await page.locator('[data-own-file]').setInputFiles(path);
  await says(/7 photos are searched/);
  const note = page.locator('[data-own-note]');
  const noted = (/** @type {RegExp} */ pattern) =>
    eventually(async () => assert.match(await note.innerText(), pattern));
  for (const name of ['alexnet/relu1', 'broken']) {
    const bad = join(folder, `${name.replace('/', '-')}.safetensors`);
    if (name === 'broken') writeFileSync(bad, 'short');
    else copyFileSync(fileURLToPath(new URL(`../../dist/models/galleries/${name}.safetensors`, import.meta.url)), bad);
    await page.locator('[data-own-file]').setInputFiles(bad);
    await noted(name === 'broken' ? /broken.safetensors” cannot be opened/ : /alexnet, not with squeezenet/);
  }
  await drop(page, { name: 'notes.txt', type: 'text/plain', bytes: [65] });
  await says(/7 photos are searched/);
});

test('without a gallery the view says so, and bad keys are told', async (t) => {
  const page = await visit(t, site, { hash: '#view=gallery&sort=size&plain=no&pool=all&beside=x&photo=a@1' });
  await wall(page);
  for (const key of ['sort', 'plain', 'pool', 'beside', 'photo'])
    assert.match(await page.locator('unpool-gallery [data-alert]').innerText(), new RegExp(key));
});
