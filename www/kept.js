/**
 * Networks of the visitor's own, kept in the browser's private file system until they are removed. A link names them by
 * title and hash and never carries their weights.
 */

import { fail } from './errors.js';
import { t } from './words.js';

/** @typedef {{ id: string, size: number }} Kept */

const ENDING = '.safetensors';
/** Set while there is any, so that the page knows without opening the file system. */
const FLAG = 'unpool.kept';

/** @returns {Promise<FileSystemDirectoryHandle | undefined>} nothing where the browser has no such place */
async function folder() {
  try {
    const root = await navigator.storage?.getDirectory?.();
    return await root?.getDirectoryHandle('networks', { create: true });
  } catch {
    // Private windows and insecure hosts have none: the network then lives as long as the page.
    return undefined;
  }
}

/** How a network is called in the hash. @param {string} name @param {string} hash */
export const idOf = (name, hash) => `${name.replace(/[^\w.-]+/g, '-').slice(0, 48) || 'network'}~${hash}`;

/** @param {string} id @param {Blob} file @returns {Promise<boolean>} whether it will still be there next time */
export async function save(id, file) {
  const place = await folder();
  if (!place) return false;
  try {
    const writable = await (await place.getFileHandle(id + ENDING, { create: true })).createWritable();
    await writable.write(file);
    await writable.close();
    localStorage.setItem(FLAG, '1');
    return true;
  } catch {
    // No room, or no way to write: half a file must not stay.
    await place.removeEntry(id + ENDING).catch(() => {});
    return false;
  }
}

/** @returns {Promise<Kept[]>} by name */
export async function list() {
  const place = await folder();
  /** @type {Kept[]} */
  const all = [];
  if (place) {
    const entries = /** @type {AsyncIterable<[string, FileSystemFileHandle]>} */ (/** @type {any} */ (place).entries());
    for await (const [name, handle] of entries)
      if (name.endsWith(ENDING)) all.push({ id: name.slice(0, -ENDING.length), size: (await handle.getFile()).size });
  }
  if (!all.length) localStorage.removeItem(FLAG);
  return all.sort((a, b) => a.id.localeCompare(b.id));
}

/** @param {string} id of one that may be gone already; rejects where the browser does not let it go */
export async function remove(id) {
  await (await folder())?.removeEntry(id + ENDING).catch((error) => {
    if (error.name !== 'NotFoundError') throw error;
  });
  await list();
}

/** Those of this visit, kept or not. @type {Map<string, Blob>} */
export const here = new Map();

/** @param {string} id @returns {Promise<Blob>} */
export async function open(id) {
  const held = here.get(id);
  if (held) return held;
  const [name, hash] = id.split('~');
  try {
    const handle = await (await folder())?.getFileHandle(id + ENDING);
    if (handle) return await handle.getFile();
  } catch {
    // Not here: said below.
  }
  throw fail('Parameter', t('import.gone', { name, hash }));
}
