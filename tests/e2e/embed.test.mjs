// The page as a part of somebody else's, under another path and from another origin.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { browser, eventually, useBrowser } from './browser.mjs';
import { folderOf } from './native.mjs';
import { host } from './server.mjs';

useBrowser();

const BASE = '/course/unpool/';
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/**
 * A lesson with a viewer in it, and what the viewer said.
 * @param {import('node:test').TestContext} t
 * @param {{ foreign?: boolean, attributes?: string }} [options] `foreign`: on another host than the page, and not isolated
 */
async function lesson(t, { foreign = false, attributes = '' } = {}) {
  const site = await host({ base: BASE, isolated: !foreign, cors: foreign });
  const folder = folderOf(t);
  const other = await host({ folder });
  const context = await (await browser()).newContext({ locale: 'en-GB', serviceWorkers: 'block' });
  t.after(async () => {
    await context.close();
    await site.stop();
    await other.stop();
  });
  const page = await context.newPage();
  const body = `<!doctype html><html lang="en"><title>Lesson</title><h1>Lesson</h1>
    <style>unpool-viewer { width: 700px; height: 450px }</style>
    <script>
      said = [];
      for (const type of ['unpool:ready', 'unpool:select', 'unpool:error'])
        addEventListener(type, ({ target, detail }) => said.push([type, target.localName, detail]));
    </script>
    <script type="module" src="${site.url}embed.js"></script>
    <unpool-viewer photo="cat" layer="fire5/concat" map="17" lang="en" title="One unit" ${attributes}></unpool-viewer>`;
  const address = foreign ? `${other.url}one.html` : `${new URL(site.url).origin}/lesson/one.html`;
  // Another origin has to be a real host: browsers do not let a page of unknown origin ask this machine.
  writeFileSync(join(folder, 'one.html'), body);
  if (!foreign)
    await page.route(address, (route) => route.fulfill({ contentType: 'text/html', headers: ISOLATION, body }));
  await page.goto(address);
  const inside = page.frameLocator('unpool-viewer iframe');
  /** @param {string} type */
  const said = async (type) =>
    (await page.evaluate('said')).filter((/** @type {[string, string, any]} */ [one]) => one === type);
  return { page, site, inside, said };
}

test('a viewer shows the unit of its attributes, follows them, and says what happens', async (t) => {
  const { page, site, inside, said } = await lesson(t);
  const id = inside.locator('[data-unit-id]');
  await id.filter({ hasText: 'fire5/concat, map 17' }).waitFor({ timeout: 60_000 });
  await eventually(async () => assert.equal((await said('unpool:ready')).length, 1));
  await eventually(async () => {
    const [, from, detail] = (await said('unpool:select')).at(-1);
    assert.equal(from, 'unpool-viewer');
    assert.deepEqual([detail.layer, detail.map, detail.at.length], ['fire5/concat', 17, 2]);
    assert.ok(detail.value > 0);
  });
  const viewer = page.locator('unpool-viewer');
  assert.deepEqual(
    await viewer.evaluate((node) => [
      node.clientWidth,
      node.clientHeight,
      node.shadowRoot?.querySelector('iframe')?.title,
    ]),
    [700, 450, 'One unit'],
  );
  // A new attribute loads nothing anew, and leaves no trace in the history of the page around it.
  const [hits, steps] = [site.hits.length, await page.evaluate(() => history.length)];
  await viewer.evaluate((node) => node.setAttribute('map', '18'));
  await id.filter({ hasText: 'map 18' }).waitFor({ timeout: 60_000 });
  await eventually(async () => assert.equal((await said('unpool:select')).at(-1)[2].map, 18));
  assert.deepEqual([site.hits.length, await page.evaluate(() => history.length)], [hits, steps]);
  await viewer.evaluate((node) => node.setAttribute('photo', 'coffee'));
  await inside
    .getByText(/espresso|cup/i)
    .first()
    .waitFor({ timeout: 60_000 });
  // Of isolation, what the page around has is handed down.
  assert.ok(await inside.locator('body').evaluate(() => crossOriginIsolated));
});

test('what goes wrong inside is told outside', async (t) => {
  const { said } = await lesson(t, { attributes: 'model="nowhere"' });
  await eventually(async () => {
    const [error] = await said('unpool:error');
    assert.match(error[2].message, /nowhere/);
  }, 60_000);
});

test('from another origin, without isolation', async (t) => {
  const { page, inside, said } = await lesson(t, { foreign: true });
  await inside.locator('[data-unit-id]').filter({ hasText: 'map 17' }).waitFor({ timeout: 60_000 });
  await eventually(async () => assert.equal((await said('unpool:select')).at(-1)[2].map, 17));
  await page.locator('unpool-viewer').evaluate((node) => node.setAttribute('map', '18'));
  await eventually(async () => assert.equal((await said('unpool:select')).at(-1)[2].map, 18), 60_000);
});
