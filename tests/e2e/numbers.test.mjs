// The page and the command line are one engine: the same photo gives the same numbers.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { drop, eventually, ready, saved, unit, useBrowser, verdict, visit } from './browser.mjs';
import { apart, folderOf, npy, unpool } from './native.mjs';
import { host } from './server.mjs';

useBrowser();

test('page and command line agree to 1e-5 on one photo', async (t) => {
  const folder = folderOf(t);
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
    activation: apart(web.activation, npy(y)),
    projection: apart(web.projection, npy(g)),
  };
  t.diagnostic(`largest differences: ${JSON.stringify(errors)}`);
  for (const [what, error] of Object.entries(errors)) assert.ok(error <= 1e-5, `${what}: ${error}`);
});

test('the page’s own path gives the numbers of the command line, for a photo of 10 megapixels', async (t) => {
  const folder = folderOf(t);
  const site = await host({ isolated: true });
  t.after(() => site.stop());
  const page = await visit(t, site, { hash: '#photo=cat&layer=fire5/concat&map=17' });
  await ready(page);
  const [before, chosen] = [await verdict(page), await unit(page)];
  const bytes = await page.evaluate(async () => {
    const bitmap = await createImageBitmap(await (await fetch('samples/coffee.webp')).blob());
    const canvas = new OffscreenCanvas(3900, 2600);
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0, 3900, 2600);
    const file = await canvas.convertToBlob({ type: 'image/png' });
    const text = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(String(reader.result));
      reader.readAsDataURL(file);
    });
    Object.assign(window, { photo: file });
    return text.slice(text.indexOf(',') + 1);
  });
  const photo = join(folder, 'photo.png');
  writeFileSync(photo, Buffer.from(bytes, 'base64'));
  await drop(page, { name: 'photo.png', type: 'image/png', made: 'photo' });
  await eventually(async () => assert.notEqual(await verdict(page), before), 60_000);
  await eventually(async () => assert.notEqual(await unit(page), chosen), 60_000);
  const g = join(folder, 'g.npy');
  const facts = unpool('project', 'squeezenet', photo, '--layer', 'fire5/concat', '--map', '17', '--output', g);
  await eventually(async () => assert.match(await unit(page), new RegExp(`row ${facts.at[0]}.*column ${facts.at[1]}`)));
  const error = apart(npy(await saved(page, 'NPY', folder)), npy(g));
  t.diagnostic(`largest difference: ${error}`);
  assert.ok(error <= 1e-5, String(error));
});
