// The Filters view: numbers that agree with the pictures, rules one can change, work that stops, two networks, files, refusals.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { eventually, ready, unit, useBrowser, visit } from './browser.mjs';
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

const LONG = 120_000;
/** @param {Page} page */
const hash = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));
/** @param {Page} page @param {string} selector @param {RegExp} pattern */
const says = (page, selector, pattern) =>
  eventually(async () => assert.match(await page.locator(selector).innerText(), pattern), LONG);
/** @param {Page} page */
const order = (page) =>
  page
    .locator('[data-fil-grid] > *')
    .evaluateAll((all) => all.map((one) => Number(/** @type {HTMLElement} */ (one).dataset.filter)));
/** All that is measured is there. @param {Page} page */
const measured = (page) => says(page, '[data-fil-run-text]', /^From the gallery|photographs? of the page/);

test('AlexNet’s first layer: orders, rules, one filter, the second layer, and on to Explore', async (t) => {
  const page = await visit(t, site, { hash: '#view=filters&model=alexnet&filter=56' });
  await says(page, '[data-fil-what]', /conv1 of AlexNet: 64 filters, 11×11, stride 4/);
  await says(page, '[data-fil-facts]', /Filter 56 .*RMS 0\.\d+.*cycles per pixel.*°/);
  assert.equal(await page.locator('[data-fil-spectra] .line.is-looked').count(), 1);
  const byFrequency = await order(page);
  assert.equal(new Set(byFrequency).size, 64);
  await page.locator('[data-fil-pick=by]').selectOption('number');
  await eventually(async () => assert.deepEqual((await order(page)).slice(0, 4), [0, 1, 2, 3]));

  // A stricter rule finds more; one without sense is refused; the link has what holds.
  const count = async (/** @type {number} */ i) => Number(await page.locator(`[data-fil-count="${i}"]`).innerText());
  assert.deepEqual([await count(0), await count(1), await count(2)], [0, 4, 0]);
  const dominant = page.locator('[data-fil-rule=dominant]');
  await dominant.fill('1.5');
  await dominant.press('Enter');
  await eventually(async () => assert.ok((await count(2)) > 0));
  assert.equal(await page.locator('.fil-first [data-flag=dominant]').count(), await count(2));
  await dominant.fill('many');
  await dominant.press('Enter');
  assert.equal(await dominant.getAttribute('aria-invalid'), 'true');
  assert.equal(hash(page).get('dominant'), '1.5');

  // The second layer: a projection for each map that fires, a spectrum, a verdict.
  await measured(page);
  await says(page, '[data-fil-aliasing]', /\d\.\d % of the power of 1\d\d projections .* ×\d\.\d\d .*grid stands out/);
  await says(page, '.fil-rules', /never above 0 on 3\d\d photographs/);
  const pictures = page.locator('[data-fil-pictures] > *');
  await eventually(async () => assert.ok((await pictures.count()) > 180));
  // By its map: they are put in order once all are there.
  const map = await pictures.nth(3).getAttribute('data-map');
  const picture = page.locator(`[data-fil-pictures] [data-map="${map}"]`);
  await picture.hover();
  await says(page, '[data-fil-picture-facts]', /Map \d+ response [\d.]+; [\d.]+ %/);
  await picture.click();
  await eventually(() => assert.equal(hash(page).get('second'), map));
  assert.equal(await page.locator('[data-fil-gridchart] .line.is-looked').count(), 1);

  await page.getByRole('button', { name: 'Open conv1, map 56, in Explore' }).click();
  await ready(page);
  await eventually(async () => assert.match(await unit(page), /conv1, map 56: activation/));
});

test('two networks at the same scales, a verdict in words, both languages, files', async (t) => {
  const page = await visit(t, site, { hash: '#view=filters&model=alexnet&against=squeezenet&by=rms' });
  await says(page, '[data-fil-side=b] h3', /B: SqueezeNet 1\.1, 3×3, stride 2/);
  await says(page, '[data-fil-verdict]', /SqueezeNet 1\.1 \(3×3, stride 2\) against AlexNet \(11×11, stride 4\)/);
  // Both are measured, one after the other: then nothing is left out of the verdict.
  await says(page, '[data-fil-verdict]', /stride’s frequencies .*three complaints/);
  assert.equal(await page.locator('[data-fil-side=b] .filter').count(), 64);
  const saved = async (/** @type {string} */ kind) => {
    const coming = page.waitForEvent('download');
    await page.locator(`[data-fil-save=${kind}]`).click();
    const file = await coming;
    return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
  };
  const json = await saved('json');
  assert.equal(json.name, 'alexnet-conv1-filters.json');
  const all = JSON.parse(json.bytes.toString());
  assert.deepEqual([all.filters.length, all.power.length, all.shape[2], all.with.shape[2]], [64, 20, 11, 3]);
  assert.ok(all.filters[0].rms > all.filters[63].rms, 'in the order of the page');
  assert.ok(all.gap.depth > 0.15 && Math.abs(all.gap.at - 0.19) < 0.03, JSON.stringify(all.gap));
  assert.deepEqual(
    all.comparison.findings.map((/** @type {{ what: string }} */ { what }) => what),
    ['dead', 'gap', 'aliasing'],
  );
  const table = (await saved('csv')).bytes.toString().trim().split('\n');
  assert.equal(table.length, 65);
  assert.match(table[0], /^filter,rms,share,peak,flag,frequency/);
  assert.deepEqual([...(await saved('png')).bytes.subarray(1, 4)], [...Buffer.from('PNG')]);

  await page.locator('button[data-lang=ru]').click();
  await says(page, '[data-fil-verdict]', /SqueezeNet 1\.1 \(3×3, шаг 2\) против AlexNet/);
  await page.locator('button[data-lang=en]').click();
  await page.getByRole('button', { name: 'Swap A and B' }).click();
  await says(page, '[data-fil-what]', /conv1 of SqueezeNet 1\.1: 64 filters, 3×3/);
  await says(page, '[data-fil-side=b] h3', /B: AlexNet, 11×11/);
  assert.deepEqual([hash(page).get('model'), hash(page).get('against')], ['squeezenet', 'alexnet']);
  await page.getByRole('button', { name: 'End the comparison' }).click();
  await eventually(async () => assert.equal(await page.locator('[data-fil-side=b]').isVisible(), false));
});

test('files as A and B: grey, dead filters, no convolution, no network at all', async (t) => {
  const grey = {
    ...spec,
    name: 'grey',
    title: 'Grey',
    input: { shape: [1, 32, 32], mean: [], std: [], order: 'rgb' },
  };
  const shapes = { 'conv1.weight': [8, 1, 3, 3] };
  // The first filter has no weights.
  const bytes = model({ spec: grey, shapes, fill: (value, i) => (i < 9 ? 0 : value) });
  const dense = {
    ...spec,
    name: 'dense',
    title: 'Dense',
    layers: [{ name: 'fc', kind: 'dense', units: 5 }],
  };
  const none = { 'conv1.weight': [], 'conv1.bias': [], 'conv2.weight': [], 'conv2.bias': [] };
  const flat = model({ spec: dense, shapes: { ...none, 'fc.weight': [5, 3072] } });
  const file = (/** @type {string} */ name, /** @type {Uint8Array} */ body) => ({
    ...{ name: `${name}.safetensors`, mimeType: 'application/octet-stream' },
    buffer: Buffer.from(body),
  });
  const page = await visit(t, site, { hash: '#view=filters&model=alexnet' });
  await says(page, '[data-fil-what]', /AlexNet/);
  await page.locator('[data-fil-file]').setInputFiles(file('tiny', model()));
  await says(page, '[data-fil-side=b] h3', /B: Tiny, 3×3, stride 1/);
  await says(page, '[data-fil-verdict]', /Tiny \(3×3, stride 1\)|tiny \(3×3, stride 1\)/);
  assert.equal(hash(page).get('against'), null, 'a file is no part of a link');
  await page.locator('[data-fil-file]').setInputFiles(file('broken', bytes.subarray(0, 3000)));
  await eventually(async () => assert.equal(await page.locator('.fil-verdict.is-wrong').count(), 1), LONG);
  await page.getByRole('button', { name: 'End the comparison' }).click();

  await page.locator('[data-model-file]').setInputFiles(file('grey', bytes));
  await says(page, '[data-fil-what]', /conv1 of Grey: 8 filters/);
  await says(page, '[data-fil-count="0"]', /^[1-8]$/);
  await eventually(async () =>
    assert.equal(await page.locator('[data-fil-grid] [data-filter="0"][data-flag=dead]').count(), 1),
  );
  await page.locator('[data-model-file]').setInputFiles(file('dense', flat));
  await says(page, '[data-fil-none]', /Dense has no convolution/);
  assert.equal(await page.locator('[data-fil-grid]').isVisible(), false);
});

test('photographs are stopped and gone on with, on a phone in the dark', async (t) => {
  const page = await visit(t, site, { hash: '#view=filters&photo=cat', phone: true, dark: true });
  /** Holds the photographs back until the test lets them come. @type {() => void} */
  let release = () => {};
  const held = new Promise((done) => {
    release = () => done(undefined);
  });
  await page.route('**/pool/*.webp', async (route) => {
    await held;
    await route.continue().catch(() => {}); // its request may have been given up
  });
  await page.locator('[data-fil-act=stop]').click({ timeout: LONG });
  await says(page, '[data-fil-run-text]', /Stopped at 0 of/);
  release();
  await page.locator('[data-fil-act=go]').click();
  await says(page, '[data-fil-run-text]', /24 photographs of the page were run/);
  await says(page, '[data-fil-aliasing]', /projections/);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} px too wide`);
});
