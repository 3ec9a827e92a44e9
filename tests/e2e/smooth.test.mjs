// The page never stalls: while work is under way, no task of the main thread takes longer than 50 ms.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { browser, eventually, ready, unit, useBrowser, visit } from './browser.mjs';
import { host } from './server.mjs';

useBrowser();
/** Whether the dictionary of four layers is part of this build. */
const shipped = existsSync(new URL('../../dist/dictionary.safetensors', import.meta.url));

/** Milliseconds. */
const MOST = 50;

/** @typedef {import('./browser.mjs').Scope} Scope */
/** @typedef {{ wall: number, processor: number }} Task milliseconds */

/**
 * Notes every task of the main thread from now on. Time on the processor counts: what the engine's threads take
 * away on a machine of two cores, the page cannot give back by doing less.
 * @param {import('playwright-core').Page} page @returns {Promise<() => Promise<Task[]>>} what was noted
 */
async function observe(page) {
  const chromium = await browser();
  await chromium.startTracing(page, { categories: ['toplevel'] });
  return async () => {
    const { traceEvents } = JSON.parse((await chromium.stopTracing()).toString());
    const thread = (/** @type {any} */ { pid, tid }) => `${pid} ${tid}`;
    const main = new Set(
      traceEvents
        .filter((/** @type {any} */ { name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
        .map(thread),
    );
    const tasks = traceEvents
      .filter(
        // One that was under way when the noting ended has no duration.
        (/** @type {any} */ one) =>
          one.name === 'ThreadControllerImpl::RunTask' && 'tdur' in one && main.has(thread(one)),
      )
      .map((/** @type {any} */ { dur, tdur }) => ({ wall: dur / 1000, processor: tdur / 1000 }));
    assert.ok(tasks.length > 100, `only ${tasks.length} tasks were noted`);
    return tasks;
  };
}

/** @param {Scope} t */
async function projections(t) {
  const site = await host({ isolated: true });
  t.after(() => site.stop());
  const page = await visit(t, site, { hash: '#photo=cat&layer=fire5/concat&map=17' });
  await ready(page);
  await page.waitForTimeout(500);
  const noted = await observe(page);
  await page.getByRole('listbox', { name: 'Choose a map' }).focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp']) {
    const last = await unit(page);
    await page.keyboard.press(key);
    await eventually(async () => assert.notEqual(await unit(page), last));
  }
  await page.getByRole('combobox', { name: 'Seed' }).selectOption('map');
  await page.waitForTimeout(1500);
  return noted();
}

/** @param {Scope} t */
async function sweep(t) {
  const site = await host({ isolated: true });
  t.after(() => site.stop());
  const page = await visit(t, site, { hash: '#view=occlusion&photo=cat&stride=5' });
  const status = page.locator('[data-occ-status]');
  await eventually(async () => assert.match(await status.innerText(), /[1-9]\d* of \d+ positions/), 60_000);
  const noted = await observe(page);
  // All the while somebody points here and there, changes the side, and looks at the logits.
  const box = await page.locator('[data-panel="p"] .field').boundingBox();
  assert.ok(box);
  for (const x of [20, 90, 160, 60]) {
    await page.mouse.move(box.x + x, box.y + x);
    await page.waitForTimeout(250);
  }
  await page.getByRole('combobox', { name: /^show/ }).selectOption('logit');
  await page.getByRole('slider', { name: 'Side' }).press('ArrowRight');
  await page.waitForTimeout(1500);
  return noted();
}

/** What a round opened, closed before the next begins: its work would go on beside it. @implements {Scope} */
class Closing {
  /** @type {(() => unknown)[]} */ #opened = [];

  /** @param {() => unknown} close */
  after(close) {
    this.#opened.push(close);
  }

  async close() {
    for (const close of this.#opened.toReversed()) await close();
  }
}

/** Digits that are none, as IDX files, dropped on the Training view. @param {import('playwright-core').Page} page */
const dropSet = (page) =>
  page.evaluate(() => {
    const [n, side] = [4000, 28];
    const head = (/** @type {number[]} */ ...axes) => [
      0,
      0,
      8,
      axes.length,
      ...axes.flatMap((a) => [0, 0, a >> 8, a & 255]),
    ];
    const pixels = Uint8Array.from(
      { length: n * side * side },
      (_, i) => ((i % 784) * (1 + (Math.floor(i / 784) % 10))) & 255,
    );
    const labels = Uint8Array.from({ length: n }, (_, i) => i % 10);
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(head(n, side, side)), pixels], 'train-images.idx'));
    dataTransfer.items.add(new File([Uint8Array.from(head(n)), labels], 'train-labels.idx'));
    document
      .querySelector('main')
      ?.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  });

/** @param {Scope} t */
async function training(t) {
  const site = await host({ isolated: true });
  t.after(() => site.stop());
  const page = await visit(t, site, { hash: '#view=training&run=live&photo=cat&epochs=300' });
  await page.locator('[data-live-field=epochs]').waitFor({ timeout: 60_000 });
  await page.locator('html[data-phase="ready"]').waitFor({ timeout: 60_000 });
  await dropSet(page);
  await page.locator('[data-live-act=go]').click();
  const status = page.locator('[data-live-status]');
  await eventually(async () => assert.match(await status.innerText(), /images\/s/), 120_000);
  await page.locator('.evo-cell:enabled').first().waitFor({ timeout: 120_000 });
  const noted = await observe(page);
  // All the while the rate is changed and an earlier epoch is looked at.
  await page.getByRole('slider', { name: 'Learning rate' }).press('ArrowLeft');
  await page.waitForTimeout(1500);
  await page.getByRole('slider', { name: 'Epoch' }).press('Home');
  await page.waitForTimeout(1500);
  return noted();
}

/** The four steps of the Sparse view one after another, each to its end. @param {Scope} t */
async function sparse(t) {
  const site = await host({ isolated: true });
  t.after(() => site.stop());
  const page = await visit(t, site, { hash: '#view=sparse&photo=cat&iterations=20&down=1&atoms=6&passes=1&shots=4' });
  await page.locator('html[data-phase="ready"]').waitFor({ timeout: 60_000 });
  await page.waitForTimeout(500);
  const noted = await observe(page);
  const panel = (/** @type {string} */ name) => page.locator(`[data-chapter-panel=${name}]`);
  const over = (/** @type {string} */ name) =>
    eventually(async () => assert.match(await panel(name).locator('.spa-run p').innerText(), /^Done in/), 240_000);
  await over('invert');
  // Another map, while its pictures are there.
  await panel('invert').locator('[data-spa-thumbs] button').nth(2).click();
  await page.waitForTimeout(500);
  await page.locator('#spa-tab-code').click();
  await over('code');
  await panel('code').locator('.spa-zmap').first().click();
  await page.waitForTimeout(500);
  if (shipped) {
    await page.locator('#spa-tab-layers').click();
    await over('layers');
    await panel('layers').locator('[data-spa-levels] button').nth(1).click();
    await page.waitForTimeout(1000);
  }
  await page.locator('#spa-tab-learn').click();
  await panel('learn').locator('[data-run=begin]').click();
  await over('learn');
  await page.waitForTimeout(500);
  return noted();
}

for (const [what, round] of Object.entries({
  projections,
  'an occlusion sweep': sweep,
  training,
  'sparse coding': sparse,
}))
  test(`no main-thread task over ${MOST} ms with ${what} under way`, async (t) => {
    // One quiet round of three is proof enough, three loud ones are the page's fault.
    const rounds = [];
    for (let i = 0; i < 3; i += 1) {
      const scope = new Closing();
      const tasks = await round(scope).finally(() => scope.close());
      const long = tasks.filter(({ processor }) => processor > MOST).map(({ processor }) => Math.round(processor));
      const most = (/** @type {keyof Task} */ of) => Math.round(Math.max(...tasks.map((task) => task[of])));
      t.diagnostic(
        `round ${i + 1}: ${tasks.length} tasks, longest ${most('processor')} ms (${most('wall')} by the clock)`,
      );
      if (!long.length) return;
      rounds.push(long);
    }
    assert.fail(`milliseconds of long tasks in three rounds: ${JSON.stringify(rounds)}`);
  });
