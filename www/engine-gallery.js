/** The worker's answers about galleries; engine.js loads them with the first such request. */

import { pixels } from './picture.js';

/**
 * @import { Call, Tools } from './engine.js'
 * @import { Gallery, GalleryJob } from './wasm/single/unpool.js'
 * @typedef {{ name: string, photo: Blob | ImageData }} File
 * Files by their place in the whole list: those that have come and are not done.
 * @typedef {{ job: GalleryJob, files: Map<number, File>, next: number, most: number, ahead: Promise<ImageData>[],
 *   run?: Promise<void>, free: () => void }} Build
 */

/** Photos kept decoded: those of a screenful of maps; half a megabyte each. */
const MOST_PHOTOS = 120;
/** Cells are computed in batches, side by side, that take about so long (in milliseconds) between two turns of this worker's loop. */
const BATCH = [30, 80];
/** Cells of one photo that are computed together: more would keep those before them in the wall waiting. */
const MOST_MATES = 6;
/** Photos that wait in the engine, enough for every thread to have one; of large ones (in pixels) only two. */
const QUEUE = 8;
const LARGE = 2e6;
/** Files decoded ahead of their turn: the browser does it beside the engine, in several turns of this worker's loop. */
const AHEAD = 6;
/** Bytes of files that may be on their way at once; one always is. */
const AHEAD_BYTES = 2e6;
/** What a photo may be refused for; anything else is the engine's own trouble. */
const FAULTS = ['Malformed', 'Unsupported', 'Shape', 'Limit', 'Parameter'];

/** By gallery and number, the one used last at the end. @type {Map<string, Promise<ImageData>>} */
const photos = new Map();

/** @param {string} key @param {Promise<ImageData>} photo */
function remember(key, photo) {
  photos.delete(key);
  photos.set(key, photo);
  for (const old of photos.keys()) {
    if (photos.size <= MOST_PHOTOS) break;
    photos.delete(old);
  }
}

/**
 * A cell that has its photo.
 * @typedef {{ call: Call, handle: number, photo: ImageData, done: (cell: any) => void, fail: (error: unknown) => void,
 *   asked: { layer: string, map: number, entry: number, index: number, side: number, patchOnly: boolean } }} Asked
 */
/** @type {Asked[]} */
let waiting = [];
let batch = 4;

/** @param {Blob | ImageData | ImageBitmap} photo */
const decoded = async (photo) => (photo instanceof ImageData ? photo : pixels(photo));

/** @param {Tools} tools @returns {Record<string, (call: Call, ...args: any[]) => any>} */
export function requests({ SLICE, find, keep, turn, grab, finish, engine }) {
  const gallery = (/** @type {number} */ handle) => /** @type {Gallery} */ (find(handle, 'gallery'));
  const handed = (/** @type {Gallery} */ made) => ({ handle: keep(made), info: made.info() });

  /** The photo of an entry, as it came or as it is remembered. @param {number} handle @param {number} index @param {any} sent */
  async function photoOf(handle, index, sent) {
    const key = `${handle}:${index}`;
    const photo = photos.get(key) ?? (sent && decoded(sent));
    if (!photo) return undefined;
    remember(key, photo);
    photo.catch(() => photos.delete(key));
    return photo;
  }

  /** The next cells of a gallery, those of one photo together: they may share a forward pass. @param {Asked} first */
  function next({ handle }) {
    /** @type {Set<Asked>} */
    const taken = new Set();
    const all = waiting.filter((one) => one.handle === handle);
    for (const one of all) {
      if (taken.size >= batch) break;
      const { index, patchOnly } = one.asked;
      const mates = all.filter(({ asked }) => asked.index === index && asked.patchOnly === patchOnly);
      for (const mate of [one, ...mates].slice(0, MOST_MATES)) taken.add(mate);
    }
    return [...taken];
  }

  /** The next cells that wait, side by side. */
  function work() {
    for (const { call, fail } of waiting) if (call.cancelled) fail(new Error('not wanted any more'));
    waiting = waiting.filter(({ call }) => !call.cancelled);
    const [first] = waiting;
    if (!first) return;
    const now = next(first);
    waiting = waiting.filter((one) => !now.includes(one));
    const begun = performance.now();
    const { GalleryCells } = engine();
    const cells = new GalleryCells();
    /** @type {Asked[]} */
    const taken = [];
    try {
      const whole = gallery(first.handle);
      for (const one of now) {
        const { layer, map, entry, side, patchOnly } = one.asked;
        const { width, height, data } = one.photo;
        try {
          whole.ask(cells, layer, map, entry, width, height, /** @type {any} */ (data), side, patchOnly);
          taken.push(one);
        } catch (error) {
          one.fail(error);
        }
      }
      for (const [i, cell] of whole.answer(cells).entries())
        if (cell instanceof Error) taken[i].fail(cell);
        else taken[i].done(cell);
    } catch (error) {
      // Of all of them: the gallery was closed, or the engine is gone.
      for (const one of now) one.fail(error);
    } finally {
      cells.free();
    }
    const took = performance.now() - begun;
    if (took < BATCH[0] && now.length >= batch) batch = Math.min(32, batch * 2);
    if (took > BATCH[1]) batch = Math.max(2, batch >> 1);
  }

  /** The next photo of a build, those after it already on their way. @param {Build} build */
  async function begin(build) {
    const { job, files, next, ahead } = build;
    const file = (/** @type {number} */ i) => /** @type {File} */ (files.get(i));
    const size = (/** @type {number} */ i) => /** @type {Blob} */ (file(i).photo).size ?? 0;
    let bytes = ahead.reduce((sum, _, i) => sum + size(next + i), 0);
    while (ahead.length < AHEAD && files.has(next + ahead.length) && (!ahead.length || bytes < AHEAD_BYTES)) {
      bytes += size(next + ahead.length);
      const coming = decoded(file(next + ahead.length).photo);
      coming.catch(() => {}); // told when its turn comes
      ahead.push(coming);
    }
    const { name } = file(next);
    try {
      const image = /** @type {ImageData} */ (await ahead[0]);
      build.most = image.width * image.height > LARGE ? 2 : QUEUE;
      job.add(name, image.width, image.height, /** @type {any} */ (image.data));
    } catch (error) {
      const fault = /** @type {Error} */ (error);
      if (!FAULTS.includes(fault.name)) throw error;
      job.skip(name, fault.message);
    }
    ahead.shift();
    files.delete(next);
    build.next += 1;
  }

  return {
    async galleryOpen(call, net, /** @type {string | Uint8Array | Blob} */ source) {
      const whole =
        typeof source === 'string'
          ? await grab(source, call.abort.signal, 'gallery')
          : new Response(/** @type {BodyInit} */ (source));
      const bytes = new Uint8Array(await whole.arrayBuffer());
      await turn(call);
      return handed(find(net, 'net').gallery(bytes));
    },
    galleryLayer: (_, handle, layer) => gallery(handle).layer(layer),
    galleryHistogram: (_, handle, layer, map) => gallery(handle).histogram(layer, map),
    galleryBytes: (_, handle) => gallery(handle).bytes(),
    // The binding takes the others; the caller's own stay.
    galleryMerge: (_, one, others, layers) =>
      handed(
        gallery(one).merge(
          others.map((/** @type {number} */ other) => gallery(other).copy()),
          layers,
        ),
      ),

    async galleryCell(call, handle, asked, sent) {
      const photo = await photoOf(handle, asked.index, sent);
      if (!photo) return { wanted: true };
      /** @type {Promise<any>} */
      const coming = new Promise((done, fail) => waiting.push({ call, handle, asked, photo, done, fail }));
      // Those that came meanwhile are computed with it.
      turn(call).then(work, work);
      const cell = await coming;
      const [height, width] = cell.shape;
      const picture = (/** @type {any} */ pixels) => pixels && new ImageData(pixels, width, height);
      return { ...cell, patch: picture(cell.patch), projection: picture(cell.projection) };
    },

    async galleryTrace(call, handle, { layer, map, entry, index }, sent) {
      const photo = await photoOf(handle, index, sent);
      if (!photo) return { wanted: true };
      const { width, height, data } = photo;
      return finish(call, gallery(handle).startEntry(layer, map, entry, width, height, /** @type {any} */ (data)));
    },

    galleryRanks: (_, handle, { trace, one }) =>
      one ? gallery(handle).ranksOf(gallery(one)) : gallery(handle).ranks(find(trace, 'trace')),

    galleryStart(_, net, { layers, top, windows, into, from }) {
      // The binding takes what it goes on with; the caller's own stays.
      const old = into ? gallery(into).copy() : undefined;
      const job = find(net, 'net').galleryJob(layers, top, windows, old);
      /** @type {Build} */
      const build = { job, files: new Map(), next: from, most: QUEUE, ahead: [], free: () => job.free() };
      return { handle: keep(build) };
    },

    async galleryBuild(call, handle, milliseconds, /** @type {number} */ place, /** @type {File[]} */ more) {
      const build = /** @type {Build} */ (find(handle, 'gallery'));
      const { job, files } = build;
      for (const [i, file] of more.entries()) if (place + i >= build.next) files.set(place + i, file);
      // A run that was left may still be waiting for a photo: one after the other.
      const before = build.run;
      let over = () => {};
      build.run = new Promise((done) => {
        over = () => done(undefined);
      });
      await before;
      try {
        const end = performance.now() + milliseconds;
        do {
          // Several at a time: each thread takes a photo of its own.
          while (files.has(build.next) && job.pending() < build.most) await begin(build);
          await turn(call);
          job.step(SLICE);
        } while (performance.now() < end && (files.has(build.next) || job.pending()));
      } finally {
        over();
      }
      return { done: build.next - job.pending(), skipped: job.failures() };
    },

    galleryPart(_, handle) {
      const { job, next } = /** @type {Build} */ (find(handle, 'gallery'));
      // Of a run that was left more may be done than it told.
      return { ...handed(job.part()), done: next - job.pending() };
    },
  };
}
