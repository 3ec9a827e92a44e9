// Networks of other tools in the page: converted, reported, adjusted, kept, found again by their link, removed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { eventually, ready, useBrowser, verdict, visit } from './browser.mjs';
import { host } from './server.mjs';

/** @type {import('./server.mjs').Host} */
let site;
useBrowser();
before(async () => {
  site = await host({ isolated: true });
});
after(() => site.stop());

const file = (/** @type {string} */ path) => new URL(`../data/${path}`, import.meta.url).pathname;

test('an ONNX network is reported, adjusted, kept and found again', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  await page.getByLabel('Model file', { exact: true }).setInputFiles(file('onnx/residual.onnx'));
  const dialog = page.getByRole('dialog', { name: 'residual' });
  await dialog.waitFor();
  const says = await dialog.innerText();
  for (const word of [/ONNX \(IR 8, opset 17/, /Assumed, please check/, /softmax/, /Missing in the file/, /mean/i])
    assert.match(says, word);
  await dialog.getByText(/%/).waitFor();
  // Names and a normalisation, supplied by hand.
  await dialog.getByLabel('Class names').fill('ant\nbee\ncow\ndog\nemu');
  await dialog.getByLabel('Mean').fill('x');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await dialog.getByText('numbers separated').waitFor();
  await dialog.getByLabel('Mean').fill('120, 110, 100');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await eventually(async () => assert.match(await verdict(page), /ant|bee|cow|dog|emu/));
  const preparation = page.locator('.preparation');
  await preparation.getByText('RGB, minus 120, 110, 100').waitFor();
  await preparation.getByRole('button', { name: 'torchvision' }).click();
  await preparation.getByText('minus 123').waitFor();
  const link = page.url();
  assert.match(link, /model=residual~[\da-f]{8}/);
  // The link works where the network is kept.
  await page.reload();
  await ready(page);
  await preparation.getByText('minus 123').waitFor();
  await eventually(async () => assert.match(await verdict(page), /ant|bee|cow|dog|emu/));
  await page.getByLabel('Model', { exact: true }).selectOption({ label: 'Your networks…' });
  const list = page.getByRole('dialog', { name: 'Networks kept' });
  await list.getByText(/residual · [\da-f]{8}/).waitFor();
  const saved = page.waitForEvent('download');
  await list.getByRole('button', { name: 'Save as safetensors' }).click();
  assert.equal((await saved).suggestedFilename(), 'residual.safetensors');
  await list.getByRole('button', { name: 'Remove' }).click();
  await eventually(async () => assert.equal(await list.getByText(/residual · /).count(), 0));
});

/** An array of a safetensors file. @param {Buffer} bytes @param {string} name */
function array(bytes, name) {
  const length = Number(bytes.readBigUInt64LE(0));
  const { shape, data_offsets } = JSON.parse(bytes.toString('utf8', 8, 8 + length))[name];
  return { shape, raw: bytes.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1]) };
}

/** A tensor's message as the ONNX project stores test data. @param {number[]} shape @param {Buffer} raw float32 */
function message(shape, raw) {
  const head = [...shape.flatMap((d) => [8, d]), 16, 1, 0x4a];
  let n = raw.length;
  for (; n >= 128; n >>= 7) head.push((n & 127) | 128);
  return Buffer.concat([Buffer.from([...head, n]), raw]);
}

test('a network is compared with the test data dropped beside it', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  const fixture = readFileSync(file('onnx/residual.safetensors'));
  const [x, y] = [array(fixture, 'x'), array(fixture, 'fc')];
  const shape = x.shape.slice(-3);
  const wrong = Buffer.from(y.raw);
  wrong.writeFloatLE(wrong.readFloatLE(4) + 0.5, 4);
  const give = (/** @type {Buffer} */ input, /** @type {Buffer} */ output) =>
    page.getByLabel('Model file', { exact: true }).setInputFiles(
      [
        { name: 'net.onnx', buffer: readFileSync(file('onnx/residual.onnx')) },
        { name: 'input_0.pb', buffer: input },
        { name: 'output_0.pb', buffer: message([1, 5], output) },
      ].map((one) => ({ ...one, mimeType: 'application/octet-stream' })),
    );
  const dialog = page.getByRole('dialog', { name: 'net' });
  const cases = /** @type {const} */ ([
    [message([1, ...shape], x.raw), y.raw, /all 5 numbers of the output are those of the file/],
    [message([1, ...shape], x.raw), wrong, /1 of 5 numbers of the output are not those of the file/],
    [message(shape, x.raw), y.raw, /not compared: .*channels/],
    // What is no tensor refuses the comparison, not the network.
    [Buffer.from('no tensor'), y.raw, /not compared: /],
  ]);
  for (const [input, output, words] of cases) {
    await give(input, output);
    await dialog.getByText(words).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'hidden' });
  }
});

test('weights that are no numbers are loaded and reported, in Russian too, and the page goes on', async (t) => {
  // NaN in a bias of the last layer: everything below it works, the prediction is none.
  const bytes = readFileSync(file('onnx/residual.onnx'));
  const name = Buffer.from('c10J');
  bytes.writeFloatLE(Number.NaN, bytes.indexOf(name) + name.length + 1);
  const page = await visit(t, site, { hash: '#lang=ru' });
  await page.locator('[data-classes] li').first().waitFor();
  await page.getByLabel('Model file', { exact: true }).setInputFiles({
    name: 'broken.onnx',
    mimeType: 'application/octet-stream',
    buffer: bytes,
  });
  const dialog = page.getByRole('dialog', { name: 'broken' });
  await dialog.waitFor();
  const says = await dialog.innerText();
  for (const words of [/Осторожно/, /чисел NaN или бесконечных — 1 из 5/, /softmax: он добавлен/])
    assert.match(says, words);
  await dialog.getByText('Предсказание — не число').waitFor();
  await dialog.getByRole('button', { name: 'Закрыть' }).click();
  await page.locator('[data-classes]').getByText('Предсказание — не число').waitFor();
  await page
    .locator('.preparation')
    .getByText(/1 вес сети \S+ — NaN/)
    .waitFor();
  await page
    .getByRole('alert')
    .getByText(/1 вес сети \S+ — NaN/)
    .waitFor();
});

test('what cannot be read is refused by name, and the page goes on', async (t) => {
  const page = await visit(t, site);
  await ready(page);
  const said = await verdict(page);
  const input = page.getByLabel('Model file', { exact: true });
  const alert = page.getByRole('alert').filter({ hasText: /./ });
  await input.setInputFiles(file('torch7/odd.t7'));
  await alert.waitFor();
  assert.match(await alert.innerText(), /SpatialFractionalMaxPooling/);
  await input.setInputFiles(file('torch/code.pt'));
  await eventually(async () => assert.match(await alert.innerText(), /posix\.system/));
  assert.equal(await verdict(page), said);
});

test('a link to somebody else’s network says what is needed', async (t) => {
  const page = await visit(t, site, { hash: '#model=theirs~0123abcd' });
  const alert = page.getByRole('alert').filter({ hasText: /./ });
  await alert.waitFor();
  assert.match(await alert.innerText(), /theirs.*0123abcd/);
});
