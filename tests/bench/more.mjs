// This project as a peer of the sparse coding benchmark (shared/bench/more in the development environment):
// `UNPOOL=checkout node web.mjs --task sparse --rt unpool@1,unpool@2` there, after ./build.sh dist here.
//
// What is solved is the peers' problem but for two things: their border is circular, here the maps overhang the picture by the filters'
// side less one; and the picture, whose contrast is normalised already, is normalised once more. So times an iteration compare, and
// objectives do not: the printed gap means nothing.

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
  const lab = await engine.lab();
  /** @type {import('../../www/types.js').Dictionary | undefined} */
  let dictionary;
  return {
    info: {
      flavour: lab.flavour,
      threads: lab.threads,
      problem: 'maps overhang, contrast normalised once more: only times compare',
    },
    /**
     * ‖F‖² is found by power iteration each time, which `L` would spare.
     * @param {{ image: Float32Array, filters: Float32Array, lmbda: number, side: number, size: number, method: 'ista' | 'fista', iterations: number }} problem
     */
    async sparse({ image, filters, lmbda, side, size, method, iterations }) {
      dictionary ??= /** @type {import('../../www/types.js').Dictionary} */ (
        await lab.dictionary(dictionaryFile(filters, size, 1 / lmbda, side))
      );
      const input = { data: image, shape: [1, side, side] };
      const coding = await dictionary.code(input, { method, iterations });
      let objective = Number.NaN;
      for await (const { layers } of coding.run({ interval: 100_000 }))
        objective = layers[0].objective.at(-1) ?? objective;
      coding.close();
      return { objective: objective * lmbda };
    },
  };
}
