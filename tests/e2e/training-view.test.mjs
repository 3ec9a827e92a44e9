// The Training view: shipped runs epoch by epoch, a run in the page from a folder, a network that does not fit, links.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, ready, unit, useBrowser, visit } from './browser.mjs';
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
});
after(async () => {
  rmSync(folder, { recursive: true });
  await site.stop();
});

/** @type {{ checkpoints: { epoch: number }[], epochs: { epoch: number, test: { accuracy: number } }[] }} */
const run = JSON.parse(readFileSync(new URL('../../dist/trained/runs.json', import.meta.url), 'utf8'))['twin-7-2'];
const kept = run.checkpoints.map(({ epoch }) => epoch);
const last = kept[kept.length - 1];
const at = (/** @type {number} */ epoch) => new RegExp(`epoch ${epoch} of ${run.epochs.length}$`);

const LONG = 240_000;
/** @param {Page} page */
const hash = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));
/** @param {Page} page @param {string} selector @param {RegExp} pattern */
const says = (page, selector, pattern) =>
  eventually(async () => assert.match(await page.locator(selector).innerText(), pattern), LONG);
/** @param {Page} page @param {string} act */
const press = (page, act) => page.locator(`[data-live-act=${act}]`).click();
/** What the first filters look like, as a short text. @param {Page} page */
const filters = (page) =>
  page
    .locator('[data-tr-filters] canvas')
    .evaluateAll((all) => all.map((one) => /** @type {HTMLCanvasElement} */ (one).toDataURL()).join('\n'));

/**
 * Two classes of small pictures, stripes across and stripes down, drawn by the browser.
 * @param {Page} page @param {string} name @param {number} count of each @returns {Promise<string>} the folder
 */
async function draw(page, name, count) {
  const files = await page.evaluate(async (n) => {
    const made = [];
    for (let k = 0; k < 2 * n; k += 1) {
      const canvas = new OffscreenCanvas(32, 32);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
      context.fillStyle = '#000';
      context.fillRect(0, 0, 32, 32);
      context.fillStyle = '#fff';
      for (let at = k % 4; at < 32; at += 5)
        if (k % 2) context.fillRect(at, 0, 2, 32);
        else context.fillRect(0, at, 32, 2);
      made.push([...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())]);
    }
    return made;
  }, count);
  for (const kind of ['across', 'down']) mkdirSync(join(folder, name, kind), { recursive: true });
  for (const [k, bytes] of files.entries())
    writeFileSync(join(folder, name, k % 2 ? 'down' : 'across', `${k}.png`), Uint8Array.from(bytes));
  return join(folder, name);
}

test('a shipped run: curves, filters and features by epoch, and a cell in Explore', async (t) => {
  const page = await visit(t, site, { hash: '#view=training&run=twin-7-2&images=40&epoch=many' });
  await says(page, '[data-tr-title]', /7×7 at stride 2/);
  assert.match(await page.locator('unpool-training [data-alert]').innerText(), /epoch/);
  await says(page, '[data-tr-at]', at(last));
  const right = run.epochs.find(({ epoch }) => epoch === last)?.test.accuracy ?? 0;
  await says(page, '[data-tr-facts]', new RegExp(`Right on the test\\s*${(100 * right).toFixed(1)}`));
  for (const chart of ['loss', 'accuracy'])
    assert.ok((await page.locator(`[data-tr-${chart}] path.curve`).count()) >= 2, chart);
  await eventually(async () => assert.equal(await page.locator('[data-tr-filters] canvas').count(), 32), LONG);
  const end = await filters(page);

  // By slider, by key, by play.
  const slider = page.getByRole('slider', { name: 'Epoch' });
  await slider.focus();
  await slider.press('Home');
  await says(page, '[data-tr-at]', at(0));
  await says(page, '[data-tr-facts]', /random weights/);
  assert.equal(hash(page).get('epoch'), '0');
  await eventually(async () => assert.notEqual(await filters(page), end), LONG);
  await page.locator('[data-tr-title]').click();
  await page.keyboard.press('ArrowRight');
  await says(page, '[data-tr-at]', at(kept[1]));
  await page.getByRole('button', { name: 'Play' }).click();
  await says(page, '[data-tr-at]', at(last));
  await eventually(async () => assert.equal(await filters(page), end), LONG);
  await page.getByRole('button', { name: 'Play' }).waitFor();

  // Six maps at every checkpoint, each with its winner.
  const cells = page.locator('.evo-cell:enabled');
  await eventually(async () => assert.equal(await cells.count(), 6 * kept.length), LONG);
  await says(page, '[data-evo-say]', /40 training images.*marks a jump/);
  assert.ok((await page.locator('.evo-cell.is-jump').count()) > 0);
  await page.locator('[data-evo-maps]').fill('3, 5');
  await page.locator('[data-evo-maps]').press('Enter');
  await eventually(async () => assert.equal(await cells.count(), 2 * kept.length), LONG);
  assert.equal(hash(page).get('features'), '3,5');
  const cell = cells.nth(kept.length + 2);
  const label = await cell.getAttribute('aria-label');
  const [, map, epoch, value] = /Map (\d+), epoch (\d+): .*response ([\d.]+)/.exec(label ?? '') ?? [];
  assert.deepEqual([map, epoch], ['5', String(kept[2])], label ?? '');
  await cell.click();
  await ready(page);
  await eventually(async () => assert.match(await unit(page), /conv3, map 5/), LONG);
  assert.equal(hash(page).get('model'), `run.twin-7-2-epoch-${kept[2]}`);
  // The photo's window is resized anew, so the response is nearly the same.
  const shown = Number(/activation ([\d.]+)/.exec(await unit(page))?.[1]);
  assert.ok(Math.abs(shown - Number(value)) < 0.1 * Number(value), `${shown} for ${value}`);
});

test('a folder of two classes: trained, paused, stepped, begun anew alike, and opened in Explore', async (t) => {
  const page = await visit(t, site, { hash: '#view=training&run=live&epochs=50000&batch=8&luck=7' });
  const own = await draw(page, 'stripes', 20);
  await says(page, '[data-tr-title]', /Train a network here/);
  await page.locator('[data-live-folder]').setInputFiles(own);
  await eventually(() => assert.equal(hash(page).get('data'), 'own'));
  await press(page, 'step');
  await says(page, '[data-live-status]', /Paused in epoch 1 of 50000, at batch 1 of 5/);
  await says(page, '[data-tr-say]', /36 images to learn from, 4 to test/);
  const first = await page.locator('[data-tr-facts]').innerText();
  assert.match(first, /Right now\s*[\d.]+ %\s*in the last batches; loss [\d.]+/);
  await eventually(async () => assert.equal(await page.locator('[data-tr-filters] canvas').count(), 6), LONG);

  await press(page, 'go');
  await says(page, '[data-live-status]', /Epoch [1-9]\d+ of 50000: [\d.]+ images\/s/);
  // Stripes are learned in no time.
  await says(page, '[data-tr-facts]', /Right on the test\s*100\.00 %/);
  // Left it waits, and goes on when one is back.
  await page.locator('.views [data-view=project]').click();
  await ready(page);
  await page.locator('.views [data-view=training]').click();
  await says(page, '[data-live-act=go]', /Pause/);
  await press(page, 'go');
  await says(page, '[data-live-status]', /Paused in epoch \d+/);
  await eventually(async () => assert.ok((await page.locator('[data-tr-loss] path.curve').count()) >= 2));
  // The networks of some epochs are kept, as they were at their ends.
  await eventually(async () => {
    const heads = await page.locator('.evo-epoch').allInnerTexts();
    assert.deepEqual([...heads.slice(0, 5), heads.at(-1)], ['0', '1', '2', '5', '10', 'now']);
    assert.ok((await page.locator('.evo-cell:enabled').count()) >= 36);
  }, LONG);
  const epoch = page.getByRole('slider', { name: 'Epoch' });
  assert.equal(await epoch.inputValue(), await epoch.getAttribute('max'));

  // The rate changes on the way; one without sense is not taken.
  const rate = page.locator('[data-live-field=rate]');
  await rate.fill('0');
  await rate.press('Enter');
  assert.equal(await rate.getAttribute('aria-invalid'), 'true');
  await rate.fill('0.003');
  await rate.press('Enter');
  await eventually(() => assert.equal(hash(page).get('rate'), '0.003'));
  await rate.fill('');
  await rate.press('Enter');

  // The same seed gives the same first step.
  await press(page, 'reset');
  await says(page, '[data-live-status]', /at batch 0 of 5/);
  await press(page, 'step');
  await says(page, '[data-live-status]', /at batch 1 of 5/);
  await eventually(async () => assert.equal(await page.locator('[data-tr-facts]').innerText(), first));

  // State and network leave the page; the state is gone on with.
  const state = page.waitForEvent('download');
  await press(page, 'save');
  const saved = join(folder, 'state.safetensors');
  await (await state).saveAs(saved);
  await press(page, 'step');
  await says(page, '[data-live-status]', /at batch 2 of 5/);
  await page.locator('[data-live-file]').setInputFiles(saved);
  await says(page, '[data-live-status]', /at batch 1 of 5/);
  const network = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the network' }).click();
  assert.equal((await network).suggestedFilename(), 'live.safetensors');
  await page.getByRole('button', { name: 'Open in Explore' }).first().click();
  await ready(page);
  await eventually(async () => assert.match(await unit(page), /^(c1|relu1|s2|c3)/), LONG);
  assert.equal(hash(page).get('view'), 'project');
});

test('a network that does not fit names the layer; folders without sense are refused in words', async (t) => {
  const page = await visit(t, site, { hash: '#view=training&run=live' });
  await says(page, '[data-tr-title]', /Train a network here/);
  await press(page, 'edit');
  const text = page.locator('[data-spec]');
  await eventually(async () => assert.match(await text.inputValue(), /"name":"c3"/), LONG);
  await eventually(async () => assert.equal(await page.locator('[data-spec-sizes] tr').count(), 12), LONG);
  await says(page, '[data-spec-sizes]', /c5\s*conv\s*120 × 1 × 1\s*48120/);
  const good = await text.inputValue();
  await text.fill(good.replace('"filters":120,"kernel":[5,5]', '"filters":120,"kernel":[9,9]'));
  await says(page, '[data-spec-fault]', /c5/);
  assert.equal(await text.getAttribute('aria-invalid'), 'true');
  assert.match(await page.locator('[data-spec-sizes] .is-wrong').innerText(), /^c5/);
  assert.equal(hash(page).get('spec'), null);
  // It stays while something else is done, and is not trained.
  await page.locator('[data-live-folder]').setInputFiles(await draw(page, 'few', 2));
  await press(page, 'go');
  await says(page, '[data-live-trouble]', /does not fit together yet/);
  await says(page, '[data-spec-fault]', /c5/);
  await press(page, 'original');
  await eventually(async () => assert.equal(await text.inputValue(), good), LONG);
  await text.fill(good.replace('"filters":120', '"filters":60'));
  await says(page, '[data-spec-sizes]', /c5\s*conv\s*60 × 1 × 1/);
  await eventually(() => assert.match(hash(page).get('spec') ?? '', /"filters":60/));
  // The link has it.
  const again = await visit(t, site, { hash: `#${new URL(page.url()).hash.slice(1)}` });
  await again.locator('[data-live-act=edit]').click();
  await says(again, '[data-spec-sizes]', /c5\s*conv\s*60 × 1 × 1/);

  const own = await draw(page, 'lonely', 3);
  await page.locator('[data-live-folder]').setInputFiles(join(own, 'down'));
  await press(page, 'go');
  await says(page, '[data-live-trouble]', /one folder for each class/);
  mkdirSync(join(folder, 'notes'));
  writeFileSync(join(folder, 'notes', 'a.txt'), 'no picture');
  await page.locator('[data-live-folder]').setInputFiles(join(folder, 'notes'));
  await press(page, 'go');
  await says(page, '[data-live-trouble]', /no picture in what was chosen/);
});

test('a run that diverges says so, keeps what it had, and goes on slower', async (t) => {
  const page = await visit(t, site, { hash: '#view=training&run=live&rate=100&epochs=3&batch=8' });
  const own = await draw(page, 'waves', 12);
  await page.locator('[data-live-folder]').setInputFiles(own);
  await press(page, 'go');
  await says(page, '[data-live-trouble]', /diverged at step \d+.*Go on at a tenth of the rate/s);
  await page.getByRole('button', { name: 'Go on at a tenth of the rate' }).click();
  await eventually(() => assert.equal(hash(page).get('rate'), '10'));
});

test('links restore run, epoch, maps and settings; keys and both languages', async (t) => {
  const page = await visit(t, site, {
    hash: '#view=training&run=live&net=twin-11-4&data=pool&rate=0.003&epochs=5&batch=16&luck=9&lang=ru&spec=%7B',
  });
  await says(page, '[data-tr-title]', /Обучите сеть здесь/);
  // What is no network is said, and the file's is taken.
  await says(page, 'unpool-training [data-alert]', /spec/);
  for (const [name, value] of Object.entries({ rate: '0.003', epochs: '5', batch: '16', luck: '9' }))
    await eventually(
      async () => assert.equal(await page.locator(`[data-live-field=${name}]`).inputValue(), value),
      LONG,
    );
  assert.equal(await page.locator('[data-live-pick=net]').inputValue(), 'twin-11-4');
  assert.equal(await page.locator('[data-live-pick=data]').inputValue(), 'pool');
  await page.locator('[data-run="twin-11-4"]').focus();
  await page.keyboard.press('ArrowRight');
  await eventually(() => assert.equal(hash(page).get('run'), null));
  await says(page, '[data-tr-at]', new RegExp(`эпоха ${last} из ${run.epochs.length}`));
});

test('begun anew while it is still being made, a run is made once; a refusal is forgotten with other data', async (t) => {
  const page = await visit(t, site, { hash: '#view=training&run=live&epochs=9000&batch=8' });
  const own = await draw(page, 'dots', 12);
  await page.locator('[data-live-folder]').setInputFiles(join(own, 'down'));
  await press(page, 'go');
  await says(page, '[data-live-trouble]', /one folder for each class/);
  await page.locator('[data-live-folder]').setInputFiles(own);
  await eventually(async () => assert.ok(await page.locator('[data-live-trouble]').isHidden()), LONG);
  for (const act of ['go', 'reset', 'reset', 'go']) await press(page, act);
  await says(page, '[data-live-status]', /images\/s/);
  assert.ok(await page.locator('[data-live-trouble]').isHidden());
});
