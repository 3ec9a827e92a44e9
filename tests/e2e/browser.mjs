// One Chromium per test file, and the things every test of the page does.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {{ hash?: string, phone?: boolean, dark?: boolean, serviceWorkers?: 'allow' | 'block', expect?: RegExp }} Visit */

/** @typedef {{ after(close: () => unknown): void }} Scope a test, or a part of one, at whose end things are closed */

/** @type {Promise<import('playwright-core').Browser> | undefined} */
let launched;
/** @type {string[]} */
const more = [];
/**
 * The browser of this test file. A promise, since Node may begin every `before` of a file at once: a hook that needs
 * the browser waits for it here, not for the hook above it.
 */
export function browser() {
  launched ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Root, in containers, has no sandbox; the rest keeps Chromium from looking for its maker's servers.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      ...more,
    ],
  });
  return launched;
}

/** Call once at the top of a test file. @param {{ camera?: boolean }} [options] `camera`: there is one, which shows a pattern, and it may be used */
export function useBrowser({ camera = false } = {}) {
  if (camera) more.push('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
  before(async () => {
    await browser();
  });
  after(async () => (await browser()).close());
}

/**
 * Opens the page of a host in a fresh profile. When the test ends: nothing was asked of another origin, and nothing
 * was logged as an error but what `expect` matches.
 * @param {Scope} t @param {import('./server.mjs').Host} host @param {Visit} [visit]
 * @returns {Promise<Page>}
 */
export async function visit(t, host, { hash = '', phone, dark, serviceWorkers = 'block', expect } = {}) {
  const context = await (await browser()).newContext({
    viewport: phone ? { width: 390, height: 844 } : { width: 1440, height: 900 },
    deviceScaleFactor: phone ? 3 : 1,
    hasTouch: Boolean(phone),
    colorScheme: dark ? 'dark' : 'light',
    locale: 'en-GB',
    acceptDownloads: true,
    serviceWorkers,
  });
  const page = await context.newPage();
  const { origin } = new URL(host.url);
  /** @type {string[]} */
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (/^https?:$/.test(url.protocol) && url.origin !== origin) complaints.push(`foreign request: ${url}`);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(
      complaints.filter((line) => !expect?.test(line)),
      [],
    );
  });
  await page.goto(host.url + hash);
  return page;
}

/** Waits until a photo is analysed and a unit is shown. @param {Page} page */
export async function ready(page) {
  await page.locator('html[data-phase="ready"]').waitFor({ timeout: 60_000 });
  await page.waitForFunction(() => /\d/.test(document.querySelector('[data-unit-id]')?.textContent ?? ''));
}

/** What the network says first. @param {Page} page */
export async function verdict(page) {
  const first = page
    .locator('section')
    .filter({ has: page.getByRole('heading', { name: 'The network says' }) })
    .getByRole('list')
    .getByRole('listitem')
    .first();
  return (await first.innerText()).replace(/\s+/g, ' ');
}

/** The line that names the chosen unit. @param {Page} page */
export const unit = async (page) => (await page.locator('[data-unit-id]').innerText()).replace(/\s+/g, ' ');

/** Repeats until it no longer throws. @param {() => Promise<void> | void} check @param {number} [milliseconds] */
export async function eventually(check, milliseconds = 15_000) {
  const until = Date.now() + milliseconds;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }
}

/**
 * Drops a file onto the page as a person would.
 * @param {Page} page
 * @param {{ name: string, type: string, url?: string, bytes?: number[], made?: string }} file
 *   `url`: a file of the page's own; `made`: a global of the page that holds a Blob
 */
export async function drop(page, file) {
  const dataTransfer = await page.evaluateHandle(async ({ name, type, url, bytes, made }) => {
    const there = made && /** @type {Record<string, any>} */ (/** @type {unknown} */ (window))[made];
    const content = url ? await (await fetch(url)).arrayBuffer() : there || new Uint8Array(bytes ?? []);
    const transfer = new DataTransfer();
    transfer.items.add(new File([content], name, { type }));
    return transfer;
  }, file);
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('main', type, { dataTransfer });
}

/** Saves what is shown, and tells where it lies. @param {Page} page @param {string} kind `PNG`, `NPY`, `CSV` @param {string} folder @returns {Promise<string>} */
export async function saved(page, kind, folder) {
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: kind, exact: true }).first().click();
  const path = join(folder, (await coming).suggestedFilename());
  await (await coming).saveAs(path);
  return path;
}
