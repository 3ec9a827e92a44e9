/**
 * A worker of one errand: another tool's file in, a file of ours out. It owns a WebAssembly package of its own, the
 * readers of foreign formats, and is ended after the errand, so that none of that memory stays.
 */

import start, { Importer, testNumbers, testPictures } from './wasm/import/unpool.js';

/** @import { ImportErrand, ImportNews, ImportTest } from './types.d.ts' */

const worker = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const tell = (/** @type {ImportNews} */ news) => worker.postMessage(news);

/** Test data beside the network; what is wrong with them is no fault of the network's. @param {Blob[]} tests @returns {Promise<ImportTest | undefined>} */
async function read(tests) {
  if (!tests.length) return undefined;
  try {
    const [input, output] = await Promise.all(tests.map(async (file) => new Uint8Array(await file.arrayBuffer())));
    const [shape, pictures] = testPictures(input);
    return { shape, pictures, wanted: /** @type {Float32Array<ArrayBuffer>} */ (testNumbers(output)) };
  } catch (error) {
    return { refused: /** @type {Error} */ (error).message };
  }
}

/** @param {ImportErrand} errand */
async function run({ file, options, tests }) {
  await start({ module_or_path: fetch(new URL('./wasm/import/unpool_bg.wasm', import.meta.url)) });
  const importer = new Importer(file.size);
  let done = 0;
  const reader = file.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    importer.push(piece.value);
    done += piece.value.length;
    tell({ progress: done });
  }
  const report = JSON.parse(importer.convert(JSON.stringify(options)));
  /** Browsers may keep blobs on disk, arrays they cannot. @type {Blob[]} */
  const parts = [];
  for (let piece = importer.piece(); piece; piece = importer.piece())
    parts.push(new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (piece)]));
  tell({ done: { report, hash: importer.hash(), file: new Blob(parts), test: await read(tests) } });
}

worker.onmessage = ({ data }) =>
  run(data).catch((error) =>
    tell({ error: { name: error?.name ?? 'Error', message: error?.message ?? String(error) } }),
  );
