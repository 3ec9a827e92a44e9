/** The photos whose parts are compared: five samples with marks, and the visitor's own; each run through the network once. */

import { fromBlob, fromSample } from '../photo.js';

/** @typedef {import('../photo.js').Credit & { marks: Record<string, [number, number]> }} Sample */
/** @typedef {import('../photo.js').Photo} Photo */
/** @typedef {import('../types.d.ts').Trace} Trace */
/** @typedef {import('../types.d.ts').Net} Net */
/**
 * `marks`: by part, row and column as shares of the middle square. `trace`: of the present network.
 * @typedef {{ id: string, own: boolean, name: string, credit: string, photo: Photo, marks: Record<string, [number, number]>, trace?: Trace }} Face
 */

/** The pairs grow with the square, and so does what is kept in memory. */
export const MOST = 12;

export class Faces {
  /** @type {Face[]} */ all = [];
  /** @type {Net | undefined} */ #net;
  /** @type {Promise<void> | undefined} */ #samples;
  #own = 0;

  /** The samples, once. @returns {Promise<void>} */
  load() {
    this.#samples ??= this.#fetch().catch((error) => {
      this.#samples = undefined;
      throw error;
    });
    return this.#samples;
  }

  async #fetch() {
    const answer = await fetch(new URL('../samples/faces.json', import.meta.url));
    if (!answer.ok) throw new Error(`faces.json: ${answer.status}`);
    const samples = /** @type {Sample[]} */ (await answer.json());
    const made = samples.map(async (one) => ({
      id: one.id,
      own: false,
      name: one.id,
      credit: `${one.author}, ${one.licence}`,
      photo: await fromSample(one),
      marks: { ...one.marks },
    }));
    this.all.unshift(...(await Promise.all(made)));
  }

  /** The files that can be read come in as long as there is room. @param {Iterable<File>} files @returns {Promise<{ refused: unknown[], left: number }>} why others could not, and how many had no room */
  async add(files) {
    /** @type {unknown[]} */
    const refused = [];
    let left = 0;
    for (const file of files) {
      if (this.all.length >= MOST) {
        left += 1;
        continue;
      }
      try {
        const photo = await fromBlob(file, file.name);
        this.#own += 1;
        this.all.push({ id: `own${this.#own}`, own: true, name: file.name, credit: '', photo, marks: {} });
      } catch (error) {
        refused.push(error);
      }
    }
    return { refused, left };
  }

  /** @param {string} id */
  remove(id) {
    this.all = this.all.filter((face) => {
      if (face.id === id) face.trace?.close();
      return face.id !== id;
    });
  }

  /** What the network makes of each, one after the other. @param {Net} net @param {AbortSignal} signal */
  async run(net, signal) {
    if (net !== this.#net) this.forget();
    this.#net = net;
    for (const face of this.all) {
      if (signal.aborted) return;
      if (!face.trace) face.trace = await net.run(face.photo.file ?? face.photo.bitmap, { signal });
    }
  }

  /** Frees the traces, which hold every activation of every face. */
  forget() {
    for (const face of this.all) {
      face.trace?.close();
      face.trace = undefined;
    }
  }
}
