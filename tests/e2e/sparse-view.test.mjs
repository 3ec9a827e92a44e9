// The Sparse view: a layer inverted, a step too large, strokes learned, a photo coded in them.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { drop, eventually, useBrowser, visit } from './browser.mjs';
import { host } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('./server.mjs').Host} */
let site;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
});
after(() => site.stop());

/** @param {Page} page @param {string} name */
const panel = (page, name) => page.locator(`[data-chapter-panel=${name}]`);
/** Waits until the work of a chapter is over. @param {Page} page @param {string} name @param {RegExp} [pattern] */
const over = (page, name, pattern = /^Done in/) =>
  eventually(async () => assert.match(await panel(page, name).locator('.spa-run p').innerText(), pattern), 240_000);
/** @param {Page} page @param {string} name @param {string} plate */
const caption = (page, name, plate) => panel(page, name).locator(`[data-plate=${plate}] figcaption`).innerText();
/** Shares of the colours of a canvas: how many pixels differ from mid-grey. @param {Page} page @param {string} selector */
const drawn = (page, selector) =>
  page.locator(selector).evaluate((node) => {
    const canvas = /** @type {HTMLCanvasElement} */ (node);
    const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(
      0,
      0,
      canvas.width,
      canvas.height,
    );
    return data.reduce((n, value, i) => n + (i % 4 === 0 && Math.abs(value - 128) > 2 ? 1 : 0), 0);
  });
/** @param {Page} page */
const hash = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));

test('a layer is inverted by both methods, beside one step back; a step too large is said to be', async (t) => {
  const page = await visit(t, site, { hash: '#view=sparse&photo=cat&iterations=50&lambda=-1&chapter=none' });
  await over(page, 'invert');
  for (const key of ['lambda', 'chapter'])
    assert.match(await page.locator('unpool-sparse [data-alert]').innerText(), new RegExp(key));
  const invert = panel(page, 'invert');
  // Pictures follow the words.
  await eventually(async () =>
    assert.match(await caption(page, 'invert', 'z'), /Recovered by FISTA, 50 iterations; likeness 0\.\d+/),
  );
  const likeness = async (/** @type {string} */ plate) =>
    Number(/likeness ([\d.]+)/.exec(await caption(page, 'invert', plate))?.[1]);
  assert.ok((await likeness('z')) > (await likeness('transpose')), 'what the optimisation adds');
  assert.equal(await invert.locator('.spa-chart path.curve').count(), 2);
  assert.match(
    await invert.locator('.spa-facts').innerText(),
    /Support[\s\S]*values are not zero[\s\S]*FISTA[\s\S]*to where ISTA is/,
  );
  for (const plate of ['truth', 'z', 'transpose', 'response', 'residual'])
    await eventually(async () => assert.ok((await drawn(page, `[data-plate=${plate}] canvas`)) > 0, plate));
  assert.ok(await invert.locator('[data-spa-diverged]').isHidden());

  // Another map of what came in.
  await invert.locator('[data-spa-thumbs] button').nth(1).click();
  const map = await invert.locator('[data-spa-thumbs] button').nth(1).getAttribute('data-map');
  await eventually(async () => assert.match(await caption(page, 'invert', 'truth'), new RegExp(`map ${map}$`)));
  assert.equal(hash(page).get('channel'), map);

  await invert.getByRole('radio', { name: 'ISTA', exact: true }).click();
  const step = invert.getByRole('slider', { name: 'Step β' });
  await step.focus();
  await step.press('End');
  await eventually(
    async () => assert.match(await invert.locator('[data-spa-diverged]').innerText(), /rises|Diverged/),
    60_000,
  );
  assert.equal(hash(page).get('beta'), '10');
  assert.equal(hash(page).get('solver'), 'ista');
  await step.press('Home');
  await eventually(async () => assert.ok(await invert.locator('[data-spa-diverged]').isHidden()), 60_000);
  await invert.locator('[data-spa-pick=down]').selectOption('2');
  await eventually(async () => assert.equal(await invert.locator('[data-spa-down] .spa-trio').count(), 3), 120_000);
  await eventually(
    async () =>
      assert.match(
        await invert.locator('[data-spa-down]').innerText(),
        /From fire2[\s\S]* of the response is known; few values[\s\S]*From conv1 to data: [\d.]+ % of the response is known; neighbouring pixels/,
      ),
    60_000,
  );
  const saved = page.waitForEvent('download');
  await invert.getByRole('button', { name: 'Objective as CSV' }).click();
  assert.match((await saved).suggestedFilename(), /^squeezenet-.*objective\.csv$/);
});

test('strokes are learned, stopped and gone on with, and the photo is coded in them', async (t) => {
  const page = await visit(t, site, {
    hash: '#view=sparse&chapter=learn&photo=cat&atoms=6&passes=2&shots=4&iterations=15',
  });
  const learn = panel(page, 'learn');
  await over(page, 'learn', /Nothing is learned yet/);
  await learn.getByRole('button', { name: 'Begin' }).click();
  // On a quick machine it may be over before somebody stops it.
  await learn
    .locator('[data-run=stop]')
    .click({ timeout: 5000 })
    .catch(() => {});
  await over(page, 'learn', /^Stopped|^Done/);
  const resume = learn.getByRole('button', { name: 'Go on' });
  if (await resume.isVisible()) await resume.click();
  await over(page, 'learn');
  await eventually(async () => assert.equal(await learn.locator('[data-spa-strokes] canvas').count(), 6));
  await eventually(async () =>
    assert.match(
      await learn.locator('.spa-facts').innerText(),
      /Passes\s*2\s*of 2, over 4 photos[\s\S]*Drawn anew\s*\d+/,
    ),
  );
  const saved = page.waitForEvent('download');
  await learn.getByRole('button', { name: 'Save the dictionary' }).click();
  assert.equal((await saved).suggestedFilename(), 'dictionary.safetensors');

  await learn.getByRole('button', { name: 'Code the photo in them' }).click();
  await over(page, 'code');
  const code = panel(page, 'code');
  await eventually(async () => {
    assert.match(await caption(page, 'code', 'left'), /What is left: \d+ % of the norm/);
    assert.equal(await code.locator('.spa-zmap').count(), 6);
    assert.equal(await code.locator('[data-spa-chart] path.curve').count(), 2);
    assert.equal(await code.locator('[data-spa-path] path.curve').count(), 2);
  });
  await code.locator('.spa-zmap').first().click();
  await eventually(async () =>
    assert.match(await caption(page, 'code', 'image'), /Stroke \d is drawn at [1-9]\d* places/),
  );
});

const shipped = existsSync(new URL('../../dist/dictionary.safetensors', import.meta.url));
test('layers of strokes: each explains the photo, and an activation is taken apart', { skip: !shipped }, async (t) => {
  const page = await visit(t, site, { hash: '#view=sparse&chapter=layers&photo=cat&iterations=2' });
  await over(page, 'layers');
  const layers = panel(page, 'layers');
  const levels = layers.locator('[data-spa-levels] button');
  await eventually(async () => assert.ok((await levels.count()) > 1));
  const n = await levels.count();
  assert.equal(await layers.locator('[data-spa-recs] figure').count(), n + 1);
  for (let i = 1; i <= n; i += 1)
    await eventually(async () =>
      assert.match(
        await layers.locator('[data-spa-recs] figcaption').nth(i).innerText(),
        new RegExp(`Layer ${i}, \\d+ maps: [\\d.]+ % of the norm is left; [\\d.]+ % of the values`),
      ),
    );
  // From the second layer: one row for the photo, one for each level.
  await levels.nth(1).click();
  await eventually(async () => {
    assert.equal(await layers.locator('.spa-level').count(), 3);
    assert.match(await layers.locator('.spa-level').nth(1).innerText(), /Layer 2: 1 activation/);
  });
  const filters = layers.locator('[data-spa-filters] button');
  const map = await filters.nth(1).getAttribute('data-map');
  await filters.nth(1).click();
  await eventually(async () => assert.equal(await filters.nth(1).getAttribute('aria-pressed'), 'true'));
  assert.equal(hash(page).get('channel'), map);
  assert.equal(hash(page).get('level'), '2');
});

test('what makes no sense is said in the reader’s language, and nothing hangs', async (t) => {
  const bad = [
    'iterations=0',
    'strength=-2',
    'beta=NaN',
    'atoms=7',
    'passes=0',
    'shots=none',
    'level=-1',
    'solver=newton',
  ];
  const page = await visit(t, site, { hash: `#view=sparse&lang=ru&chapter=code&photo=cat&${bad.join('&')}` });
  const says = page.locator('unpool-sparse [data-alert]');
  for (const key of bad.map((one) => one.split('=')[0]))
    await eventually(async () => assert.match(await says.innerText(), new RegExp(`\\b${key}\\b`)), 60_000);
  // A photo of one colour has no contrast: the defaults stand, but there is nothing to explain.
  const bytes = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(60, 50);
    canvas.getContext('2d')?.fillRect(0, 0, 60, 50);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer())];
  });
  await drop(page, { name: 'flat.png', type: 'image/png', bytes });
  await over(page, 'code', /вычислять нечего\. .*of one colour throughout/);
  await page.locator('#spa-tab-learn').click();
  const learn = panel(page, 'learn');
  await learn
    .locator('[data-spa-files]')
    .setInputFiles({ name: 'flat.png', mimeType: 'image/png', buffer: Buffer.from(bytes) });
  await learn.locator('[data-run=begin]').click();
  await over(page, 'learn', /вычислять нечего\. .*none of the photos has any contrast/);
});

test('a step that is too large is said in Russian too', async (t) => {
  const page = await visit(t, site, {
    hash: '#view=sparse&lang=ru&photo=cat&layer=conv1&solver=ista&beta=10&iterations=2000',
  });
  await eventually(
    async () =>
      assert.match(
        await panel(page, 'invert').locator('[data-spa-diverged]').innerText(),
        /^Расходится: после \d+ итераци[ий] .* в 10,0 раза больше/,
      ),
    120_000,
  );
});
