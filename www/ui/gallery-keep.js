/** What the browser keeps of the visitor's own gallery: the file, how far the search is, and the photos if there is room. */

/**
 * @typedef {object} Kept
 * @property {string} model
 * @property {Uint8Array} bytes the gallery as a file
 * @property {string[]} names of all files of the search, in its order
 * @property {number} done so many of them
 */

/** Photos are kept up to so many bytes and files; more of them have to be shown again by choosing the folder. */
const MOST_BYTES = 400e6;
const MOST_FILES = 4000;
/** So many are handed to the browser at a time: each is copied on the page's own thread. */
const AT_ONCE = 100;

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const settled = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });

/** @type {Promise<IDBDatabase> | undefined} */
let opened;
function database() {
  if (!opened) {
    const request = indexedDB.open('unpool', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('galleries', { keyPath: 'model' });
      request.result.createObjectStore('photos');
    };
    opened = settled(request);
    opened.catch(() => {
      opened = undefined;
    });
  }
  return opened;
}

/**
 * @param {'galleries' | 'photos'} store @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => void} write
 */
async function change(store, mode, write) {
  const transaction = (await database()).transaction(store, mode);
  write(transaction.objectStore(store));
  await new Promise((done, fail) => {
    transaction.oncomplete = () => done(undefined);
    transaction.onabort = transaction.onerror = () => fail(transaction.error);
  });
}

/** @param {Kept} kept */
export const keep = (kept) => change('galleries', 'readwrite', (store) => store.put(kept));

/** @param {string} model @returns {Promise<Kept | undefined>} */
export async function kept(model) {
  return settled((await database()).transaction('galleries').objectStore('galleries').get(model));
}

/** @param {string} model @param {Map<string, Blob>} files @param {AbortSignal} signal when they are no longer wanted @returns {Promise<boolean>} whether they were few enough */
export async function keepPhotos(model, files, signal) {
  await forgetPhotos(model);
  if (files.size > MOST_FILES) return false;
  let bytes = 0;
  for (const file of files.values()) bytes += file.size;
  const { quota = MOST_BYTES, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
  if (bytes > Math.min(MOST_BYTES, 0.8 * (quota - usage))) return false;
  const all = [...files];
  for (let from = 0; from < all.length && !signal.aborted; from += AT_ONCE)
    await change('photos', 'readwrite', (store) => {
      for (const [name, file] of all.slice(from, from + AT_ONCE)) store.put(file, [model, name]);
    });
  return true;
}

/** @param {string} model @param {string} name @returns {Promise<Blob | undefined>} */
export async function keptPhoto(model, name) {
  return settled((await database()).transaction('photos').objectStore('photos').get([model, name]));
}

/** @param {string} model */
const forgetPhotos = (model) =>
  change('photos', 'readwrite', (store) => store.delete(IDBKeyRange.bound([model], [model, []])));

/** @param {string} model */
export async function forget(model) {
  await change('galleries', 'readwrite', (store) => store.delete(model));
  await forgetPhotos(model);
}
