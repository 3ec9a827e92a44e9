/** Long work of a view: begun, stopped at once, gone on with, begun anew. What there is stays. */

/** @typedef {'idle' | 'running' | 'stopped' | 'asking' | 'done' | 'failed'} Phase */
/** @typedef {(signal: AbortSignal) => AsyncGenerator<number, void, void>} Make gives the fraction that is done, again and again;
 * it may set the phase to `done` with the last one, or to `asking`, which resume() answers */

/** Tells `change` whenever phase or results are new. */
export class Job extends EventTarget {
  /** @type {Phase} */ phase = 'idle';
  fraction = 0;
  /** Seconds of work, pauses not counted. */ seconds = 0;
  /** What ended it, if something did. @type {unknown} */ error;

  /** @type {Make | undefined} */ #make;
  #key = '';
  #looping = false;
  /** Stopped because nobody looked. */ #left = false;
  /** @type {AsyncGenerator<number, void, void> | undefined} */ #results;
  #abort = new AbortController();

  /** Begins, unless the very same work is there. @param {string} key @param {Make} make */
  begin(key, make) {
    if (key === this.#key) return;
    this.#key = key;
    this.#make = make;
    this.again();
  }

  /** From the start. */
  again() {
    if (!this.#make) return;
    this.#drop();
    this.#results = this.#make(this.#abort.signal);
    Object.assign(this, { fraction: 0, seconds: 0, error: undefined });
    this.resume();
  }

  /** Forgets the work: the next begin() begins, whatever its key. */
  forget() {
    this.#drop();
    this.#key = '';
    this.#make = undefined;
    this.phase = 'idle';
    this.#tell();
  }

  stop() {
    if (this.phase !== 'running' && this.phase !== 'asking') return;
    this.phase = 'stopped';
    this.#tell();
  }

  resume() {
    this.#left = false;
    if (!this.#results || this.phase === 'running') return;
    this.phase = 'running';
    this.#tell();
    if (!this.#looping) this.#go();
  }

  /** The engine is one: what is not looked at waits, and goes on when it is. @param {boolean} looked */
  attend(looked) {
    if (looked && this.#left) this.resume();
    if (looked || this.phase !== 'running') return;
    this.#left = true;
    this.stop();
  }

  /** Seconds that the rest takes at the pace so far. */
  get left() {
    return this.fraction > 0 ? (this.seconds * (1 - this.fraction)) / this.fraction : Number.POSITIVE_INFINITY;
  }

  #drop() {
    this.#abort.abort();
    this.#abort = new AbortController();
    // What waits between two parts would wait for ever; what is under way ends by the signal.
    if (!this.#looping) this.#results?.return();
    this.#results = undefined;
    this.#looping = false;
    this.#left = false;
    this.phase = 'idle';
  }

  async #go() {
    const results = this.#results;
    const { signal } = this.#abort;
    if (!results) return;
    this.#looping = true;
    try {
      while (this.phase === 'running') {
        const begun = performance.now();
        const { value, done } = await results.next();
        if (signal.aborted) return;
        this.seconds += (performance.now() - begun) / 1000;
        if (done) this.phase = 'done';
        else if (typeof value === 'number') this.fraction = value;
        this.#tell();
      }
      if (this.phase === 'done') await results.return();
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
      this.phase = 'failed';
      this.#tell();
    } finally {
      if (!signal.aborted) this.#looping = false;
    }
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * Several sweeps in turn, so that their curves grow side by side.
 * @template P
 * @param {AsyncGenerator<P & { fraction: number }, void, void>[]} all
 * @param {(part: P, i: number) => void} take
 * @returns {AsyncGenerator<number, void, void>} the mean fraction
 */
export async function* together(all, take) {
  const fractions = all.map(() => 0);
  const open = new Set(all.keys());
  try {
    while (open.size) {
      for (const i of [...open]) {
        const { value, done } = await all[i].next();
        if (value) {
          take(value, i);
          fractions[i] = value.fraction;
        }
        if (done) {
          open.delete(i);
          fractions[i] = 1;
        }
      }
      yield fractions.reduce((sum, one) => sum + one, 0) / fractions.length;
    }
  } finally {
    for (const one of all) await one.return();
  }
}
