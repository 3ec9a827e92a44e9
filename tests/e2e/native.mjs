// The command line, for tests that compare the page with it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a command says with --json. @param {string[]} line */
export const unpool = (...line) =>
  JSON.parse(execFileSync(join(root, 'target/release/unpool'), [...line, '--json'], { cwd: root, encoding: 'utf8' }));

/** A folder that goes when the test ends. @param {import('./browser.mjs').Scope} t */
export function folderOf(t) {
  const folder = mkdtempSync(join(tmpdir(), 'unpool-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A float32 array of NumPy's. @param {string} path */
export function npy(path) {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  assert.match(header, /'descr': '<f4'.*'fortran_order': False/);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}

/** Largest difference, in units of the largest value. @param {ArrayLike<number>} ours @param {ArrayLike<number>} theirs */
export function apart(ours, theirs) {
  assert.equal(ours.length, theirs.length);
  let [difference, peak] = [0, 0];
  for (let i = 0; i < ours.length; i += 1) {
    difference = Math.max(difference, Math.abs(ours[i] - theirs[i]));
    peak = Math.max(peak, Math.abs(theirs[i]));
  }
  assert.ok(peak > 0, 'nothing but zeros');
  return difference / peak;
}
