// Every control of the Explore view does what it says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { drop, eventually, ready, saved, unit, useBrowser, verdict, visit } from './browser.mjs';
import { apart, folderOf, npy, unpool } from './native.mjs';
import { host } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('./server.mjs').Host} */
let site;
useBrowser({ camera: true });
before(async () => {
  site = await host({ isolated: true });
});
after(() => site.stop());

const UNIT = '#photo=cat&layer=fire5/concat&map=17';
/** For what a busy machine may keep waiting. */
const PATIENCE = 60_000;

/** @param {Page} page */
const hash = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));
/** @param {Page} page */
const readout = async (page) => (await page.locator('[data-readout]').innerText()).replace(/\s+/g, ' ');

/** @param {import('node:test').TestContext} t @param {Parameters<typeof visit>[2]} [options] */
async function explore(t, options = { hash: UNIT }) {
  const page = await visit(t, site, options);
  await ready(page);
  return page;
}

/** What the module says about the photo that the page shows: its own numbers, by another way. @param {Page} page */
const facts = (page) =>
  page.evaluate(async () => {
    /** @type {typeof import('../../www/types.js')} */
    const { Engine } = await import(new URL('unpool.js', document.baseURI).href);
    const engine = await Engine.start({ threads: 1 });
    const net = await engine.load(new URL('models/squeezenet.safetensors', document.baseURI));
    const trace = await net.run(await (await fetch('samples/cat.webp')).blob());
    const { data, shape } = await trace.activation('fire5/concat');
    const fields = [
      await trace.receptiveField('fire5/concat', [0, 0]),
      await trace.receptiveField('fire5/concat', [1, 1]),
    ];
    const photo = trace.photo;
    engine.stop();
    return { data: [...data], shape, fields, photo: { width: photo?.width ?? 0, data: [...(photo?.data ?? [])] } };
  });

test('a click on the photo picks the strongest unit of this map there, hovering reads numbers', async (t) => {
  const page = await explore(t);
  const { data, shape, fields, photo } = await facts(page);
  const [, rows, columns] = shape;
  const [[y0, x0, y1, x1], [next]] = fields;
  const stride = next - y0;
  const picture = page.locator('[data-photo-canvas]');
  const box = await picture.boundingBox();
  assert.ok(box);
  // Where map 17 answers, but not where it answers most.
  const map = data.slice(17 * rows * columns, 18 * rows * columns);
  const peak = map.indexOf(Math.max(...map));
  const far = (/** @type {number} */ i) =>
    Math.abs(Math.floor(i / columns) - Math.floor(peak / columns)) + Math.abs((i % columns) - (peak % columns));
  const place = map.reduce(
    (best, value, i) => (far(i) > 6 && value > map[best] ? i : best),
    map.findIndex((_, i) => far(i) > 6),
  );
  assert.ok(map[place] > 0);
  const pixel = [
    Math.floor((y0 + y1 - 1) / 2 + stride * Math.floor(place / columns)),
    Math.floor((x0 + x1 - 1) / 2 + stride * (place % columns)),
  ];
  const position = {
    x: ((pixel[1] + 0.5) / photo.width) * box.width,
    y: ((pixel[0] + 0.5) / photo.width) * box.height,
  };
  await picture.hover({ position });
  await eventually(async () => assert.match(await readout(page), /unit at row \d+, column \d+: /), PATIENCE);
  const said = /x, y (\d+), (\d+) photo (\d+) (\d+) (\d+) unit at row (\d+), column (\d+): ([\d.]+)/.exec(
    await readout(page),
  );
  assert.ok(said, await readout(page));
  const [x, y, r, g, b, row, column, value] = said.slice(1).map(Number);
  const at = 4 * (y * photo.width + x);
  assert.deepEqual([r, g, b], photo.data.slice(at, at + 3));
  assert.ok(
    Math.abs(map[row * columns + column] - value) <= 0.05 + 1e-3,
    `${map[row * columns + column]} against ${value}`,
  );
  await picture.click({ position });
  // The strongest of those units of the map that see the place.
  const seen = (/** @type {number} */ i) => {
    const [top, left] = [y0 + stride * Math.floor(i / columns), x0 + stride * (i % columns)];
    return pixel[0] >= top && pixel[0] < top + y1 - y0 && pixel[1] >= left && pixel[1] < left + x1 - x0;
  };
  await eventually(async () => assert.match(hash(page).get('at') ?? '', /^\d+,\d+$/), PATIENCE);
  const [pickedRow, pickedColumn] = (hash(page).get('at') ?? '').split(',').map(Number);
  const picked = pickedRow * columns + pickedColumn;
  assert.ok(seen(picked), `${picked}`);
  assert.equal(hash(page).get('map'), '17');
  await eventually(
    async () => assert.match(await unit(page), new RegExp(`map 17: .*row ${pickedRow}, column ${pickedColumn}$`)),
    PATIENCE,
  );
});

test('PNG, NPY and CSV hold what is shown', async (t) => {
  const page = await explore(t);
  const folder = folderOf(t);
  const own = new URL('../../dist/samples/cat.webp', import.meta.url).pathname;
  for (const rule of ['deconvnet', 'guided']) {
    await page.getByRole('radio', { name: new RegExp(`^${rule}`, 'i') }).click();
    await page
      .getByRole('img', { name: new RegExp(`^Projection of map 17 .*by ${rule}`) })
      .waitFor({ timeout: PATIENCE });
    const g = join(folder, `${rule}.npy`);
    unpool('project', 'squeezenet', own, '--layer', 'fire5/concat', '--map', '17', '--rule', rule, '--output', g);
    const error = apart(npy(await saved(page, 'NPY', folder)), npy(g));
    t.diagnostic(`${rule}: largest difference ${error}`);
    assert.ok(error <= 1e-5, `${rule}: ${error}`);
  }
  const png = readFileSync(await saved(page, 'PNG', folder));
  const shown = page.locator('[data-plate=projection] canvas');
  const [width, height] = await shown.evaluate((/** @type {HTMLCanvasElement} */ { width, height }) => [width, height]);
  const scale = png.readUInt32BE(16) / width;
  assert.ok(Number.isInteger(scale) && scale >= 1 && png.readUInt32BE(20) === scale * height, `${scale}`);
  const same = await page.evaluate(
    async ({ bytes, scale }) => {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(bitmap.width / scale, bitmap.height / scale);
      const context = canvas.getContext('2d');
      if (context) context.imageSmoothingEnabled = false;
      context?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      const there = /** @type {HTMLCanvasElement} */ (document.querySelector('[data-plate=projection] canvas'));
      const one = there.getContext('2d')?.getImageData(0, 0, there.width, there.height).data ?? [];
      const two = context?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return one.length > 0 && one.length === two.length && one.every((value, i) => value === two[i]);
    },
    { bytes: [...png], scale },
  );
  assert.ok(same);
  // Both plates under the pointer, and in the table: the numbers of the files.
  const photo = (await facts(page)).photo;
  const values = npy(join(folder, 'guided.npy'));
  const peak = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const near = (/** @type {number} */ said, /** @type {number} */ is) =>
    assert.ok(Math.abs(said - is) <= 0.006 * Math.abs(is) + 1e-5 * peak, `${said} against ${is}`);
  for (const plate of ['patch', 'projection']) {
    await page.locator(`[data-plate=${plate}]`).hover({ position: { x: 151, y: 163 } });
    await eventually(async () => assert.match(await readout(page), /projection R G B/), PATIENCE);
    const words = (await readout(page)).replaceAll('−', '-');
    const [x, y, r, g, b, ...back] = (words.match(/-?\d+(?:\.\d+)?/g) ?? []).map(Number);
    const at = y * photo.width + x;
    assert.deepEqual([r, g, b], photo.data.slice(4 * at, 4 * at + 3), words);
    assert.equal(back.length, 3, words);
    // The network takes blue first, people read red first.
    for (const [i, said] of back.entries()) near(said, values[(2 - i) * photo.width ** 2 + at]);
    await page.mouse.move(5, 5);
    await eventually(async () => assert.match(await readout(page), /^Point at a picture/), PATIENCE);
  }
  const [head, ...rows] = readFileSync(await saved(page, 'CSV', folder), 'utf8')
    .trim()
    .split('\n');
  assert.equal(head, 'y,x,photo_r,photo_g,photo_b,projection_b,projection_g,projection_r');
  assert.ok(rows.length > 1000 && rows.every((row) => row.split(',').length === 8), `${rows.length} rows`);
  for (const row of rows.filter((_, i) => i % 97 === 0)) {
    const [y, x, , , , ...back] = row.split(',').map(Number);
    for (const [i, said] of back.entries()) near(said, values[(i * photo.width + y) * photo.width + x]);
  }
});

test('rules and seeds: each is in the address, in the words and in the picture', async (t) => {
  const page = await explore(t);
  const picture = page.locator('[data-plate=projection] canvas');
  const pixels = () => picture.evaluate((/** @type {HTMLCanvasElement} */ canvas) => canvas.toDataURL());
  const seen = new Set([await pixels()]);
  for (const rule of ['Gradient', 'Guided', 'Deconvnet']) {
    const button = page.getByRole('radio', { name: new RegExp(`^${rule}`) });
    await button.click();
    await eventually(async () => assert.equal(await button.getAttribute('aria-checked'), 'true'), PATIENCE);
    assert.equal(hash(page).get('rule') ?? 'deconvnet', rule.toLowerCase());
    const words = rule === 'Guided' ? 'guided backpropagation' : rule.toLowerCase();
    await page
      .getByRole('img', { name: new RegExp(`^Projection of map 17.*by ${words};`) })
      .waitFor({ timeout: PATIENCE });
    seen.add(await pixels());
  }
  assert.equal(seen.size, 3, 'three rules, three pictures');
  const seed = page.getByRole('combobox', { name: 'Seed' });
  const offered = await seed.locator('option').allInnerTexts();
  assert.deepEqual(offered, ['one unit', '3 strongest', '9 strongest', '25 strongest', '100 strongest', 'whole map']);
  for (const n of ['3', '9', '25', '100']) {
    await seed.selectOption(n);
    await eventually(
      async () => assert.match(await unit(page), new RegExp(`map 17: ${n} units, the strongest`)),
      PATIENCE,
    );
    assert.equal(hash(page).get('seed'), n);
  }
  await seed.selectOption('map');
  await eventually(async () => assert.match(await unit(page), /map 17: \d+ units, the strongest/), PATIENCE);
  await seed.selectOption('unit');
  await eventually(async () => assert.match(await unit(page), /map 17: activation/), PATIENCE);
});

test('maps are found by number and stand in four orders', async (t) => {
  const page = await explore(t);
  const { data, shape } = await facts(page);
  const [maps, rows, columns] = shape;
  const field = page.getByRole('textbox', { name: 'Map number' });
  await field.fill('200');
  await eventually(async () => assert.match(await unit(page), /map 200:/), PATIENCE);
  const chosen = page.getByRole('option', { selected: true }).and(page.locator('.map'));
  await eventually(async () => assert.equal(await chosen.getAttribute('data-map'), '200'), PATIENCE);
  await eventually(async () => assert.ok(await chosen.isVisible()), PATIENCE);
  await field.fill('256');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.equal(hash(page).get('map'), '200');
  await field.fill('17');
  await eventually(async () => assert.match(await unit(page), /map 17:/), PATIENCE);
  const at = [...(/row (\d+), column (\d+)/.exec(await unit(page)) ?? [])].slice(1).map(Number);
  const of = (/** @type {number} */ map) => data.slice(map * rows * columns, (map + 1) * rows * columns);
  /** @type {Record<string, (map: number) => number>} */
  const weights = {
    peak: (map) => Math.max(...of(map)),
    sum: (map) => of(map).reduce((total, value) => total + value, 0),
    here: (map) => of(map)[at[0] * columns + at[1]],
    number: (map) => -map,
  };
  for (const [order, weight] of Object.entries(weights)) {
    await page.getByRole('combobox', { name: 'Order' }).selectOption(order);
    await eventually(async () => {
      const first = await page
        .locator('.map-grid [data-map]')
        .evaluateAll((cells) => cells.slice(0, 20).map((cell) => Number(cell.getAttribute('data-map'))));
      const all = Array.from({ length: maps }, (_, map) => map);
      const [least, most] = [
        Math.min(...first.map(weight)),
        Math.max(...all.filter((map) => !first.includes(map)).map(weight)),
      ];
      assert.equal(first.length, 20, order);
      // Sums differ in their last digits, by the order of adding.
      assert.ok(least >= most - 1e-4 * Math.abs(most), `${order}: ${least} before ${most}`);
      assert.ok(
        first.every((map, i) => i === 0 || weight(map) <= weight(first[i - 1]) * (1 + 1e-5) + 1e-6),
        order,
      );
    }, PATIENCE);
    assert.equal(hash(page).get('order') ?? 'peak', order);
  }
});

test('the way down leads step by step to the pixels, with switches drawn and numbers to read', async (t) => {
  const page = await explore(t);
  await page.getByRole('tab', { name: 'The way down' }).click();
  const title = page.locator('[data-way-title]');
  await title.filter({ hasText: /Step \d+ of \d+: unpool/ }).waitFor({ timeout: PATIENCE });
  const text = page.locator('[data-way-text]');
  await text.filter({ hasText: 'switch' }).waitFor({ timeout: PATIENCE });
  const picture = page.locator('[data-way-picture]');
  assert.match(
    (await picture.getByRole('img').first().getAttribute('aria-label')) ?? '',
    /unpool: the signal at .*, map \d+; largest value \d/,
  );
  assert.match(await picture.innerText(), /\d/);
  const step = page.getByRole('combobox', { name: 'Step' });
  const steps = await step.locator('option').allInnerTexts();
  for (const [i, word] of [
    [0, 'seed'],
    [steps.length - 1, 'pixels|filter'],
  ])
    assert.match(steps[Number(i)], new RegExp(String(word)));
  assert.ok(steps.filter((name) => /unpool/.test(name)).length === 2, steps.join());
  await step.selectOption('0');
  await title.filter({ hasText: `Step 1 of ${steps.length}: seed fire5/concat` }).waitFor({ timeout: PATIENCE });
  assert.ok(await page.getByRole('button', { name: 'Back' }).isDisabled());
  for (let i = 2; i <= steps.length; i += 1) {
    await page.locator('[data-way-go="1"]').click();
    await title.filter({ hasText: `Step ${i} of ${steps.length}:` }).waitFor({ timeout: PATIENCE });
    assert.ok((await text.innerText()).length > 30);
  }
  await text.filter({ hasText: 'arrived at the pixels' }).waitFor({ timeout: PATIENCE });
  const end = page.getByRole('button', { name: 'These are the pixels' });
  assert.ok(await end.isDisabled());
  // Another map of a step, and the strip's own pictures lead here too.
  await page.getByRole('button', { name: 'Back' }).click();
  await title.filter({ hasText: `Step ${steps.length - 1} of ${steps.length}:` }).waitFor({ timeout: PATIENCE });
  await page.locator('[data-way-map]').fill('3');
  await page.locator('[data-way-map]').press('Enter');
  await eventually(() => assert.equal(hash(page).get('channel'), '3'), PATIENCE);
  await page.locator('[data-strip] [data-step="pool1"]').click();
  await eventually(() => assert.equal(hash(page).get('step'), 'pool1'), PATIENCE);
});

test('About says whose network this is, and under which licence', async (t) => {
  const page = await explore(t);
  await page.getByRole('button', { name: 'About' }).click();
  const dialog = page.getByRole('dialog', { name: 'About Unpool' });
  await dialog.waitFor();
  const says = await dialog.innerText();
  for (const words of [
    /SqueezeNet 1\.1/,
    /BSD-2-Clause/,
    /Iandola/,
    /threads/,
    /CC0|public domain/i,
    /Open Font License/,
  ])
    assert.match(says, words);
  for (const [name, begins] of /** @type {[string, RegExp][]} */ ([
    ['MIT', /MIT License|Permission is hereby granted/],
    ['Apache-2.0', /Apache License/],
    ['Networks, photographs, fonts and crates of others', /^# What others made/],
  ])) {
    const href = await dialog.getByRole('link', { name, exact: true }).getAttribute('href');
    assert.match(await page.evaluate(async (href) => (await fetch(String(href))).text(), href), begins);
  }
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'hidden' });
});

test('a pasted picture is analysed', async (t) => {
  const page = await explore(t);
  await page.evaluate(async () => {
    const clipboardData = new DataTransfer();
    const picture = await (await fetch('samples/coffee.webp')).blob();
    clipboardData.items.add(new File([picture], '', { type: 'image/webp' }));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  });
  await eventually(async () => assert.match(await verdict(page), /espresso|cup|coffee/i), PATIENCE);
  await page.getByRole('img', { name: 'Your photo, pasted picture' }).waitFor();
  assert.equal(hash(page).get('photo'), 'own');
});

test('the camera’s picture is analysed; closed without one, nothing changes', async (t) => {
  const page = await explore(t);
  const said = await verdict(page);
  const open = page.getByRole('button', { name: 'Camera' });
  const dialog = page.getByRole('dialog', { name: 'Camera' });
  const running = () =>
    dialog
      .locator('video')
      .evaluate(
        (/** @type {HTMLVideoElement} */ video) => video.srcObject instanceof MediaStream && video.videoWidth > 0,
      );
  await open.click();
  await dialog.waitFor();
  await eventually(async () => assert.ok(await running()), PATIENCE);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(await verdict(page), said);
  await open.click();
  await eventually(async () => assert.ok(await running()), PATIENCE);
  await dialog.getByRole('button', { name: 'Take the picture' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('img', { name: 'Your photo, camera' }).waitFor({ timeout: PATIENCE });
  await eventually(async () => assert.notEqual(await verdict(page), said), PATIENCE);
  // Nobody is filmed any longer.
  await eventually(async () => {
    const live = await page
      .locator('[data-dialog=camera] video')
      .evaluate((/** @type {HTMLVideoElement} */ video) =>
        /** @type {MediaStream} */ (video.srcObject).getTracks().some(({ readyState }) => readyState === 'live'),
      );
    assert.equal(live, false);
  }, PATIENCE);
});

test('in Russian, down to numbers and plurals', async (t) => {
  const page = await explore(t, { hash: `${UNIT}&lang=ru` });
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'ru');
  for (const name of ['Бросьте фото', 'Выберите слой', 'Выберите карту', 'Сравните'])
    assert.ok(await page.getByRole('heading', { name }).first().isVisible(), name);
  await eventually(async () => assert.match(await unit(page), /карта 17: .*\d,\d/), PATIENCE);
  const seeds = await page.locator('[data-pick=seed] option').allInnerTexts();
  assert.deepEqual(seeds.slice(1, 5), ['3 сильнейших', '9 сильнейших', '25 сильнейших', '100 сильнейших']);
  // No word of the Explore view is left in English; names of classes, layers and rules are names.
  const left = await page.locator('unpool-explore').evaluate((root) => {
    const names =
      /deconvnet|guided|gradient|fire\d|conv\d+|pool\d+|concat|relu|RGB|LRN|PNG|NPY|CSV|SqueezeNet|Unpool|Esc|px/gi;
    return [...root.querySelectorAll('*')]
      .filter(
        (node) =>
          node.checkVisibility() && !node.closest('[lang=en], kbd, [data-photo-caption]') && !node.children.length,
      )
      .map((node) => (node.textContent ?? '').replace(names, '').trim())
      .filter((text) => /[A-Za-z]{3,}/.test(text));
  });
  assert.deepEqual(left, []);
  await page.getByRole('tab', { name: 'Путь вниз' }).click();
  await page
    .locator('[data-way-text]')
    .filter({ hasText: /[а-яё]{4,}/i })
    .waitFor({ timeout: PATIENCE });
});

test('a photo that EXIF lays on its side stands upright', async (t) => {
  const page = await explore(t);
  // Left half black, right half white; orientation 6: the camera was held so that its left is up.
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(400, 300);
    const context = canvas.getContext('2d');
    if (context) context.fillStyle = '#fff';
    context?.fillRect(200, 0, 200, 300);
    const plain = await canvas.convertToBlob({ type: 'image/jpeg' });
    const exif = [0xff, 0xe1, 0, 34, ...new TextEncoder().encode('Exif\0\0MM\0*'), 0, 0, 0, 8, 0, 1];
    const entry = [1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    Object.assign(window, {
      sideways: new Blob([plain.slice(0, 2), new Uint8Array([...exif, ...entry]), plain.slice(2)]),
    });
  });
  await drop(page, { name: 'sideways.jpg', type: 'image/jpeg', made: 'sideways' });
  await page.getByRole('img', { name: 'Your photo, sideways.jpg' }).waitFor({ timeout: PATIENCE });
  await eventually(async () => {
    const [top, bottom, left, right] = await page
      .locator('[data-photo-canvas]')
      .evaluate((/** @type {HTMLCanvasElement} */ canvas) => {
        const { width, height } = canvas;
        const grey = (/** @type {number} */ x, /** @type {number} */ y) =>
          canvas.getContext('2d')?.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data[0] ?? -1;
        return [grey(0.5, 0.1), grey(0.5, 0.9), grey(0.1, 0.1), grey(0.9, 0.1)];
      });
    assert.ok(top < 20 && bottom > 235 && left < 20 && right < 20, [top, bottom, left, right].join());
  }, PATIENCE);
});

test('a browser without SIMD is told so, in the reader’s language', async (t) => {
  for (const [lang, says] of /** @type {[string, RegExp][]} */ ([
    ['en', /too old.*no WebAssembly SIMD.*Safari 16\.4/s],
    ['ru', /слишком стар.*нет WebAssembly SIMD.*Safari 16\.4/s],
  ])) {
    const page = await visit(t, site);
    await page.route('**/engine.js', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: `WebAssembly.validate = () => false;\n${await answer.text()}` });
    });
    await page.goto(`${site.url}#lang=${lang}`);
    await page.reload();
    const alert = page.getByRole('alert').filter({ hasText: says });
    await alert.waitFor({ timeout: PATIENCE });
    t.diagnostic((await alert.innerText()).replace(/\s+/g, ' '));
  }
});

test('what the strip shows can be heard: which map stands in front, and how strong it is', async (t) => {
  const page = await explore(t);
  const { data, shape } = await facts(page);
  const peak = Math.max(...data.slice(17 * shape[1] * shape[2], 18 * shape[1] * shape[2]));
  const sheet = page.getByRole('radio', { name: /^fire5: 256 maps of 28×28\. In front: map 17, peak [\d.]+$/ });
  await sheet.waitFor({ timeout: PATIENCE });
  const said = Number(/peak ([\d.]+)$/.exec((await sheet.getAttribute('aria-label')) ?? '')?.[1]);
  assert.ok(Math.abs(said - peak) <= 0.01 * peak, `${said} against ${peak}`);
});
