/** A network's layers, gathered into the stages that the strip draws: a convolution with its ReLU, a fire module, a pool. */

/** @typedef {import('./types.d.ts').LayerInfo} LayerInfo */

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {LayerInfo[]} layers in running order
 * @property {LayerInfo} main the one that stands for the stage: its output
 * @property {boolean} classes whether it ends in the classifier's probabilities, one distribution for the whole photo
 */

/** Layers that belong to what they follow. */
const FOLLOWERS = ['relu', 'lrn', 'dropout', 'batch_norm', 'softmax', 'flatten'];

/** `fire2/squeeze1x1` belongs to the block `fire2`, `conv3_2` to `conv3`. @param {string} name */
const block = (name) => /^(.+?)\/|^(.*\d)_\d+$/.exec(name)?.slice(1).find(Boolean) ?? name;

/** @param {LayerInfo[]} layers @returns {Stage[]} */
export function stages(layers) {
  /** @type {{ name: string, layers: LayerInfo[] }[]} */
  const found = [];
  for (const layer of layers) {
    if (layer.kind === 'input') continue;
    const last = found.at(-1);
    const follows = FOLLOWERS.includes(layer.kind) && last?.layers.some(({ name }) => layer.inputs.includes(name));
    if (last && (follows || last.name === block(layer.name))) last.layers.push(layer);
    else found.push({ name: block(layer.name), layers: [layer] });
  }
  return found.map((stage) => {
    const softmax = stage.layers.find(({ kind }) => kind === 'softmax');
    const scores = softmax && stage.layers.find(({ name }) => softmax.inputs.includes(name));
    const main = scores ?? softmax ?? stage.layers.findLast(({ kind }) => kind !== 'dropout') ?? stage.layers[0];
    return { ...stage, main, classes: softmax !== undefined && softmax === layers.at(-1) && classless(layers) === '' };
  });
}

/**
 * Why there is no class to follow, if there is none: the network ends in feature maps, in scores without a softmax, or in a
 * softmax over several positions.
 * @param {LayerInfo[]} layers @returns {'' | 'maps' | 'scores' | 'spread'}
 */
export function classless(layers) {
  const last = layers.at(-1);
  const [, height, width] = last?.shape ?? [0, 1, 1];
  if (last?.kind === 'softmax') return height * width === 1 ? '' : 'spread';
  return height * width === 1 ? 'scores' : 'maps';
}

/** @param {Stage[]} list @param {string} layer */
export const stageOf = (list, layer) => list.findIndex((stage) => stage.layers.some(({ name }) => name === layer));

/**
 * The layer to begin with: the last stage whose units see at most a third of the photo, so that the patch is still
 * readable and the projection already surprising. Pools only repeat what stands below them.
 * @param {Stage[]} list
 * @param {number} side of the input
 */
export function firstChoice(list, side) {
  const kinds = ['conv', 'relu', 'concat', 'sum', 'lrn'];
  const fit = list.findLast(({ main }) => kinds.includes(main.kind) && Math.max(...main.receptive_field) <= side / 3);
  return (fit ?? list[0]).main.name;
}
