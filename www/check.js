/**
 * Arguments checked at the door: what a caller hands over, in the form in which it crosses to the worker.
 * Arrays are copied here, so that the caller's own stay usable.
 */

import { fail } from './errors.js';

/** @import * as types from './types.js' */

/** @param {unknown} value how it reads in a message */
const shown = (value) => {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? `[${value.map(String)}]` : (value?.constructor?.name ?? typeof value);
};

/** @param {string} what @param {string} wanted @param {unknown} got */
const wrong = (what, wanted, got) => fail('Parameter', `${what} must be ${wanted}, not ${shown(got)}.`);

/** @param {unknown} value @param {string} what @param {number} [least] @param {number} [most] @returns {number} */
function integer(value, what, least = 0, most = 2 ** 31 - 1) {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
  throw wrong(
    what,
    most < 2 ** 31 - 1 ? `a whole number from ${least} to ${most}` : `a whole number from ${least}`,
    value,
  );
}

/** @param {unknown} value @param {string} what @returns {string} */
function text(value, what) {
  if (typeof value === 'string' && value) return value;
  throw wrong(what, 'a name', value);
}

/** @param {unknown} value @param {string} what @returns {[number, number]} row, column */
function pair(value, what) {
  if (Array.isArray(value) && value.length === 2) {
    return [integer(value[0], `${what}, row`), integer(value[1], `${what}, column`)];
  }
  throw wrong(what, '[row, column]', value);
}

/** @param {unknown} value @param {string} what @param {string[]} choices */
function choice(value, what, choices) {
  if (value === undefined || choices.includes(/** @type {string} */ (value))) return value;
  throw wrong(what, `one of ${choices.join(', ')}`, value);
}

/** @param {unknown} value @param {string} what @returns {string} absolute */
function url(value, what) {
  try {
    return new URL(/** @type {string} */ (value), document.baseURI).href;
  } catch {
    throw wrong(what, 'an address', value);
  }
}

/** @param {unknown} source @param {string} [what] @returns {string | Uint8Array | Blob} a file's address or bytes */
function model(source, what = 'the model') {
  if (source instanceof Blob) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source.slice(0));
  if (source instanceof Uint8Array) return source.slice();
  if (typeof source === 'string' || source instanceof URL) return url(source, what);
  throw wrong(what, 'an address, an ArrayBuffer, a Uint8Array or a Blob', source);
}

/**
 * @param {unknown} source
 * @returns {{ input: { pixels: ImageData } | { picture: ImageBitmap | Blob } | { data: Float32Array, shape: number[] }, transfer: Transferable[] }}
 */
function source(source) {
  if (source instanceof ImageData) return { input: { pixels: source }, transfer: [] };
  if (source instanceof ImageBitmap) {
    if (!source.width || !source.height) throw fail('Parameter', 'the picture was closed before it was used.');
    return { input: { picture: source }, transfer: [] };
  }
  if (source instanceof Blob) return { input: { picture: source }, transfer: [] };
  const { data, shape } = /** @type {{ data?: unknown, shape?: unknown }} */ (source ?? {});
  if (!(data instanceof Float32Array) || !Array.isArray(shape)) {
    throw wrong(
      'the input',
      'an ImageData, an ImageBitmap, a Blob or { data: Float32Array, shape: [c, h, w] }',
      source,
    );
  }
  let sides = shape.map((side, i) => integer(side, `shape[${i}]`, 1));
  if (sides.length === 4 && sides[0] === 1) sides = sides.slice(1);
  if (sides.length === 2 && sides[0] === 1) sides = [sides[1], 1, 1];
  if (sides.length !== 3)
    throw fail(
      'Shape',
      `shape is [${shape}]: one input is [channels, height, width] (or [1, values] for dense layers).`,
    );
  const count = sides.reduce((n, side) => n * side, 1);
  if (data.length !== count) throw fail('Shape', `shape [${shape}] needs ${count} values, data has ${data.length}.`);
  const copy = data.slice();
  return { input: { data: copy, shape: sides }, transfer: [copy.buffer] };
}

/** @param {types.ProjectOptions} options without the signal, which stays on this side */
function projection(options) {
  if (typeof options !== 'object' || options === null) throw wrong('options', '{ layer, map, … }', options);
  const { layer, map, at, wholeMap, strongest, rule, unpool, lrn, randomise } = options;
  const seeds = [at, wholeMap || undefined, strongest].filter((seed) => seed !== undefined);
  if (seeds.length > 1) throw fail('Parameter', 'at, wholeMap and strongest exclude each other: give one of them.');
  return {
    layer: text(layer, 'layer'),
    map: integer(map, 'map'),
    at: at === undefined ? undefined : pair(at, 'at'),
    wholeMap: Boolean(wholeMap),
    strongest: strongest === undefined ? undefined : integer(strongest, 'strongest', 1),
    rule: choice(rule, 'rule', ['deconvnet', 'gradient', 'guided']) ?? 'deconvnet',
    unpool: choice(unpool, 'unpool', ['switches', 'centre']) ?? 'switches',
    lrn: choice(lrn, 'lrn', ['identity', 'divide']),
    randomise: randomise === undefined ? undefined : integer(randomise, 'randomise', 0, 2 ** 32 - 1),
  };
}

/** @param {types.OccludeOptions} options */
function occlusion(options) {
  if (typeof options !== 'object' || options === null) throw wrong('options', '{ class, size, stride, … }', options);
  const { size, stride, grid, fill = 'mean', watch = [], full } = options;
  const optional = (/** @type {unknown} */ value, /** @type {string} */ name, least = 0) =>
    value === undefined ? undefined : integer(value, name, least);
  if (!Array.isArray(watch)) throw wrong('watch', 'a list of { layer, map }', watch);
  const colour = Array.isArray(fill) && fill.length === 3 && fill.every((v) => Number.isFinite(v));
  if (!colour && typeof fill !== 'string') throw wrong('fill', "'mean', 'blur', 'noise' or [r, g, b]", fill);
  return {
    class: optional(options.class, 'class'),
    size: optional(size, 'size', 1),
    stride: optional(stride, 'stride', 1),
    grid: choice(grid, 'grid', ['centre', 'inside']) ?? 'centre',
    fill: colour ? 'colour' : fill,
    colour: colour ? fill : undefined,
    watch: watch.map(({ layer, map }) => ({
      layer: layer === undefined ? undefined : text(layer, 'layer'),
      map: optional(map, 'map'),
    })),
    full: Boolean(full),
  };
}

const TRANSFORMS = ['shift_vertically', 'shift_horizontally', 'scale', 'rotate'];
/** The ranges of ZF14 Fig. 5. @type {Record<string, [number, number]>} */
const RANGES = { shift_vertically: [-60, 60], shift_horizontally: [-60, 60], scale: [0.6, 1.8], rotate: [0, 350] };

/** @param {unknown} value @param {string} what @returns {number} */
function number(value, what) {
  if (Number.isFinite(value)) return Number(value);
  throw wrong(what, 'a number', value);
}

/** @param {unknown} value */
function transform(value) {
  return choice(value ?? 'nothing', 'transform', TRANSFORMS);
}

/** @param {types.InvarianceOptions} options */
function invariance(options) {
  if (typeof options !== 'object' || options === null) throw wrong('options', '{ transform, layers, … }', options);
  const [from, to] = RANGES[/** @type {string} */ (transform(options.transform))];
  if (!Array.isArray(options.layers)) throw wrong('layers', 'a list of names', options.layers);
  return {
    transform: options.transform,
    from: number(options.from ?? from, 'from'),
    to: number(options.to ?? to, 'to'),
    steps: integer(options.steps ?? 25, 'steps', 2),
    layers: options.layers.map((one) => text(one, 'layer')),
    class: options.class === undefined ? undefined : integer(options.class, 'class'),
  };
}

export const check = {
  number,
  transform,
  invariance,
  wrong,
  integer,
  text,
  pair,
  url,
  model,
  source,
  projection,
  occlusion,
};
