// Fails the build when what a visitor downloads grows past its budget (gzip, as static hosts send it).
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

const root = new URL('../../dist/', import.meta.url).pathname;

/** @param {string} folder @returns {string[]} every file under it, as paths relative to dist/ */
const files = (folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));

/** What the first view loads: the page, what it links to, and all that those import; not what a view fetches when it is opened. */
function firstLoad() {
  const found = new Set(['index.html', 'engine.js', 'isolation-sw.js']);
  for (const path of found) {
    const text = readFileSync(join(root, path), 'utf8');
    const asked = path.endsWith('.html')
      ? [...text.matchAll(/(?:src|href)="([^":#]+\.(?:js|css))"/g)]
      : [...text.matchAll(/(?:\bfrom|^import|;import) *["'](\.[^"']+\.js)["']/gm)];
    for (const [, name] of asked) {
      const next = join(dirname(path), name);
      if (!next.startsWith('wasm/') && existsSync(join(root, next))) found.add(next);
    }
  }
  return [...found];
}

const page = files('.').filter((path) => !/^(wasm|models)\//.test(path) && /\.(html|js|css)$/.test(path));
const flavour = (/** @type {string} */ name) => files(`wasm/${name}`).filter((path) => /\.(wasm|js)$/.test(path));

// Aims: 250 KB for an engine, 2400 KB for SqueezeNet, whose weights are float16. What stands here is what must not get worse meanwhile: the kernels
// grew for speed, imported networks brought twelve kinds of layers, occlusion its batches and galleries 50 KB, in the page 14.
// With threads 4 more: layers inverted, and a wall of projections computed side by side, each from its receptive field alone.
// Training brought stochastic pooling, a kind of layer that every network may have, 4 KB of scripts that load with it, and to the
// lab its gradients, data and checkpoints.
// Sparse coding brought 20 KB to the page, filters 15 and training, with the module's and the worker's part, 27; all come when their views are opened.
// The lab is sparse coding, filters in numbers and training. To train is to build any network, run it forwards and back and write it as a file, and to
// watch it the deconvnet: most of the engine once more, 195 KB; nothing of it loads before its view is opened.
// Weights that are no numbers are counted and said: 2 KB in the engine with threads. Inflating, the LRN that PyTorch
// writes out and a report in lines took the importers 11, training's kind of layer the rest.
// Convolutions with few outputs, which training needs fast, and walls that share a forward pass and galleries merged by layer: 15 KB with threads.
// Reading every photo's header and end, so that half a photo is refused, took the first load over 62.
// The first load aims at 60 KB; opening one's own networks, though their code comes later, took 0.4, files handed over
// little by little and training's door 0.6.
// What the Occlusion view says of every case and puts into its files, and the choices of invariance, took 2.
const budgets = [
  { what: 'page, first load', kb: 63, paths: firstLoad() },
  { what: 'page with every view', kb: 218, paths: page },
  { what: 'engine, threads', kb: 372, paths: flavour('threads') },
  { what: 'engine, relaxed', kb: 372, paths: flavour('relaxed') },
  { what: 'engine, single', kb: 358, paths: flavour('single') },
  { what: 'importers', kb: 312, paths: flavour('import') },
  { what: 'lab, threads', kb: 470, paths: flavour('lab-threads') },
  { what: 'lab, single', kb: 457, paths: flavour('lab-single') },
  { what: 'SqueezeNet', kb: 2400, paths: ['models/squeezenet.safetensors'] },
];

const shown = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} KB`.padStart(12);
console.log(`${'size'.padEnd(24)}${'raw'.padStart(12)}${'gzip'.padStart(12)}${'budget'.padStart(12)}`);
let over = false;
for (const { what, kb, paths } of budgets) {
  const raw = paths.reduce((sum, path) => sum + statSync(join(root, path)).size, 0);
  const gzip = paths.reduce((sum, path) => sum + gzipSync(readFileSync(join(root, path)), { level: 9 }).length, 0);
  const tooBig = gzip > kb * 1000;
  over ||= tooBig;
  console.log(`${what.padEnd(24)}${shown(raw)}${shown(gzip)}${shown(kb * 1000)}${tooBig ? '  over budget' : ''}`);
}
if (over) {
  console.error(
    'error: over the size budget: make it smaller, or raise the budget in tests/tools/budget.mjs and say why',
  );
  process.exit(1);
}
