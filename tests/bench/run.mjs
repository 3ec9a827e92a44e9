// ./build.sh bench: forward passes in Chromium and natively, the kernels one by one, and the peers where the
// development environment has them set up (PEERS=folder, default ../shared/bench). Prints the tables and writes
// tests/bench/results.md. `node tests/bench/run.mjs --quick` leaves out the kernels and VGG16.
import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { dirname, extname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/** @typedef {{ title: string, macs: number, spec: { name: string }, weights: Record<string, number[]> }} Net */
/** @typedef {{ net: string, runtime: string, batch: number, median: number, best: number, busy: number, heap?: number }} Row */

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const quick = process.argv.includes('--quick');
/** @type {Record<string, Net>} */
const nets = JSON.parse(readFileSync(join(here, 'nets.json'), 'utf8'));
const names = Object.keys(nets).filter((name) => !(quick && name === 'vgg16conv'));
const rounds = quick ? 1 : 3;

/** What is seen beside our own work: the share of the machine that was busy just before a run. */
async function busy() {
  const read = () => {
    const all = cpus().map(({ times }) => times);
    const sum = (/** @type {(t: (typeof all)[0]) => number} */ f) => all.reduce((n, t) => n + f(t), 0);
    return { idle: sum((t) => t.idle), all: sum((t) => t.user + t.nice + t.sys + t.irq + t.idle) };
  };
  const before = read();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const after = read();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

const median = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Serves dist/ as pkg/unpool/, and this folder, isolated. */
function serve() {
  const types = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.mjs': 'text/javascript',
    '.wasm': 'application/wasm',
  };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname)).slice(1);
    const file = path.startsWith('pkg/unpool/') ? join(root, 'dist', path.slice(11)) : join(here, path);
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    const type = types[/** @type {keyof typeof types} */ (extname(file))] ?? 'application/octet-stream';
    response.writeHead(200, {
      'content-type': type,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
    });
    return createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** @returns {Promise<Row[]>} */
async function browser() {
  const server = await serve();
  const port = server.address().port;
  const path = process.env.CHROME ?? '/usr/bin/chromium';
  const launch = { executablePath: path, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] };
  /** @type {Map<string, { times: number[], busy: number, heap: number }>} */
  const seen = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      for (const [threads, batch] of [
        [1, 1],
        [2, 1],
        [2, 8],
      ]) {
        if (batch > 1 && name === 'vgg16conv') continue;
        const key = `${name}@${threads}*${batch}`;
        const load = await busy();
        const session = await chromium.launch(launch);
        const page = await session.newPage();
        page.setDefaultTimeout(600_000);
        await page.goto(`http://127.0.0.1:${port}/page.html`);
        await page.waitForFunction('globalThis.ready');
        const runs = name === 'vgg16conv' || batch > 1 ? 3 : 10;
        const result = await page.evaluate((task) => /** @type {any} */ (globalThis).measure(task), {
          net: nets[name],
          threads,
          batch,
          runs,
        });
        await session.close();
        if (result.error) throw new Error(`${key}: ${result.error}`);
        const entry = seen.get(key) ?? { times: [], busy: 0, heap: 0 };
        entry.times.push(...result.times);
        entry.busy = Math.max(entry.busy, load);
        entry.heap = Math.max(entry.heap, result.heap);
        seen.set(key, entry);
      }
    }
  }
  server.close();
  return [...seen].map(([key, { times, busy, heap }]) => {
    const [net, threads, batch] = key.split(/[@*]/);
    return {
      net,
      runtime: `unpool@${threads}`,
      batch: Number(batch),
      median: median(times),
      best: Math.min(...times),
      busy,
      heap,
    };
  });
}

/** The peers' own harness, with this project as one of its runtimes. @returns {Row[]} */
function peers() {
  const folder = resolve(process.env.PEERS ?? join(root, '../shared/bench'));
  if (!existsSync(join(folder, 'node_modules')) || !existsSync(join(folder, 'models'))) {
    console.log(`no peers: ${folder} is not set up (its README says how)`);
    return [];
  }
  const runtimes = ['unpool@1', 'unpool@2', 'ort-wasm@1', 'ort-wasm@2', 'tfjs-wasm@1'];
  for (const rten of ['relaxed', 'threads']) {
    if (existsSync(join(folder, `pkg/rten-${rten}`))) runtimes.push(`rten@${rten === 'threads' ? 2 : 1}`);
  }
  const common = ['bench.mjs', '--rt', runtimes.join(','), '--rounds', String(rounds), '--wait', '20'];
  const run = (/** @type {string} */ list, /** @type {string} */ batch) =>
    execFileSync('node', [...common, '--net', list, '--batch', batch], {
      cwd: folder,
      env: { ...process.env, UNPOOL: root },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const text = run(names.join(','), '1') + run(names.filter((name) => name !== 'vgg16conv').join(','), '8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((row) => {
      if (row.error) console.error(`${row.runtime} ${row.net}: ${row.error}`);
      return !row.error;
    })
    .map((row) => ({ ...row, median: row.median_ms, best: row.min_ms, busy: row.busy_before }));
}

/** Criterion's own report, cut down to name and throughput. */
function native() {
  const done = spawnSync('cargo', ['bench', '--bench', 'kernels', '--', '--noplot'], { cwd: root, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`cargo bench failed:\n${done.stderr}`);
  const lines = [];
  let name = '';
  for (const line of done.stdout.split('\n')) {
    const head = line.match(/^(\S.*?)\s+time:/) ?? line.match(/^(\S.*\/.*)$/);
    if (head) name = head[1];
    const rate = line.match(/thrpt:\s+\[\S+ \S+ (\S+) (\S+)/);
    const time = line.match(/time:\s+\[\S+ \S+ (\S+ \S+)/);
    if (time) lines.push({ name, time: time[1], rate: '' });
    if (rate && lines.length > 0) lines[lines.length - 1].rate = `${rate[1]} ${rate[2].replace('elem/s', 'op/s')}`;
  }
  return lines;
}

/** @param {Row[]} rows */
function table(rows) {
  const out = [
    '| network | batch | runtime | median ms | best ms | GFLOP/s (best) | heap MB | others busy |',
    '|-|-|-|-|-|-|-|-|',
  ];
  for (const r of rows) {
    const net = nets[r.net];
    const rate = ((2e-6 * net.macs * r.batch) / r.best).toFixed(1);
    const heap = r.heap ? (r.heap / 1e6).toFixed(0) : '';
    out.push(
      `| ${net.title} | ${r.batch} | ${r.runtime} | ${r.median.toFixed(1)} | ${r.best.toFixed(1)} | ${rate} | ${heap} | ${r.busy.toFixed(2)} |`,
    );
  }
  return out.join('\n');
}

/** @param {Row[]} rows best peer over this project, by median and by best time */
function ratios(rows) {
  const out = [
    '| network | batch | threads | fastest peer | ratio of medians | ratio of best times |',
    '|-|-|-|-|-|-|',
  ];
  for (const ours of rows.filter((r) => r.runtime.startsWith('unpool'))) {
    const single = ours.runtime.endsWith('@1');
    const rivals = rows.filter(
      (r) =>
        r.net === ours.net &&
        r.batch === ours.batch &&
        !r.runtime.startsWith('unpool') &&
        (!single || r.runtime.endsWith('@1')),
    );
    if (rivals.length === 0) continue;
    const fastest = rivals.reduce((a, b) => (b.best < a.best ? b : a));
    const middle = Math.min(...rivals.map((r) => r.median));
    out.push(
      `| ${nets[ours.net].title} | ${ours.batch} | ${ours.runtime.slice(7)} | ${fastest.runtime} | ${(middle / ours.median).toFixed(2)} | ${(fastest.best / ours.best).toFixed(2)} |`,
    );
  }
  return out.join('\n');
}

const machine = `${cpus()[0].model.trim()}, ${cpus().length} CPUs; ${new Date().toISOString().slice(0, 10)}`;
const parts = [
  '# Measured speed',
  '',
  `Written by \`./build.sh bench\`. ${machine}.`,
  '"Others busy" is the share of the machine in use just before a run: above 0.1 a line says little.',
  '',
];
const own = await browser();
parts.push('## Forward pass in Chromium', '', table(own), '');
const beside = peers();
if (beside.length > 0) {
  parts.push('## Beside other engines, in one run', '', table(beside), '', ratios(beside), '');
}
if (!quick) {
  const rows = native().map(({ name, time, rate }) => `| ${name} | ${time} | ${rate} |`);
  parts.push('## Kernels, native', '', '| kernel | time | operations or bytes |', '|-|-|-|', ...rows, '');
}
const text = parts.join('\n');
console.log(text);
writeFileSync(join(here, 'results.md'), text);
process.exit(0);
