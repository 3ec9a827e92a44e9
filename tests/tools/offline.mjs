// Tells dist/'s service worker which build it belongs to and which files to keep for use without a network.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../dist/', import.meta.url));
const script = join(root, 'isolation-sw.js');

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'))
  .filter((path) => path !== 'isolation-sw.js')
  .sort();

const hash = createHash('sha256');
for (const path of files) hash.update(path).update(readFileSync(join(root, path)));

// Large models, galleries and their photos, and what only the Sparse view takes, are kept once they have been used; the model that the page opens with always is.
const kept = files.filter(
  (path) =>
    !/\.d\.ts$|^(pool|trained|data)\/|^wasm\/lab-|^dictionary\./.test(path) &&
    (!path.startsWith('models/') || /^models\/squeezenet\./.test(path)),
);

const source = readFileSync(script, 'utf8');
const written = source
  .replace("const BUILD = '';", `const BUILD = '${hash.digest('hex').slice(0, 16)}';`)
  .replace('const FILES = [];', `const FILES = ${JSON.stringify(['./', ...kept])};`);
if (!/BUILD = '.+'/.test(written) || !/FILES = \[.+\]/.test(written))
  throw new Error('isolation-sw.js has no BUILD and FILES to write');
writeFileSync(script, written);
