// An empty page beside dist/unpool.js, for tests that use the module as a script of somebody else's does.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { browser, useBrowser } from './browser.mjs';
import { model } from './model.mjs';
import { host } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./server.mjs').Host} Host */

const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** Runs in the page: `name: message` of what a promise is refused with. @param {Promise<unknown>} promise */
async function refused(promise) {
  try {
    await promise;
    return 'accepted';
  } catch (error) {
    return `${/** @type {Error} */ (error).name}: ${/** @type {Error} */ (error).message}`;
  }
}

/**
 * A page with the small network beside it, with `refused` and what `prepare` makes in its globals.
 * @param {Host} site @param {() => Promise<void>} prepare runs in the page @param {{ isolated?: boolean }} [options]
 * @returns {Promise<Page>}
 */
export async function blank(site, prepare, { isolated = true } = {}) {
  const page = await (await browser()).newPage({ serviceWorkers: 'block' });
  page.on('pageerror', (error) => assert.fail(`uncaught: ${error.message}`));
  const headers = isolated ? ISOLATION : {};
  const body = '<!doctype html><title>api</title>';
  await page.route(`${site.url}blank.html`, (route) => route.fulfill({ contentType: 'text/html', headers, body }));
  await page.route(`${site.url}tiny.safetensors`, (route) => route.fulfill({ headers, body: Buffer.from(model()) }));
  await page.goto(`${site.url}blank.html`);
  await page.evaluate(`Object.assign(window, { refused: ${refused} })`);
  await page.evaluate(prepare);
  return page;
}

/** Call once at the top of a test file: one such page for all its tests. @param {() => Promise<void>} prepare @returns {() => Page} */
export function useModule(prepare) {
  /** @type {Host} */
  let site;
  /** @type {Page} */
  let page;
  useBrowser();
  before(async () => {
    site = await host({ isolated: true });
    page = await blank(site, prepare);
  });
  after(() => site.stop());
  return () => page;
}
