/**
 * One network's first layer under study: its filters at once, then what photographs make of them, piece by piece. The
 * peaks and the strongest photos come from the galleries beside the page where they hold these layers; other networks are
 * shown some photographs of the pool.
 */

import { fail } from '../errors.js';
import { modelTitle } from '../models.js';
import { t } from '../words.js';
import { credits, sourceOf } from './gallery-source.js';

/** @typedef {import('../types.d.ts').Net} Net */
/** @typedef {import('../types.d.ts').Trace} Trace */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */
/** @typedef {import('../types.d.ts').Rect} Rect */
/** @typedef {import('../types.d.ts').FilterRules} Rules */
/** @typedef {import('../types.d.ts').FilterDiagnosis} Diagnosis */
/** @typedef {import('../filters-lab.js').FilterLab} Lab */

/**
 * A map of the second layer, where one photo excites it most.
 * @typedef {object} Picture
 * @property {number} map
 * @property {[number, number]} at
 * @property {number} value
 * @property {string} photo as the hash names it
 * @property {{ data: Float32Array, shape: [number, number, number] }} pixels the projection, cut to what the unit sees of the image
 * @property {number[] | null} line its spectrum along rows and columns
 */

/** @typedef {{ some: number, next: number, peaks: Float32Array, best: Map<number, { photo: number, value: number, at: [number, number] }> }} Survey `next`: the photo that comes */

const POOL = new URL('../pool/', import.meta.url);
/** Photos that a network without galleries is shown before anybody asks for all. */
const FEW = 24;
/** Milliseconds between two diagnoses while photographs are run. */
const PACE = 500;

/** The ReLU that alone reads a layer, else the layer. @param {LayerInfo[]} layers @param {string} name */
function rectified(layers, name) {
  const readers = layers.filter(({ inputs }) => inputs.includes(name));
  return readers.length === 1 && readers[0].kind === 'relu' ? readers[0].name : name;
}

/** A part of planes. @param {Float32Array} data @param {number[]} shape @param {Rect} rect inside them @returns {Picture['pixels']} */
function cut(data, [channels, height, width], [y0, x0, y1, x1]) {
  const [h, w] = [y1 - y0, x1 - x0];
  const part = new Float32Array(channels * h * w);
  for (let row = 0; row < channels * h; row += 1) {
    const from = (Math.floor(row / h) * height + y0 + (row % h)) * width + x0;
    part.set(data.subarray(from, from + w), row * w);
  }
  return { data: part, shape: [channels, h, w] };
}

export class Study extends EventTarget {
  #lab;
  /** @type {Promise<number> | undefined} */ #key;
  /** @type {AbortController | undefined} */ #run;
  /** Counts what has become known, so that nothing is computed twice. */ #news = 0;
  #known = { rules: '', news: -1, at: 0 };
  /** What photographs have said so far, where there is no gallery. @type {Survey | undefined} */ #survey;
  /** @type {Diagnosis | undefined} */ diagnosis;
  /** @type {{ data: Float32Array, shape: number[] }} */ weights = { data: new Float32Array(), shape: [] };
  /** @type {LayerInfo | undefined} */ layer;
  /** The second convolution, behind its ReLU. */ second = '';
  /** @type {Map<number, Picture>} */ pictures = new Map();
  /** @type {'' | 'running' | 'stopped' | 'done'} */ state = '';
  /** Where photographs come from. @type {'' | 'gallery' | 'photos'} */ source = '';
  done = 0;
  total = 0;
  /** Why photographs could not be run. @type {Error | undefined} */ trouble;

  /** @param {Net} net @param {Lab} lab */
  constructor(net, lab) {
    super();
    this.net = net;
    this.#lab = lab;
  }

  /** The network as people write it. */
  get title() {
    const { name, title } = this.net.info;
    const short = modelTitle(name);
    return short === name ? title || name : short;
  }

  /** The filters. Rejects with a sentence where there are none. */
  async open() {
    const { layers, name } = this.net.info;
    const convs = layers.filter(({ kind }) => kind === 'conv');
    if (!convs.length) throw fail('Unsupported', t('fil.none', { model: this.title }));
    this.layer = convs[0];
    this.weights = await this.net.filters(convs[0].name);
    const head = { model: name, layer: convs[0].name, shape: this.weights.shape, stride: convs[0].stride };
    this.#key = this.#lab.call('open', head, this.weights.data);
    const key = await this.#key;
    if (convs[1]) {
      this.second = rectified(layers, convs[1].name);
      await this.#lab.call('second', key, this.second, Math.max(1, Math.round(convs[0].stride[0])));
    }
  }

  /** What is known by these rules; the same object as long as nothing is new. @param {Rules} rules @returns {Promise<Diagnosis>} */
  async diagnose(rules) {
    const asked = { rules: JSON.stringify(rules), news: this.#news, at: performance.now() };
    const soon = this.state === 'running' && asked.at - this.#known.at < PACE;
    const same = asked.rules === this.#known.rules && (asked.news === this.#known.news || soon);
    if (this.diagnosis && same) return this.diagnosis;
    this.#known = asked;
    this.diagnosis = /** @type {Diagnosis} */ (await this.#lab.call('diagnose', await this.#key, rules));
    return this.diagnosis;
  }

  /** @param {Study} before @returns {Promise<import('../types.d.ts').FilterComparison>} */
  async against(before) {
    return this.#lab.call('against', await this.#key, await before.#key);
  }

  /** How many photographs this network is shown where it has no gallery. */
  get photos() {
    return this.#survey?.next ?? 0;
  }

  /** Goes through photographs until it is stopped; goes on where it was. @param {boolean} all of the pool, not some */
  async measure(all = false) {
    if (this.state === 'running' || (this.state === 'done' && !all)) return;
    this.#run = new AbortController();
    const { signal } = this.#run;
    this.state = 'running';
    this.trouble = undefined;
    this.#tell();
    try {
      const source = sourceOf(this.net);
      const first = rectified(this.net.info.layers, this.layer?.name ?? '');
      const [peaks, strongest] = await Promise.all([source.holding(first), source.holding(this.second)]);
      const fits = (/** @type {typeof peaks} */ held) => held?.gallery.info.sameWeights;
      const held = fits(peaks) && (!this.second || fits(strongest));
      this.source = held ? 'gallery' : 'photos';
      if (held && peaks) await this.#fromGallery(peaks, strongest, signal);
      else await this.#fromPhotos(first, all, signal);
      this.state = 'done';
    } catch (error) {
      const { name } = /** @type {Error} */ (error);
      this.state = 'stopped';
      if (name !== 'Aborted' && name !== 'AbortError') this.trouble = /** @type {Error} */ (error);
    }
    this.#tell();
  }

  /** Keeps what is there. */
  stop() {
    this.#run?.abort();
  }

  /** Of no use any more. */
  async close() {
    this.stop();
    const key = await this.#key?.catch(() => undefined);
    if (key) await this.#lab.call('close', key);
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }

  /** @param {number} done @param {number} total */
  #progress(done, total) {
    this.done = done;
    this.total = total;
    this.#tell();
  }

  /** @typedef {{ gallery: import('../types.d.ts').Gallery, layer: string }} Held */

  /** @param {Held} peaks @param {Held | undefined} strongest @param {AbortSignal} signal */
  async #fromGallery(peaks, strongest, signal) {
    const all = await peaks.gallery.layer(peaks.layer);
    const [maps, top] = all.shape;
    const values = Float32Array.from({ length: maps }, (_, map) => Math.max(0, all.values[map * top]));
    await this.#lab.call('found', await this.#key, peaks.gallery.info.searched, values);
    this.#news += 1;
    if (!strongest) return;
    const { gallery, layer } = strongest;
    const best = await gallery.layer(layer);
    const [count, entries] = best.shape;
    for (let map = 0; map < count; map += 1) {
      this.#progress(map, count);
      if (this.pictures.has(map) || !(best.values[map * entries] > 0)) continue;
      const [entry] = await gallery.entries(layer, map);
      const trace = await gallery.trace(layer, map, 0, { signal });
      const photo = `${entry.name.replace(/\.webp$/, '')}@${entry.window.map(Math.round).join()}`;
      await this.#project(trace, map, entry.at, photo, signal).finally(() => trace.close());
    }
    this.#progress(count, count);
  }

  /** As `unpool filters --photos`: the peaks first, then the strongest photo of each map again. @param {string} first @param {boolean} all @param {AbortSignal} signal */
  async #fromPhotos(first, all, signal) {
    const pool = [...(await credits()).values()].filter(({ white }) => !white);
    const some = all ? pool.length : Math.min(FEW, pool.length);
    const photos = Array.from({ length: some }, (_, i) => pool[Math.floor((i * pool.length) / some)]);
    if (this.#survey?.some !== some) {
      const peaks = new Float32Array(this.weights.shape[0]).fill(Number.NEGATIVE_INFINITY);
      this.#survey = { some, next: 0, peaks, best: new Map() };
    }
    const survey = this.#survey;
    const { peaks, best } = survey;
    const total = this.second ? 2 * some : some;
    for (let i = survey.next; i < some; i += 1) {
      this.#progress(i, total);
      const trace = await this.#see(photos[i].file, signal);
      for (const { map, peak } of await trace.maps(first)) peaks[map] = Math.max(peaks[map], peak);
      if (this.second)
        for (const { map, peak, at } of await trace.maps(this.second))
          if (peak > (best.get(map)?.value ?? 0)) best.set(map, { photo: i, value: peak, at });
      trace.close();
      await this.#lab.call('found', await this.#key, i + 1, peaks.slice());
      survey.next = i + 1;
      this.#news += 1;
    }
    // Maps that found a stronger photo than before are projected anew.
    for (const [i, credit] of photos.entries()) {
      if (!this.second) break;
      this.#progress(some + i, total);
      const mine = [...best].filter(([, one]) => one.photo === i);
      const missing = mine.filter(([map, { value }]) => this.pictures.get(map)?.value !== value);
      if (!missing.length) continue;
      const trace = await this.#see(credit.file, signal);
      const photo = `${credit.file.replace(/\.webp$/, '')}@0,0,${credit.height},${credit.width}`;
      for (const [map, { at }] of missing) await this.#project(trace, map, at, photo, signal);
      trace.close();
    }
    this.#progress(total, total);
  }

  /** @param {string} file @param {AbortSignal} signal */
  async #see(file, signal) {
    const answer = await fetch(new URL(file, POOL), { signal });
    if (!answer.ok) throw fail('Parameter', t('photo.gone', { name: file }));
    return this.net.run(await answer.blob(), { signal });
  }

  /** @param {Trace} trace @param {number} map @param {[number, number]} at @param {string} photo @param {AbortSignal} signal */
  async #project(trace, map, at, photo, signal) {
    const p = await trace.project({ layer: this.second, map, at, signal });
    const [, height, width] = p.shape;
    const [y0, x0, y1, x1] = p.receptiveField;
    const seen = /** @type {Rect} */ ([Math.max(0, y0), Math.max(0, x0), Math.min(height, y1), Math.min(width, x1)]);
    const pixels = cut(p.data, p.shape, seen);
    const line = await this.#lab.call('projection', await this.#key, map, pixels.data, pixels.shape);
    this.pictures.set(map, { map, at, value: p.value, photo, pixels, line: line ? [...line] : null });
    this.#news += 1;
  }
}
