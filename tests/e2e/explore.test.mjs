// The Explore view as a visitor meets it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { drop, eventually, ready, unit, useBrowser, verdict, visit } from './browser.mjs';
import { host } from './server.mjs';

/** @type {import('./server.mjs').Host} */
let site;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
});
after(() => site.stop());

/** @param {import('playwright-core').Page} page */
const hash = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));

test('a first visit shows an analysed sample', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  const shown = await page.evaluate(() => performance.now());
  t.diagnostic(`analysed after ${Math.round(shown)} ms`);
  assert.match(await verdict(page), /cat|tabby|lynx/i);
  for (const name of ['Choose a layer', 'Choose a map', 'Compare what it saw'])
    assert.ok(await page.getByRole('heading', { name }).isVisible(), name);
  // The projection is a picture, not a blank: many grey levels, and mid-grey among them.
  const levels = await page
    .locator('[data-plate="projection"] canvas')
    .evaluate((/** @type {HTMLCanvasElement} */ canvas) => {
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return new Set(pixels).size;
    });
  assert.ok(levels > 20, `${levels} levels`);
});

test('a dropped photo is analysed', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  const before = await verdict(page);
  await drop(page, { name: 'mine.webp', type: 'image/webp', url: 'samples/coffee.webp' });
  await eventually(async () => assert.match(await verdict(page), /espresso|cup|coffee/i));
  assert.notEqual(await verdict(page), before);
});

test('arrows walk maps and layers', async (t) => {
  const page = await visit(t, site, { hash: '#photo=cat&layer=fire5/concat&map=17' });
  await ready(page);
  const first = await unit(page);
  await page.getByRole('listbox', { name: 'Choose a map' }).focus();
  await page.keyboard.press('ArrowDown');
  await eventually(async () => assert.notEqual(await unit(page), first));
  assert.notEqual(hash(page).get('map'), '17');
  await page.keyboard.press('ArrowUp');
  await eventually(async () => assert.equal(await unit(page), first));
  await page.keyboard.press('ArrowRight');
  await eventually(() => assert.notEqual(hash(page).get('layer'), 'fire5/concat'));
});

test('a link restores the view', async (t) => {
  const page = await visit(t, site, { hash: '#photo=coffee&layer=fire5/concat&map=17&at=6,4&rule=guided' });
  await ready(page);
  await eventually(async () => assert.match(await unit(page), /17/));
  assert.match(await verdict(page), /espresso|cup|coffee/i);
  assert.ok(await page.getByRole('radio', { name: /^Guided/ }).isChecked());
  const shown = await unit(page);
  await page.reload();
  await ready(page);
  await eventually(async () => assert.equal(await unit(page), shown));
});

test('a bad value in a link is named and the default stands', async (t) => {
  const page = await visit(t, site, { hash: '#photo=cat&rule=backwards&layer=nowhere' });
  await ready(page);
  const alert = await page.getByRole('alert').innerText();
  assert.match(alert, /backwards/);
  assert.match(alert, /nowhere/);
  assert.ok(await page.getByRole('radio', { name: /^Deconvnet/ }).isChecked());
});

test('a phone needs no sideways scrolling', async (t) => {
  const page = await visit(t, site, { phone: true });
  await ready(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} px`);
});
