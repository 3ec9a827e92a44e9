/** What can be asked of the present trace: each fact once, what is no longer wanted called off. */

/** @typedef {import('./types.d.ts').Net} Net */
/** @typedef {import('./types.d.ts').Trace} Trace */
/** @typedef {import('./types.d.ts').LayerInfo} LayerInfo */
/** @typedef {import('./types.d.ts').MapInfo} MapInfo */
/** @typedef {import('./types.d.ts').ProjectOptions} ProjectOptions */
/** @typedef {import('./types.d.ts').Projection} Projection */

/** The unit that the state means, once the network has been asked. */
/** @typedef {{ layer: LayerInfo, stage: number, shape: [number, number, number], infos: MapInfo[], map: number, at: [number, number], key: string }} Choice */

/** Weights of the sanity check: one seed, so that a link shows the same picture again. */
const RANDOM_SEED = 1;

/** The present network, trace and unit, and what they answer. */
export class Facts extends EventTarget {
  /** @type {Net | undefined} */ net;
  /** @type {import('./stages.js').Stage[]} */ stages = [];
  /** @type {Trace | undefined} */ trace;
  /** @type {Choice | undefined} */ choice;
  /** Answers of this trace, by question. @type {Map<string, Promise<any>>} */
  memo = new Map();
  /** Ends what was asked for a unit that is no longer chosen, so that walking fast piles up no work. */
  asked = new AbortController();

  /** @param {import('./state.js').Store} store */
  constructor(store) {
    super();
    this.store = store;
  }

  /** @param {Choice} choice from now on */
  settle(choice) {
    this.asked.abort();
    this.asked = new AbortController();
    this.choice = choice;
  }

  /** A fact of this trace, asked for once. @template T @param {string} key @param {(trace: Trace) => Promise<T>} ask @returns {Promise<T>} */
  once(key, ask) {
    const { trace } = this;
    if (!trace) return Promise.reject(new DOMException('There is no trace yet.', 'AbortError'));
    let found = this.memo.get(key);
    if (!found) {
      found = ask(trace);
      this.memo.set(key, found);
      found.catch(() => this.memo.delete(key));
    }
    return found;
  }

  /** The class that a map of the chosen layer stands for, if it is the classifier's. @param {number} map @returns {string} */
  className(map) {
    const { choice, net } = this;
    const classes = net?.info.classes ?? [];
    const scores = choice && this.stages[choice.stage]?.classes && choice.shape[0] === classes.length;
    return scores ? classes[map].split(',')[0] : '';
  }

  /** @param {string} layer */
  maps(layer) {
    return this.once(`maps ${layer}`, (trace) => trace.maps(layer));
  }

  /**
   * The maps of the chosen layer in an order.
   * @param {string} by `peak`, `sum`, `number`, or `here`: by the value at a place
   * @param {[number, number]} at
   * @returns {Promise<number[]>}
   */
  async ranked(by, at) {
    if (!this.choice) return [];
    const { layer, infos, shape } = this.choice;
    const all = infos.map(({ map }) => map);
    if (by === 'number') return all;
    let weight = (/** @type {number} */ map) => infos[map].peak;
    if (by === 'sum') weight = (map) => infos[map].sum;
    if (by === 'here') {
      const { data } = await this.once(`activation ${layer.name}`, (trace) => trace.activation(layer.name));
      const [, height, width] = shape;
      weight = (map) => data[map * height * width + at[0] * width + at[1]];
    }
    return all.sort((a, b) => weight(b) - weight(a) || a - b);
  }

  /** Where the receptive field of unit 0,0 begins: with the stride it gives every other. @param {string} layer */
  origin(layer) {
    return this.once(`origin ${layer}`, (trace) => trace.receptiveField(layer, [0, 0]));
  }

  /** @param {{ rule?: ProjectOptions['rule'], random?: boolean }} [other] than the state says @returns {ProjectOptions} */
  options({ rule, random } = {}) {
    const { choice } = this;
    if (!choice) throw new Error('nothing is chosen');
    const { state } = this.store;
    /** @type {ProjectOptions} */
    const options = {
      layer: choice.layer.name,
      map: choice.map,
      rule: rule ?? /** @type {ProjectOptions['rule']} */ (state.rule),
    };
    if (state.seed === 'map') options.wholeMap = true;
    else if (state.seed === 'unit') options.at = choice.at;
    else options.strongest = Number(state.seed);
    options.unpool = /** @type {ProjectOptions['unpool']} */ (state.unpool);
    if (state.lrn) options.lrn = /** @type {ProjectOptions['lrn']} */ (state.lrn);
    if (random) options.randomise = RANDOM_SEED;
    return options;
  }

  /** @param {ProjectOptions} options @returns {Promise<Projection>} */
  project(options) {
    const key = `project ${JSON.stringify(options)}`;
    // A projection is as large as the photo: keep the last few only.
    const kept = [...this.memo.keys()].filter((one) => one.startsWith('project ') && one !== key);
    if (kept.length > 24) this.memo.delete(kept[0]);
    return this.once(key, (trace) => trace.project({ ...options, signal: this.asked.signal }));
  }

  /** The way down of a projection. @param {ProjectOptions} options @returns {Promise<import('./types.d.ts').Step[]>} */
  way(options) {
    return this.once(`way ${JSON.stringify(options)}`, (trace) => trace.way({ ...options, signal: this.asked.signal }));
  }
}
