// axe-core finds nothing to complain about, in light and dark, on a desk and in a hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { ready, useBrowser, visit } from './browser.mjs';
import { model, spec } from './model.mjs';
import { host } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @type {import('./server.mjs').Host} */
let site;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
});
after(() => site.stop());

/** @param {import('playwright-core').Page} page */
async function complaints(page) {
  // Not as a script element: the page's own policy lets in no script but its own.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    // @ts-expect-error axe-core puts itself on window
    const { violations } = await window.axe.run();
    return violations.flatMap((/** @type {any} */ { id, nodes }) =>
      nodes.map((/** @type {any} */ node) => `${id}: ${node.target} ${node.failureSummary}`),
    );
  });
}

for (const phone of [false, true])
  for (const dark of [false, true])
    for (const tab of ['projection', 'way'])
      test(`${phone ? 'phone' : 'desktop'}, ${dark ? 'dark' : 'light'}, ${tab}`, async (t) => {
        const page = await visit(t, site, { phone, dark, hash: `#photo=cat&layer=fire5/concat&tab=${tab}` });
        await ready(page);
        assert.deepEqual(await complaints(page), []);
      });

for (const phone of [false, true])
  for (const dark of [false, true])
    test(`occlusion, ${phone ? 'phone' : 'desktop'}, ${dark ? 'dark' : 'light'}`, async (t) => {
      const page = await visit(t, site, { phone, dark, hash: '#photo=cat&view=occlusion&stride=32' });
      await page.getByRole('button', { name: 'Run again' }).waitFor({ timeout: 60_000 });
      assert.deepEqual(await complaints(page), []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= (phone ? 390 : 1440));
    });

/** @type {Record<string, { hash: string, done: RegExp }>} */
const EXPERIMENTS = {
  invariance: { hash: 'experiment=invariance', done: /25 steps, each a full forward pass/ },
  correspondence: { hash: 'experiment=correspondence', done: /^5 photos, 10 draws/ },
  'two settings': { hash: 'stride=48&b=size:90;stride:48', done: /The two maps agree with/ },
};
for (const [what, { hash, done }] of Object.entries(EXPERIMENTS))
  for (const phone of [false, true])
    test(`occlusion, ${what}, ${phone ? 'phone, dark' : 'desktop, light'}`, async (t) => {
      const page = await visit(t, site, { phone, dark: phone, hash: `#photo=cat&view=occlusion&${hash}` });
      await page.getByText(done).first().waitFor({ timeout: 120_000 });
      assert.deepEqual(await complaints(page), []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= (phone ? 390 : 1440));
    });

for (const phone of [false, true])
  test(`occlusion, no classifier, ${phone ? 'phone, dark' : 'desktop, light'}`, async (t) => {
    const page = await visit(t, site, { phone, dark: phone, hash: '#photo=cat&view=occlusion&stride=64' });
    await page.getByRole('button', { name: 'Run again' }).waitFor({ timeout: 60_000 });
    const buffer = Buffer.from(
      model({
        spec: { ...spec, classes: [], layers: spec.layers.slice(0, 5) },
        shapes: { 'fc.weight': [], 'fc.bias': [] },
      }),
    );
    await page
      .getByLabel('Model file', { exact: true })
      .setInputFiles({ name: 'maps.safetensors', mimeType: '', buffer });
    await page.locator('[data-occ-none]').waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Run again' }).waitFor({ timeout: 60_000 });
    assert.deepEqual(await complaints(page), []);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= (phone ? 390 : 1440));
  });

for (const [phone, dark] of [
  [false, false],
  [true, true],
])
  test(`filters, ${phone ? 'phone, dark' : 'desktop, light'}`, async (t) => {
    const page = await visit(t, site, {
      phone,
      dark,
      hash: '#photo=cat&view=filters&model=alexnet&against=squeezenet',
    });
    await page.locator('[data-fil-pictures] canvas').nth(30).waitFor({ timeout: 60_000 });
    await page.locator('[data-fil-side=b] .filter').nth(63).waitFor({ timeout: 60_000 });
    assert.deepEqual(await complaints(page), []);
  });

for (const phone of [false, true])
  test(`sparse, ${phone ? 'phone, dark' : 'desktop, light'}`, async (t) => {
    const page = await visit(t, site, { phone, dark: phone, hash: '#photo=cat&view=sparse&iterations=5' });
    await page.getByRole('button', { name: 'Run again' }).waitFor({ timeout: 60_000 });
    assert.deepEqual(await complaints(page), []);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= (phone ? 390 : 1440));
  });

for (const phone of [false, true])
  for (const run of ['twin-7-2', 'live'])
    test(`training, ${run}, ${phone ? 'phone, dark' : 'desktop, light'}`, async (t) => {
      const page = await visit(t, site, { phone, dark: phone, hash: `#photo=cat&view=training&run=${run}&images=20` });
      if (run === 'live') {
        await page.getByRole('button', { name: 'Edit its layers' }).click();
        await page.locator('[data-spec-sizes] tr').nth(11).waitFor({ timeout: 60_000 });
      } else await page.locator('.evo-cell:enabled').nth(20).waitFor({ timeout: 120_000 });
      assert.deepEqual(await complaints(page), []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= (phone ? 390 : 1440));
    });
