// The page and the command line are one engine: the same photo gives the same numbers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ready, useBrowser, visit } from './browser.mjs';
import { host } from './server.mjs';

useBrowser();

const root = fileURLToPath(new URL('../../', import.meta.url));
/** @param {string[]} line */
const unpool = (...line) =>
  JSON.parse(execFileSync(join(root, 'target/release/unpool'), [...line, '--json'], { cwd: root, encoding: 'utf8' }));

/** A float32 array of NumPy's. @param {Buffer} bytes */
function npy(bytes) {
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  assert.match(header, /'descr': '<f4'.*'fortran_order': False/);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}

/** Largest difference, in units of the largest value. @param {ArrayLike<number>} ours @param {ArrayLike<number>} theirs */
function apart(ours, theirs) {
  assert.equal(ours.length, theirs.length);
  let [difference, peak] = [0, 0];
  for (let i = 0; i < ours.length; i += 1) {
    difference = Math.max(difference, Math.abs(ours[i] - theirs[i]));
    peak = Math.max(peak, Math.abs(theirs[i]));
  }
  assert.ok(peak > 0, 'nothing but zeros');
  return difference / peak;
}

test('page and command line agree to 1e-5 on one photo', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unpool-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const site = await host({ isolated: true });
  t.after(() => site.stop());
  const page = await visit(t, site);
  await ready(page);

  // A PNG, which every decoder reads alike, of neither the model's size nor its shape.
  const png = Buffer.from(
    await page.evaluate(async () => {
      const bitmap = await createImageBitmap(await (await fetch('samples/coffee.webp')).blob());
      const canvas = new OffscreenCanvas(301, 260);
      canvas.getContext('2d')?.drawImage(bitmap, 0, 0, 301, 260);
      return [...new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer())];
    }),
  );
  const photo = join(folder, 'photo.png');
  writeFileSync(photo, png);

  const web = await page.evaluate(
    async (bytes) => {
      /** @type {typeof import('../../www/types.js')} */
      const { Engine } = await import(new URL('unpool.js', document.baseURI).href);
      const engine = await Engine.start();
      const net = await engine.load(new URL('models/squeezenet.safetensors', document.baseURI));
      const trace = await net.run(new Blob([new Uint8Array(bytes)], { type: 'image/png' }));
      const top = await trace.top(5);
      const activation = await trace.activation('fire5/concat');
      const projection = await trace.project({ layer: 'fire5/concat', map: 17 });
      engine.stop();
      return { top, activation: [...activation.data], projection: [...projection.data], at: projection.at };
    },
    [...png],
  );

  const model = 'squeezenet';
  const top = unpool('classify', model, photo, '--top', '5');
  assert.deepEqual(
    web.top.map((/** @type {{ index: number }} */ { index }) => index),
    top.map((/** @type {{ index: number }} */ { index }) => index),
  );
  const p = (/** @type {{ p: number }[]} */ list) => list.map((one) => one.p);
  const y = join(folder, 'y.npy');
  unpool('run', model, photo, '--layer', 'fire5/concat', '--output', y);
  const g = join(folder, 'g.npy');
  const facts = unpool('project', model, photo, '--layer', 'fire5/concat', '--map', '17', '--output', g);
  assert.deepEqual(web.at, facts.at);
  const errors = {
    prediction: apart(p(web.top), p(top)),
    activation: apart(web.activation, npy(readFileSync(y))),
    projection: apart(web.projection, npy(readFileSync(g))),
  };
  t.diagnostic(`largest differences: ${JSON.stringify(errors)}`);
  for (const [what, error] of Object.entries(errors)) assert.ok(error <= 1e-5, `${what}: ${error}`);
});
