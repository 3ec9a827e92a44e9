/** The run that is trained in the page: prepared, gone on with, paused, stepped, begun anew. What it learned stays with an error. */

import { fail } from '../errors.js';
import { Job } from '../job.js';

/** @typedef {import('../types.d.ts').TrainingRun} TrainingRun */
/** @typedef {import('../types.d.ts').TrainingPart} TrainingPart */
/** @typedef {import('../types.d.ts').TrainingData} TrainingData */
/** @typedef {import('./training-course.js').Course} Course */
/** @typedef {import('./training-course.js').Checkpoint} Checkpoint */
/** @typedef {import('./training-course.js').Cell} Cell */
/** @typedef {{ run: TrainingRun, data: TrainingData, set: string }} Made */

/** Epochs whose network is kept, to be looked at later (ZF14 Fig. 4). */
const KEPT = [0, 1, 2, 5, 10, 20, 30, 40, 64, 100, 200, 400];
/** Milliseconds between two parts, and between two rounds of projections. */
const [PART, ROUND] = [250, 1000];
/** Steps that the numbers under the curves are means of. */
const RECENT = 40;

export class LiveRun extends EventTarget {
  #runs = 0;
  job = new Job();
  /** @type {Made | undefined} */ made;
  /** @type {TrainingPart | undefined} */ part;
  /** @type {unknown} */ error;
  /** What the loss became useless by; until somebody goes on. @type {string | null} */ diverged = null;
  /** Projections of the maps that are followed, as they are now. @type {Cell[] | undefined} */ cells;
  /** @type {Course} */ course = this.#empty();
  /** Maps to be followed. @type {() => import('../types.d.ts').EvolutionOptions | undefined} */ watch = () =>
    undefined;
  /** @type {Promise<Made> | undefined} */ #preparing;
  /** @type {import('../types.d.ts').TrainingPoint[]} */ #steps = [];
  #count = 0;
  /** Runs that were forgotten. */ #turn = 0;
  /** When the maps are looked at again. */ #round = 0;

  constructor() {
    super();
    this.job.addEventListener('change', () => this.#tell());
  }

  /** @returns {Course} */
  #empty() {
    this.#runs += 1;
    return {
      name: 'live',
      run: this.#runs,
      data: '',
      classes: 10,
      epochs: [],
      until: 1,
      points: [],
      shares: [],
      checkpoints: [],
    };
  }

  /** Something is there that would be lost by beginning anew. */
  get begun() {
    return (this.part?.step ?? 0) > 0;
  }

  get busy() {
    return Boolean(this.#preparing) && !this.made;
  }

  /** The run there is, or what `make` makes. @param {() => Promise<Made>} make @returns {Promise<Made>} */
  prepare(make) {
    this.#preparing ??= this.#prepare(make, this.#turn);
    return this.#preparing;
  }

  /** @param {() => Promise<Made>} make @param {number} turn @returns {Promise<Made>} */
  async #prepare(make, turn) {
    this.error = undefined;
    this.#tell();
    try {
      const made = await make();
      if (turn !== this.#turn) {
        made.run.close();
        throw fail('Aborted', 'The run was begun anew.');
      }
      this.made = made;
      const classes = made.run.layers[made.run.layers.length - 1].shape[0];
      Object.assign(this.course, { data: made.set, learned: made.data, classes });
      // Nothing is learned by it, and the first filters are seen.
      await this.#take(await made.run.step(0));
      return made;
    } catch (error) {
      if (turn === this.#turn) {
        this.error = error;
        this.#preparing = undefined;
      }
      throw error;
    } finally {
      this.#tell();
    }
  }

  /** Trains until it is paused or over. @param {() => Promise<Made>} make */
  go(make) {
    this.error = undefined;
    this.diverged = null;
    if (this.job.phase === 'stopped') return this.job.resume();
    this.job.forget();
    this.#count += 1;
    this.job.begin(String(this.#count), (signal) => this.#work(make, signal));
  }

  /** @param {() => Promise<Made>} make @param {AbortSignal} signal @returns {AsyncGenerator<number, void, void>} */
  async *#work(make, signal) {
    const { run } = await this.prepare(make);
    for await (const part of run.run({ signal, interval: PART, stops: KEPT })) {
      await this.#take(part);
      if (part.done || part.diverged !== null) this.job.phase = 'done';
      yield part.fraction;
    }
  }

  /** One batch. @param {() => Promise<Made>} make */
  async step(make) {
    this.job.stop();
    this.diverged = null;
    const turn = this.#turn;
    try {
      const { run } = await this.prepare(make);
      await this.#take(await run.step(1));
    } catch (error) {
      // What was begun anew meanwhile is gone.
      if (turn === this.#turn) this.error = error;
    }
    this.#tell();
  }

  /** Forgets the run. */
  reset() {
    this.#turn += 1;
    this.job.forget();
    this.made?.run.close();
    Object.assign(this, { made: undefined, part: undefined, error: undefined, diverged: null, cells: undefined });
    this.#preparing = undefined;
    this.#steps = [];
    this.course = this.#empty();
    this.#tell();
  }

  /** @param {TrainingPart} part */
  async #take(part) {
    const made = this.made;
    if (!made) return;
    this.part = part;
    this.diverged = part.diverged;
    // After a divergence steps are counted from the last good state again.
    const from = part.points[0]?.step ?? part.step + 1;
    const { course } = this;
    while (this.#steps.length && this.#steps[this.#steps.length - 1].step >= from) this.#steps.pop();
    for (const point of part.points) this.#steps.push(point);
    course.points = this.#steps.map(({ step, loss }) => [step / part.batches, loss]);
    course.shares = this.#steps.map(({ step, accuracy }) => [step / part.batches, accuracy]);
    course.epochs = part.history;
    course.until = Math.min(Math.max(part.epochs, part.epoch), beyond(part.step / part.batches));
    const some = this.#steps.slice(-RECENT);
    const mean = (/** @type {'loss' | 'accuracy'} */ key) => some.reduce((sum, one) => sum + one[key], 0) / some.length;
    course.recent = some.length ? { loss: mean('loss'), accuracy: mean('accuracy') } : undefined;
    const { run } = made;
    const { title, name, input } = run.experiment.network;
    const layers = run.layers;
    const stride = /** @type {any} */ (run.experiment.network.layers.find((one) => one.name === part.layer))
      ?.stride?.[0];
    const inside = {
      ...{ title: title || name, input: input.shape, order: input.order, layers },
      ...{ layer: part.layer ?? '', stride: stride ?? 1, filters: part.filters },
    };
    const kept = course.checkpoints.filter(({ epoch }) => epoch !== null && epoch <= part.epoch);
    const due = part.batch === 0 && (part.done || KEPT.includes(part.epoch));
    if (due && !kept.some(({ epoch }) => epoch === part.epoch)) {
      const model = new Blob([/** @type {BlobPart} */ (await run.model({ half: !part.done }))]);
      // Begun anew meanwhile.
      if (made !== this.made) return;
      kept.push({ epoch: part.epoch, model: '', source: async () => model, inside });
    }
    /** @type {Checkpoint} */
    const now = { epoch: null, model: '', source: async () => this.model(), inside };
    course.checkpoints = part.done ? kept : [...kept, now];
    const watched = this.watch();
    const begun = performance.now();
    if (watched && begun > this.#round) {
      const cells = await run.projections(watched);
      const took = performance.now() - begun;
      // Looking takes a tenth of the time at most.
      this.#round = begun + Math.max(ROUND, 10 * took);
      if (made !== this.made) return;
      this.cells = cells;
    }
    this.#tell();
  }

  /** The network as it is now, as a file. */
  async model() {
    if (!this.made) throw fail('Parameter', 'There is no run.');
    return new Blob([/** @type {BlobPart} */ (await this.made.run.model())]);
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}

/** A round number of epochs above those done: so the curve fills its chart from the first second on. @param {number} done */
function beyond(done) {
  const power = 10 ** Math.floor(Math.log10(Math.max(0.1, done)));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one > done) ?? 10 * power;
}
