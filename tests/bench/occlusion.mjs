// The occlusion sweep beside onnxruntime-web that recomputes every position in full: `node tests/bench/occlusion.mjs
// [NET …]` after ./build.sh dist. Needs the peers' harness (PEERS=folder, default ../shared/bench). Prints one row a
// network; tests/bench/occlusion.md holds the last ones.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const folder = resolve(process.env.PEERS ?? join(root, '../shared/bench'));
if (!existsSync(join(folder, 'node_modules')) || !existsSync(join(folder, 'models'))) {
  console.error(`error: ${folder} is not set up (its README says how)`);
  process.exit(1);
}
/** @type {Record<string, { title: string }>} */
const nets = JSON.parse(readFileSync(join(here, 'nets.json'), 'utf8'));
const wanted = process.argv.slice(2);
const names = wanted.length ? wanted : Object.keys(nets);
const SIZE = 50;
const BATCH = 8;

/** Pixels between positions: 484 of them; the peer would take minutes for those of VGG16. @param {string} net */
const strideOf = (net) => (net === 'vgg16conv' ? 32 : 8);

/** Multiply-adds that a square can change, as the harness counts them. @param {string} net @param {number} stride */
function bound(net, stride) {
  const python = join(folder, 'venv/bin/python');
  const done = spawnSync(python, [join(folder, 'occlusion_ceiling.py'), String(SIZE), String(stride)], {
    encoding: 'utf8',
  });
  const rows = (done.stdout ?? '')
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const row = rows.find((one) => one.net === net);
  return row ? { macs: row.inc_MMAC * 1e6 * row.positions, ratio: row.ratio } : undefined;
}

console.log(
  '| network | positions | unpool s | onnxruntime-web s | ratio | bound of arithmetic alone | GFLOP/s of the bound’s work | sums agree to |',
);
console.log('|-|-|-|-|-|-|-|-|');
for (const net of names) {
  const stride = strideOf(net);
  const common = ['bench.mjs', '--net', net, '--occlude', `${SIZE},${stride},${BATCH}`, '--wait', '10'];
  const text = execFileSync('node', [...common, '--rt', 'unpool@2,ort-wasm@2', '--rounds', '1', '--runs', '1'], {
    cwd: folder,
    env: { ...process.env, UNPOOL: root },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [own, peer] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  if (own.error || peer.error) throw new Error(`${net}: ${own.error ?? peer.error}`);
  const least = bound(net, stride);
  const rate = least ? ((2e-6 * least.macs) / own.occ_min).toFixed(0) : '';
  // Without a classifier the two add up different things; sums come with four digits.
  const apart = net === 'vgg16conv' ? '' : Math.max(1e-4, Math.abs(own.occ_sum / peer.occ_sum - 1)).toExponential(0);
  console.log(
    `| ${nets[net].title} | ${own.positions} | ${(own.occ_min / 1e3).toFixed(2)} | ${(peer.occ_min / 1e3).toFixed(2)} | ${(peer.occ_min / own.occ_min).toFixed(1)} | ${least?.ratio ?? ''} | ${rate} | ${apart} |`,
  );
}
