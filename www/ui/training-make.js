/** What a live run is made of: the network's file, the data, the settings of the state. */

import { fail } from '../errors.js';
import { t } from '../words.js';

/** @typedef {import('./training.js').Scene} Scene */
/** @typedef {import('./training-run.js').Made} Made */
/** @typedef {import('../types.d.ts').WholeExperiment} WholeExperiment */
/** @typedef {import('../types.d.ts').NetworkSpec} NetworkSpec */

/** What each network was made for. @type {Record<string, string>} */
const MEANT = {
  lenet: 'mnist',
  'fashion-mnist': 'fashion-mnist',
  cifar10: 'own',
  'twin-11-4': 'pool',
  'twin-7-2': 'pool',
};

/** Epochs to begin with where the file's would outlast a lecture: three take LeNet-5 to 99 % within a minute. */
const BRIEF = /** @type {Record<string, number>} */ ({ lenet: 3 });

export class Maker {
  #scene;
  /** @type {Map<string, Promise<WholeExperiment>>} */ #files = new Map();
  /** Data on their way. @type {{ done: number, total: number } | undefined} */ reading;
  /** Settings that the last run was made with, and those that may change on its way. */ key = '';
  applied = { rate: '', epochs: '' };

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
  }

  /** What is learned from. */
  get set() {
    const { data, net } = this.#scene.store.state;
    const { sets } = this.#scene;
    const meant = data || MEANT[net];
    return !data && !sets.has(meant) && sets.own ? 'own' : meant;
  }

  /** A training file of the page's, with everything written out. @param {string} net */
  read(net) {
    let found = this.#files.get(net);
    if (!found) {
      found = (async () => {
        const answer = await fetch(new URL(`../training/${net}.json`, import.meta.url));
        if (!answer.ok) throw fail('Parameter', `training/${net}.json: ${answer.status}`);
        const whole = await (await this.#scene.lab()).experiment(await answer.json());
        whole.training.epochs = BRIEF[net] ?? whole.training.epochs;
        return whole;
      })();
      this.#files.set(net, found);
      found.catch(() => this.#files.delete(net));
    }
    return found;
  }

  /** Settings that take a new run. */
  get settings() {
    const { net, spec, batch, luck } = this.#scene.store.state;
    return [net, spec, this.set, batch, luck, this.#scene.sets.edition].join();
  }

  /** @returns {Promise<Made>} */
  async make() {
    const { sets, store } = this.#scene;
    const { net, spec, rate, epochs, batch, luck } = store.state;
    const { set } = this;
    const key = this.settings;
    if (!sets.has(set)) throw fail('Parameter', t(`tr.none.${set}`));
    const whole = await this.read(net);
    /** @type {NetworkSpec} */
    const network = spec ? JSON.parse(spec) : structuredClone(whole.network);
    const lab = await this.#scene.lab();
    // Of a link's network nothing is sure but that it has layers.
    const data = await this.#open(set, network.input?.shape ?? whole.network.input.shape);
    if (!spec && set !== MEANT[net]) {
      const classes = set === 'pool' ? 4 : data.info.classes.length;
      const last = network.layers.findLast(({ kind }) => kind === 'dense');
      if (last) last.units = classes;
      Object.assign(network, { classes: [], licence: '', origin: t('tr.origin', { data: t(`tr.data.${set}`) }) });
    }
    /** @type {'rotations' | 'classes'} */
    const task = set === 'pool' ? 'rotations' : 'classes';
    const own = {
      ...(rate && { rate: Number(rate) }),
      ...(epochs && { epochs: Number(epochs) }),
      ...(batch && { batch: Number(batch) }),
    };
    const run = await lab.train({ network, training: { ...whole.training, task, seed: Number(luck), ...own } }, data);
    this.key = key;
    this.applied = { rate, epochs };
    return { run, data, set };
  }

  /** @param {string} set @param {import('./training-data.js').Shape} shape */
  async #open(set, shape) {
    const onprogress = (/** @type {number} */ done, /** @type {number} */ total) => {
      this.reading = { done, total };
      this.#scene.update();
    };
    try {
      return await this.#scene.sets.open(await this.#scene.lab(), set, shape, { onprogress });
    } finally {
      this.reading = undefined;
    }
  }

  /** Goes on with a state that was saved, on the same data. @param {File} file @returns {Promise<Made>} */
  async resume(file) {
    const { sets } = this.#scene;
    const { set } = this;
    if (!sets.has(set)) throw fail('Parameter', t(`tr.none.${set}`));
    const network = (await networkOf(file)) ?? (await this.read(this.#scene.store.state.net)).network;
    const data = await this.#open(set, network.input.shape);
    const run = await (await this.#scene.lab()).train(null, data, { from: file });
    const { rate, epochs } = this.#scene.store.state;
    this.key = this.settings;
    this.applied = { rate, epochs };
    return { run, data, set };
  }
}

/** The network that a saved state is of; what else the file may be, the engine says. @param {File} file @returns {Promise<NetworkSpec | undefined>} */
async function networkOf(file) {
  try {
    const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
    return JSON.parse(JSON.parse(await file.slice(8, 8 + length).text()).__metadata__.network);
  } catch {
    return undefined;
  }
}
