// This project as a peer of the sparse coding and training benchmarks (shared/bench/more in the development environment):
// `UNPOOL=checkout node web.mjs --task sparse --rt unpool@1,unpool@2` there, after ./build.sh dist here; `--task train --net lenet,demo,cifar`,
// `--task epoch --net demo`. `epoch` also says how well the network tells digits afterwards.
//
// Of sparse coding the problem is the peers' but for the border: theirs is circular, here the maps overhang the picture by the filters' side less
// one. So the objective's limit is a little another, and the printed gap to theirs says how much; times an iteration compare.

/** @import * as types from '../../www/types.js' */
/** @typedef {{ n: number, images: Uint8Array, labels: Uint8Array }} Digits */

/** Copies of the one batch: an epoch's end has to be rare, as it is in training. */
const COPIES = 200;

/** @param {string} name @param {number} filters @param {number} pad */
const conv = (name, filters, pad) => [
  { name: `conv${name}`, kind: 'conv', filters, kernel: [5, 5], pad: Array(4).fill(pad) },
  { name: `relu${name}`, kind: 'relu' },
];
/** @param {string} name @param {number} side @param {number} [stride] */
const pool = (name, side, stride = side) => [
  { name: `pool${name}`, kind: 'max_pool', kernel: [side, side], stride: [stride, stride] },
];
/** @param {string} name @param {number} units */
const dense = (name, units) => [
  { name: `fc${name}`, kind: 'dense', units },
  { name: `relu${name}`, kind: 'relu' },
];
const lrn = { name: 'norm1', kind: 'lrn', size: 5, alpha: 1e-4, beta: 0.75, k: 1 };
/** As the peers have them; all end in ten classes. @type {Record<string, types.LayerSpec[]>} */
const NETS = {
  lenet: [conv('1', 6, 2), pool('1', 2), conv('2', 16, 0), pool('2', 2), dense('3', 120), dense('4', 84)].flat(),
  demo: [conv('1', 8, 2), pool('1', 2), conv('2', 16, 2), pool('2', 3)].flat(),
  cifar: [conv('1', 64, 2), pool('1', 3, 2), [lrn], conv('2', 64, 2), pool('2', 3, 2)].flat(),
};
const CLASSES = Array.from({ length: 10 }, (_, i) => String(i));

/** @param {string} net @param {[number, number, number]} shape @param {types.Recipe} training @returns {types.Experiment} */
function experiment(net, shape, training) {
  const layers = [...NETS[net], { name: 'fc', kind: 'dense', units: 10 }, { name: 'prob', kind: 'softmax' }];
  return {
    network: { name: net, input: { shape, mean: [0], std: [255] }, layers },
    training: { rate: 0.01, ...training },
  };
}

/** An IDX file. @param {number[]} sides @param {Uint8Array} values */
function idx(sides, values) {
  const head = new DataView(new ArrayBuffer(4 + 4 * sides.length));
  head.setUint32(0, 0x800 + sides.length);
  for (const [i, side] of sides.entries()) head.setUint32(4 + 4 * i, side);
  return new Blob([new Uint8Array(head.buffer), /** @type {Uint8Array<ArrayBuffer>} */ (values)]);
}

/** @param {string} name @param {Digits} digits @param {number[]} shape */
const files = (name, { n, images, labels }, shape) => [
  { name: `${name}-images`, file: idx([n, ...shape], images) },
  { name: `${name}-labels`, file: idx([n], labels) },
];

/**
 * A dictionary of one layer as a file.
 * @param {Float32Array} filters @param {number} size their side @param {number} lambda @param {number} side of the picture
 */
function dictionaryFile(filters, size, lambda, side) {
  const maps = filters.length / (size * size);
  const about = { side, sigma: 3, channels: 1 };
  const dictionary = JSON.stringify({ ...about, layers: [{ lambda, pool_side: 2, pool_maps: 1 }] });
  const header = new TextEncoder().encode(
    JSON.stringify({
      __metadata__: { dictionary },
      'layer1.weight': { dtype: 'F32', shape: [maps, 1, size, size], data_offsets: [0, filters.byteLength] },
    }),
  );
  const file = new Uint8Array(8 + header.length + filters.byteLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  file.set(new Uint8Array(filters.buffer, filters.byteOffset, filters.byteLength), 8 + header.length);
  return file;
}

/** @param {{ threads: number, base: string }} options `base`: where `pkg/unpool/` is served */
export async function create({ threads, base }) {
  const { Engine } = await import(new URL('pkg/unpool/unpool.js', base).href);
  const engine = await Engine.start({ threads });
  /** @type {types.Lab} */
  const lab = await engine.lab({ threads });
  /** @type {types.Dictionary | undefined} */
  let dictionary;
  return {
    info: { flavour: lab.flavour, threads: lab.threads, border: 'maps overhang, not circular' },
    /**
     * ‖F‖² is found by power iteration each time, which `L` would spare.
     * @param {{ image: Float32Array, filters: Float32Array, lmbda: number, side: number, size: number, method: 'ista' | 'fista', iterations: number }} problem
     */
    async sparse({ image, filters, lmbda, side, size, method, iterations }) {
      dictionary ??= /** @type {types.Dictionary} */ (
        await lab.dictionary(dictionaryFile(filters, size, 1 / lmbda, side))
      );
      const input = { data: image, shape: [1, side, side] };
      const coding = await dictionary.code(input, { method, iterations, normalised: true });
      let objective = Number.NaN;
      for await (const { layers } of coding.run({ interval: 100_000 }))
        objective = layers[0].objective.at(-1) ?? objective;
      coding.close();
      return { objective: objective * lmbda };
    },

    /** @param {{ net: string, shape: [number, number, number], batch: number }} what */
    async trainer({ net, shape, batch }) {
      /** @type {types.TrainingRun} */
      let run;
      /** @type {Float32Array | undefined} */
      let given;
      /** @param {Float32Array} x 0 to 1 @param {Uint8Array} y */
      const begin = async (x, y) => {
        const n = batch * COPIES;
        const [images, labels] = [new Uint8Array(x.length * COPIES), new Uint8Array(n)];
        for (let i = 0; i < COPIES; i++) {
          images.set(
            Uint8Array.from(x, (v) => Math.round(255 * v)),
            i * x.length,
          );
          labels.set(y, i * batch);
        }
        const data = await lab.trainingData({
          files: files('train', { n, images, labels }, shape),
          classes: CLASSES,
          hold: 0,
        });
        run = await lab.train(experiment(net, shape, { batch, epochs: 100_000 }), data);
        given = x;
      };
      return {
        /** @param {Float32Array} x @param {Uint8Array} y */
        async step(x, y) {
          if (given !== x) await begin(x, y);
          const { points } = await run.step();
          return points[0].loss;
        },
      };
    },

    /** One pass over all digits, larger ones cropped at random as in ConvNetJS's demo. @param {{ net: string, batch: number, train: Digits, test: Digits }} what */
    async epoch({ net, batch, train, test }) {
      const shape = /** @type {[number, number, number]} */ (net === 'demo' ? [1, 24, 24] : [1, 28, 28]);
      const sides = [28, 28];
      const data = await lab.trainingData({
        files: [...files('train', train, sides), ...files('test', test, sides)],
        classes: CLASSES,
      });
      const run = await lab.train(experiment(net, shape, { batch, epochs: 1 }), data);
      const began = performance.now();
      let pace = 0;
      /** @type {types.TrainingPart | undefined} */
      let end;
      for await (const part of run.run()) {
        pace = Math.max(pace, part.imagesPerSecond);
        end = part;
      }
      const seconds = (performance.now() - began) / 1e3;
      return {
        images: train.n,
        seconds,
        images_per_s: train.n / seconds,
        best: pace,
        accuracy: end?.history[0].test?.accuracy,
      };
    },
  };
}
