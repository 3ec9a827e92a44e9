// Any static host: with headers or without, at a root or under a path, online or not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ready, useBrowser, verdict, visit } from './browser.mjs';
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

for (const isolated of [false, true])
  test(`offline after the first load, ${isolated ? 'with' : 'without'} headers`, async (t) => {
    const site = await stand(t, { isolated });
    const page = await visit(t, site, {
      serviceWorkers: 'allow',
      expect: /ERR_(EMPTY_RESPONSE|CONNECTION|FAILED|INTERNET)/,
    });
    await ready(page);
    // The worker may still be storing what the page has just used.
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await ready(page);
    site.down = true;
    await page.reload();
    await ready(page);
    assert.match(await verdict(page), /\w/);
  });
