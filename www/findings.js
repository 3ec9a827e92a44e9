/** What a partial or complete sweep says: values and their range, which classes win where, whether a map is flat and why. */

import { range, standIns } from './draw/heat.js';

/** @typedef {import('./types.d.ts').OcclusionPart} Part */
/** @typedef {import('./types.d.ts').OccludeOptions} Options */
/** @typedef {import('./draw/square.js').Grid} Grid */
/** @typedef {{ values: Float32Array, base: number, lo: number, hi: number, min: number, max: number, at: number, flat: '' | 'sure' | 'absent' | 'small' | 'silent' }} Field */
/** @typedef {{ label: number, count: number, best: number }} Winner `best`: the position where it is most probable */

/** Below this difference of probabilities a map is called flat, and its colours are not stretched further. */
const FLAT_P = 0.01;
const FLAT_LOGIT = 0.1;
/** Share of the unoccluded sum, for activations; and the sum under which a map says nothing at all. */
const FLAT_SHARE = 0.01;
const SILENT = 1e-6;

export class Findings {
  /**
   * @param {Part} part
   * @param {Options} options
   * @param {string} show `p`, `difference`, `logit`
   * @param {number} answer the most probable class of the whole photo
   */
  constructor(part, options, show, answer) {
    const [rows, columns] = part.shape;
    this.part = part;
    this.show = show;
    this.watched = part.watched[0];
    /** @type {Grid} */
    this.grid = { shape: part.shape, size: part.size, stride: part.stride, inside: options.grid === 'inside' };
    /** Where the value of each cell comes from while the map is coarse. */
    this.from = standIns(this.watched.activation, rows, columns);
    const sum = Math.abs(this.watched.activation0);
    this.activation = this.#field(
      this.watched.activation,
      this.watched.activation0,
      Math.max(FLAT_SHARE * sum, SILENT),
    );
    if (this.activation.flat && sum < SILENT) this.activation.flat = 'silent';
    /** @type {Field | undefined} */ this.p = undefined;
    /** Most positions first, the class that stands before all. @type {Winner[]} */
    this.winners = [];
    /** Place of each position's class among the winners, -1 where nothing is known. */
    this.kinds = new Int32Array(rows * columns).fill(-1);
    if (part.class === null) return;
    const [values, base] =
      show === 'logit'
        ? [part.logit, part.logit0]
        : show === 'p'
          ? [part.p, part.p0]
          : [part.p.map((p) => p - part.p0), 0];
    this.p = this.#field(values, base, show === 'logit' ? FLAT_LOGIT : FLAT_P);
    // A widened scale of probabilities does not leave 0…1.
    if (show === 'p') {
      const shift = Math.max(0, -this.p.lo) - Math.max(0, this.p.hi - 1);
      this.p.lo += shift;
      this.p.hi += shift;
    }
    if (this.p.flat && show !== 'logit') this.p.flat = part.p0 > 0.99 ? 'sure' : part.p0 < 0.01 ? 'absent' : 'small';
    this.#count(answer);
  }

  /** @param {Float32Array} values @param {number} base @param {number} least @returns {Field} */
  #field(values, base, least) {
    const found = range(values, base, least);
    const spread = Math.max(found.max, base) - Math.min(found.min, base);
    return { values, base, ...found, flat: spread < least ? 'small' : '' };
  }

  /** @param {number} answer */
  #count(answer) {
    const { top, bestP } = this.part;
    /** @type {Map<number, Winner>} */
    const found = new Map([[answer, { label: answer, count: 0, best: -1 }]]);
    for (let i = 0; i < top.length; i += 1) {
      if (top[i] < 0) continue;
      const winner = found.get(top[i]) ?? { label: top[i], count: 0, best: i };
      winner.count += 1;
      if (winner.best < 0 || bestP[5 * i] > bestP[5 * winner.best]) winner.best = i;
      found.set(top[i], winner);
    }
    const [stands, ...others] = found.values();
    this.winners = [stands, ...others.sort((a, b) => b.count - a.count || a.label - b.label)];
    const places = new Map(this.winners.map(({ label }, place) => [label, place]));
    for (let i = 0; i < this.kinds.length; i += 1)
      if (this.from[i] >= 0) this.kinds[i] = places.get(top[this.from[i]]) ?? -1;
  }

  /** Whether there is nothing of the photo under the square. @param {number} position */
  isOutside(position) {
    const [y0, x0, y1, x1] = this.square(position);
    return y0 === y1 || x0 === x1;
  }

  /** The square at a position, inside the photo; without a size where it has left it. @param {number} position @returns {[number, number, number, number]} */
  square(position) {
    return /** @type {[number, number, number, number]} */ ([
      ...this.part.squares.subarray(4 * position, 4 * position + 4),
    ]);
  }
}
