/** The occlusion sweep of the page: a job begun for a trace and options. What was computed stays. */

import { Job } from './job.js';

/** @typedef {import('./types.d.ts').OcclusionPart} Part */
/** @typedef {import('./types.d.ts').OccludeOptions} Options */
/** @typedef {import('./types.d.ts').Trace} Trace */

/** Above so many positions and so many seconds the reader is asked, with the time measured on the first of them. */
const MANY = 5000;
const PATIENCE = 20;
/** Seconds of work after which the rate is worth a word. */
const MEASURED = 0.5;

export class Sweep extends Job {
  /** The newest results, with the options they belong to. @type {Part | undefined} */ part;
  /** @type {Options} */ options = {};

  /** @type {Trace | undefined} */ #trace;
  /** Traces so far. */ #count = 0;
  #agreed = false;

  /** @param {Trace} trace */
  isOf(trace) {
    return trace === this.#trace;
  }

  /** Begins, unless the very same sweep is there. @param {Trace} trace @param {Options} options */
  of(trace, options) {
    if (trace !== this.#trace) {
      // Results of another photo say nothing about this one; those of other options stand until the first new ones.
      this.part = undefined;
      this.#trace = trace;
      this.#count += 1;
    }
    this.begin(`${this.#count} ${JSON.stringify(options)}`, (signal) => this.#parts(trace, options, signal));
  }

  /** The slice under way ends, too: the engine is free for what comes next. */
  stop() {
    super.stop();
    this.#trace?.hold();
  }

  /** Goes on; after a question this is the answer yes. */
  resume() {
    if (this.phase === 'asking') this.#agreed = true;
    super.resume();
  }

  /** @param {Trace} trace @param {Options} options @param {AbortSignal} signal @returns {AsyncGenerator<number, void, void>} */
  async *#parts(trace, options, signal) {
    this.#agreed = false;
    // A part of fifty thousand positions is four megabytes: not ten times a second.
    const interval = (this.part?.p.length ?? 0) > MANY ? 400 : 100;
    for await (const part of trace.occlude(options, { signal, interval })) {
      // Begun anew meanwhile: this one is of no use.
      if (signal.aborted) return;
      this.part = part;
      this.options = options;
      // The last part may arrive when one has just pressed stop.
      if (part.done) this.phase = 'done';
      else if (this.#tooLong(part)) this.phase = 'asking';
      yield part.fraction;
    }
  }

  /** @param {Part} part */
  #tooLong(part) {
    const worth = part.p.length > MANY && part.seconds > MEASURED && part.secondsLeft > PATIENCE;
    return this.phase === 'running' && !this.#agreed && worth;
  }
}
