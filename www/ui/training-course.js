/** A run as the view shows it, shipped with the page or under way in it; and what a checkpoint of it holds. */

import { fail } from '../errors.js';
import { t } from '../words.js';

/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */
/** @typedef {import('../types.d.ts').Tensor} Tensor */
/** @typedef {import('../types.d.ts').EvolutionCell} Cell */
/** @typedef {import('./training-data.js').Shape} Shape */
/** @typedef {Pick<import('../types.d.ts').TrainingEpoch, 'epoch' | 'rate' | 'train' | 'test'>} Epoch */
/** @typedef {{ name: string, kind: string, shape: Shape }} Layer */
/** @typedef {{ title: string, input: Shape, order: 'rgb' | 'bgr', layers: Layer[], filters: Tensor | null, layer: string, stride: number }} Inside `layer`: the first convolution */

/**
 * The network after an epoch; without a number, as it is now.
 * @typedef {object} Checkpoint
 * @property {number | null} epoch
 * @property {string} model how the hash names it; '' where only this page has it
 * @property {() => Promise<URL | Blob>} source
 * @property {Inside} [inside] where it is known
 */

/**
 * @typedef {object} Course
 * @property {string} name
 * @property {number} run tells one that was begun anew from the one before
 * @property {import('../types.d.ts').TrainingData} [learned] where it is open: what it learns from
 * @property {string} data what it learns from, as the hash names it
 * @property {number} classes
 * @property {Epoch[]} epochs done
 * @property {number} until as many epochs as the charts show
 * @property {[epochs: number, loss: number][]} points the loss of single steps
 * @property {[epochs: number, accuracy: number][]} shares right of single steps
 * @property {{ loss: number, accuracy: number }} [recent] means of the last steps
 * @property {Checkpoint[]} checkpoints by epoch
 */

const FOLDER = new URL('../trained/', import.meta.url);

/** The runs beside the page, by name. @returns {Promise<Map<string, Course>>} */
export async function shipped() {
  const answer = await fetch(new URL('runs.json', FOLDER));
  if (!answer.ok) throw fail('Parameter', `trained/runs.json: ${answer.status}`);
  /** @type {Record<string, { data: string, checkpoints: { epoch: number, file: string }[], epochs: Epoch[] }>} */
  const runs = await answer.json();
  return new Map(
    Object.entries(runs).map(([name, { data, checkpoints, epochs }]) => {
      const pool = data === 'www/pool';
      const set = { data: pool ? 'pool' : data, classes: pool ? 4 : 10 };
      const made = checkpoints.map(({ epoch, file }) => ({
        epoch,
        model: `run.${file.replace(/\.safetensors$/, '')}`,
        source: async () => new URL(file, FOLDER),
      }));
      return [name, { name, run: 0, ...set, epochs, until: epochs.length, points: [], shares: [], checkpoints: made }];
    }),
  );
}

/** @type {WeakMap<Checkpoint, Promise<Inside>>} */
const seen = new WeakMap();

/** @param {import('../unpool.js').Engine} engine @param {Checkpoint} checkpoint @returns {Promise<Inside>} */
export async function inside(engine, checkpoint) {
  if (checkpoint.inside) return checkpoint.inside;
  let found = seen.get(checkpoint);
  if (!found) {
    found = open(engine, checkpoint);
    seen.set(checkpoint, found);
    found.catch(() => seen.delete(checkpoint));
  }
  return found;
}

/** @param {import('../unpool.js').Engine} engine @param {Checkpoint} checkpoint @returns {Promise<Inside>} */
async function open(engine, { source }) {
  const net = await engine.load(await source());
  try {
    const { title, name, layers, input } = net.info;
    const first = layers.find(({ kind }) => kind === 'conv');
    return {
      ...{ title: title || name, input: input.shape, order: input.order, layers },
      ...{
        layer: first?.name ?? '',
        stride: first?.stride[0] ?? 1,
        filters: first ? await net.filters(first.name) : null,
      },
    };
  } finally {
    net.close();
  }
}

/** A run's name in words. @param {string} run */
export const titleOf = (run) => {
  const words = t(`tr.run.${run}`);
  return words.startsWith('tr.run.') ? run : words;
};
