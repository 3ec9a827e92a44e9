// Keeps the list of crates in THIRD-PARTY.md and the notices of the pool's photographs true: `node third-party.mjs` rewrites
// them, `--check` only compares.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../../THIRD-PARTY.md', import.meta.url));
const [begin, end] = ['<!-- crates -->', '<!-- /crates -->'];

/** Crates that end up in what is built for a target, by name. @param {string[]} selection @returns {Map<string, any>} */
function crates(...selection) {
  const answer = execFileSync('cargo', ['metadata', '--locked', '--format-version', '1', ...selection], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { packages, resolve } = JSON.parse(answer);
  const nodes = new Map(resolve.nodes.map((/** @type {any} */ node) => [node.id, node]));
  const seen = new Set([resolve.root]);
  for (const id of seen)
    for (const { pkg, dep_kinds } of nodes.get(id).deps)
      if (dep_kinds.some((/** @type {any} */ { kind }) => kind === null)) seen.add(pkg);
  seen.delete(resolve.root);
  return new Map(
    packages.filter((/** @type {any} */ { id }) => seen.has(id)).map((/** @type {any} */ one) => [one.name, one]),
  );
}

const page = crates('--filter-platform', 'wasm32-unknown-unknown', '--features', 'threads');
const native = crates('--filter-platform', 'x86_64-unknown-linux-gnu');
const rows = [...new Map([...page, ...native]).values()]
  .sort((a, b) => (a.name < b.name ? -1 : 1))
  .map(({ name, license }) => {
    const where = [page.has(name) && 'page', native.has(name) && 'command line'].filter(Boolean).join(', ');
    return `| ${name} | ${license ?? 'see its sources'} | ${where} |`;
  });
const table = [begin, '| crate | licence | used in |', '|---|---|---|', ...rows, end].join('\n');

const text = readFileSync(file, 'utf8');
const wanted = text.slice(0, text.indexOf(begin)) + table + text.slice(text.indexOf(end) + end.length);

/** @typedef {{ file: string, author: string, licence: string, source: string, origin: string }} Credit */
const pool = fileURLToPath(new URL('../../www/pool/', import.meta.url));
/** @type {Credit[]} */
const credits = JSON.parse(readFileSync(`${pool}credits.json`, 'utf8'));
/** Creative Commons licences have an address that must be given. @param {string} licence */
const deed = (licence) => {
  const [, kind, version] = /^CC-(BY(?:-SA)?)-(.+)$/.exec(licence) ?? [];
  if (kind) return `[${licence}](https://creativecommons.org/licenses/${kind.toLowerCase()}/${version}/)`;
  return licence === 'CC0-1.0' ? '[CC0-1.0](https://creativecommons.org/publicdomain/zero/1.0/)' : licence;
};
const cell = (/** @type {string} */ value) => value.replaceAll('|', '\\|');
const notices = `# The photographs searched for galleries

${credits.length} photographs, each reduced to a short side of at most 320 pixels; parts of them are shown as patches. What is made of a
photograph under a share-alike licence (CC-BY-SA) stays under that licence. Written by tests/tools/third-party.mjs from credits.json.

| photograph | by | licence | source | taken from |
|---|---|---|---|---|
${credits
  .map(({ file, author, licence, source, origin }) =>
    [file, cell(author), deed(licence), source && `<${source}>`, cell(origin)].join(' | '),
  )
  .map((row) => `| ${row} |`)
  .join('\n')}
`;

/** @type {[string, string, string][]} */
const all = [
  [file, wanted, 'the crates in THIRD-PARTY.md'],
  [`${pool}CREDITS.md`, notices, 'the notices in www/pool/CREDITS.md'],
];
for (const [path, content, what] of all) {
  if (!process.argv.includes('--check')) writeFileSync(path, content);
  else if (readFileSync(path, 'utf8') !== content) {
    console.error(`error: ${what} are out of date: run node tests/tools/third-party.mjs`);
    process.exit(1);
  }
}
