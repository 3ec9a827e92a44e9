/** Photos of a folder, chosen or dropped, under the names that the command line would give them. */

/** Told by the name: a folder of ten thousand files is not opened file by file. */
const PICTURE = /\.(jpe?g|png|webp|avif|gif|bmp)$/i;

/** @typedef {{ photos: Map<string, File>, others: number }} Found `others`: files that are no pictures */

/** @param {Iterable<[string, File]>} all @returns {Found} */
function sorted(all) {
  const list = [...all];
  const photos = list.filter(
    ([name, file]) => PICTURE.test(name) || (!/\.\w+$/.test(name) && file.type.startsWith('image/')),
  );
  photos.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { photos: new Map(photos), others: list.length - photos.length };
}

/** @param {FileList} files of an input for folders */
export const chosen = (files) =>
  sorted([...files].map((file) => [file.webkitRelativePath.split('/').slice(1).join('/') || file.name, file]));

/** Whether a drop is more than one photo for the page. @param {DataTransfer} data */
export const isMany = (data) =>
  data.files.length > 1 || [...data.items].some((item) => item.webkitGetAsEntry()?.isDirectory);

/** @param {DataTransfer} data @param {(n: number) => void} [counted] told how many files were found so far @returns {Promise<Found>} */
export async function dropped(data, counted = () => {}) {
  // Asked for at once: a drop's items are gone after the first await.
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  /** @type {[string, File][]} */
  const all = [];
  const alone = entries.length === 1;
  for (const entry of entries) await walk(entry, alone || !entry.isDirectory ? '' : `${entry.name}/`, all, counted);
  return sorted(all);
}

/** @param {FileSystemEntry} entry @param {string} folder under which its files are named @param {[string, File][]} all @param {(n: number) => void} counted */
async function walk(entry, folder, all, counted) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => /** @type {FileSystemFileEntry} */ (entry).file(done, fail));
    all.push([`${folder}${entry.name}`, file]);
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return;
    // A hundred at a time, as the browser hands them out; folders one after the other.
    await Promise.all(some.filter((one) => one.isFile).map((one) => walk(one, folder, all, counted)));
    for (const one of some.filter((one) => one.isDirectory)) await walk(one, `${folder}${one.name}/`, all, counted);
    counted(all.length);
  }
}

/** Whether a file is a gallery, by its header. @param {File} file */
export async function isGallery(file) {
  const start = new DataView(await file.slice(0, 8).arrayBuffer());
  if (start.byteLength < 8) return false;
  const length = Number(start.getBigUint64(0, true));
  return (await file.slice(8, 8 + Math.min(length, 4096)).text()).includes('unpool-gallery');
}
