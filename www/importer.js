/**
 * A worker of one errand: another tool's file in, a file of ours out. It owns a WebAssembly package of its own, the
 * readers of foreign formats, and is ended after the errand, so that none of that memory stays.
 */

import start, { Importer, testData } from './wasm/import/unpool.js';

/** @import { ImportErrand, ImportNews, ImportTest } from './types.d.ts' */

const worker = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const tell = (/** @type {ImportNews} */ news) => worker.postMessage(news);

/** Test data beside the network: what goes in and what should come out. @param {Blob[]} tests @returns {Promise<ImportTest[]>} */
async function read(tests) {
  const found = [];
  for (const file of tests) {
    const [shape, data] = testData(new Uint8Array(await file.arrayBuffer()));
    found.push({ shape, data });
  }
  return found;
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
  tell({ done: { report, hash: importer.hash(), file: new Blob(parts), tests: await read(tests) } });
}

worker.onmessage = ({ data }) =>
  run(data).catch((error) =>
    tell({ error: { name: error?.name ?? 'Error', message: error?.message ?? String(error) } }),
  );
