// Any static host: with headers or without, at a root or under a path, online or not.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventually, ready, useBrowser, verdict, visit } from './browser.mjs';
import { host } from './server.mjs';

useBrowser();

/** What the page says about its engine. @param {import('playwright-core').Page} page */
const engine = async (page) => {
  const button = page.locator('[data-engine]');
  return `${await button.innerText()} ${(await button.getAttribute('title')) ?? ''}`;
};

/** @param {import('node:test').TestContext} t @param {Parameters<typeof host>[0]} options */
const stand = async (t, options) => {
  const site = await host(options);
  t.after(() => site.stop());
  return site;
};

test('with isolation headers: threads', async (t) => {
  const page = await visit(t, await stand(t, { isolated: true }));
  await ready(page);
  assert.match(await engine(page), /[2-9]\d* threads/);
});

test('without headers, where service workers are blocked: one thread, and the page says why', async (t) => {
  const page = await visit(t, await stand(t, {}));
  await ready(page);
  assert.equal(await page.evaluate(() => crossOriginIsolated), false);
  assert.match(await engine(page), /1 thread|one thread/i);
});

test('without headers, with the service worker: threads after one reload', async (t) => {
  const site = await stand(t, {});
  const page = await visit(t, site, { serviceWorkers: 'allow' });
  let loads = 0;
  page.on('load', () => {
    loads += 1;
  });
  await page.waitForFunction(() => globalThis.crossOriginIsolated, undefined, { timeout: 20_000 });
  await ready(page);
  assert.match(await engine(page), /[2-9]\d* threads/);
  assert.ok(loads <= 2, `${loads} loads`);
});

test('without relaxed SIMD: the package without it, with threads, and the same answer', async (t) => {
  const site = await stand(t, { isolated: true });
  const first = await visit(t, site);
  await ready(first);
  const said = await verdict(first);
  assert.ok(site.hits.includes('/wasm/relaxed/unpool_bg.wasm'), 'this browser has it');
  const page = await visit(t, site);
  await page.route('**/engine.js', async (route) => {
    const answer = await route.fetch();
    // Of what is asked, the one about relaxed SIMD has 36 bytes.
    const stub =
      'const knows = WebAssembly.validate; WebAssembly.validate = (code) => code.length !== 36 && knows(code);';
    await route.fulfill({ response: answer, body: `${stub}\n${await answer.text()}` });
  });
  await page.reload();
  await ready(page);
  assert.ok(site.hits.includes('/wasm/threads/unpool_bg.wasm'), site.hits.filter((path) => /wasm/.test(path)).join());
  assert.match(await engine(page), /[2-9]\d* threads/);
  assert.equal(await verdict(page), said);
});

test('under a sub-path', async (t) => {
  const site = await stand(t, { base: '/course/week-3/unpool/', isolated: true });
  const page = await visit(t, site);
  await ready(page);
  assert.match(await verdict(page), /\w/);
  assert.ok(
    site.hits.every((path) => path.startsWith('/course/week-3/unpool/') || path === '/favicon.ico'),
    site.hits.join(),
  );
});

/** What the service worker of this build keeps. @type {string[]} */
const FILES = JSON.parse(
  /FILES = (\[.*?\]);/.exec(readFileSync(new URL('../../dist/isolation-sw.js', import.meta.url), 'utf8'))?.[1] ?? '[]',
);

for (const { what, ...options } of [
  { what: 'with headers', isolated: true },
  { what: 'without headers', isolated: false },
  { what: 'without headers, under a sub-path', isolated: false, base: '/course/week-3/unpool/' },
])
  test(`offline after one visit, ${what}`, async (t) => {
    const site = await stand(t, options);
    const page = await visit(t, site, {
      serviceWorkers: 'allow',
      expect: /ERR_(EMPTY_RESPONSE|CONNECTION|FAILED|INTERNET)/,
    });
    // Of the page's own accord it is loaded once more where only the service worker can isolate it.
    await page.waitForFunction(() => globalThis.crossOriginIsolated, undefined, { timeout: 60_000 });
    await ready(page);
    const scope = await page.evaluate(async () => (await navigator.serviceWorker.ready).scope);
    assert.equal(scope, site.url);
    assert.ok(FILES.length > 100, `${FILES.length} files`);
    await eventually(async () => {
      const missing = await page.evaluate(async (files) => {
        const kept = new Set();
        for (const name of await caches.keys())
          for (const { url } of await (await caches.open(name)).keys()) kept.add(url);
        return files.filter((file) => !kept.has(new URL(file, document.baseURI).href));
      }, FILES);
      assert.deepEqual(missing, []);
    }, 120_000);
    site.down = true;
    await page.reload();
    await ready(page);
    assert.match(await verdict(page), /\w/);
    assert.match(await engine(page), /[2-9]\d* threads/);
    // What the visit had not opened is there too.
    await page.getByRole('link', { name: 'Occlusion' }).click();
    await page.getByRole('heading', { name: 'The square' }).waitFor({ timeout: 60_000 });
  });
