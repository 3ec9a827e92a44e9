// Pictures of the page for the README and for looking at: `node screenshots.mjs [FOLDER]` after ./build.sh dist.
// Without a folder only the README's picture is renewed.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { host } from '../e2e/server.mjs';

const unit = '#photo=cat&layer=fire5/concat&map=17';
const shots = [
  { name: 'desktop-light', size: [1440, 900], hash: unit },
  { name: 'desktop-dark', size: [1440, 900], hash: unit, dark: true },
  { name: 'phone-light', size: [390, 844], hash: unit },
  { name: 'phone-dark', size: [390, 844], hash: unit, dark: true },
  { name: 'way-down', size: [1440, 900], hash: `${unit}&tab=way` },
  { name: 'russian', size: [1440, 900], hash: `${unit}&lang=ru` },
  { name: 'projector', size: [1280, 720], hash: `${unit}&present=1` },
];
const folder = process.argv[2];
const readme = { name: 'explore', size: [1440, 900], hash: unit };

/**
 * The time on the picture is that of a pass once the browser has optimised the kernels, not of the first one.
 * @param {import('playwright-core').Page} page
 */
async function warm(page) {
  for (let round = 0; round < 6; round += 1)
    for (const name of ['coffee', 'cat']) {
      await page.locator(`.thumb[data-sample=${name}]`).click();
      await page.locator(`.thumb[data-sample=${name}][aria-pressed=true]`).waitFor();
      await page.waitForTimeout(500);
    }
  await page.evaluate((hash) => location.replace(hash), unit);
}

const site = await host({ isolated: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
for (const { name, size, hash, dark } of folder ? shots : [{ ...readme, dark: false }]) {
  const [width, height] = size;
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    locale: 'en-GB',
  });
  await page.goto(site.url + hash);
  await page.locator('html[data-phase="ready"]').waitFor({ timeout: 60_000 });
  if (!folder) await warm(page);
  await page.waitForTimeout(2000); // the rules' thumbnails come last
  const into = folder ?? fileURLToPath(new URL('../e2e/screenshots', import.meta.url));
  mkdirSync(into, { recursive: true });
  await page.screenshot({ path: join(into, `${name}.png`) });
  console.log(join(into, `${name}.png`));
  await page.close();
}
await browser.close();
await site.stop();
