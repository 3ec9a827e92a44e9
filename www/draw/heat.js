/** Values over the positions of the square, in viridis; coarse cells stand in for what is not computed yet. */

/** Nine stops of viridis; the style sheet's --heat are the same. */
const VIRIDIS = [
  [68, 1, 84],
  [71, 47, 125],
  [57, 86, 140],
  [42, 120, 142],
  [31, 152, 139],
  [53, 183, 121],
  [122, 209, 81],
  [201, 223, 50],
  [253, 231, 37],
];

/** @param {number} t 0…1 @returns {[number, number, number]} */
export function viridis(t) {
  const at = Math.max(0, Math.min(1, t)) * 8;
  const i = Math.min(7, Math.floor(at));
  const mix = (/** @type {number} */ k) => Math.round(VIRIDIS[i][k] + (at - i) * (VIRIDIS[i + 1][k] - VIRIDIS[i][k]));
  return [mix(0), mix(1), mix(2)];
}

/**
 * For every position the nearest one that is computed: itself, else one of every second, else one of every fourth; -1
 * where there is none yet. So a coarse map is drawn in blocks around the positions that were visited.
 * @param {ArrayLike<number>} values NaN where nothing is computed
 * @param {number} rows
 * @param {number} columns
 */
export function standIns(values, rows, columns) {
  const from = new Int32Array(rows * columns);
  const near = (/** @type {number} */ i, /** @type {number} */ step, /** @type {number} */ n) =>
    Math.min(step * Math.floor((n - 1) / step), step * Math.floor((i + step / 2) / step));
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      let found = y * columns + x;
      for (let step = 2; step <= 4 && Number.isNaN(values[found]); step *= 2)
        found = near(y, step, rows) * columns + near(x, step, columns);
      from[y * columns + x] = Number.isNaN(values[found]) ? -1 : found;
    }
  }
  return from;
}

/**
 * What the colours span: all values and the unoccluded one, and never less than `least`, so that noise is not blown up.
 * @param {ArrayLike<number>} values
 * @param {number} base the unoccluded value
 * @param {number} least
 * @returns {{ lo: number, hi: number, min: number, max: number, at: number }} `min`, `max`: of the values alone; `at`: position of the least, -1 without any
 */
export function range(values, base, least) {
  let [min, max, at] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1];
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (value < min) [min, at] = [value, i];
    if (value > max) max = value;
  }
  let [lo, hi] = [Math.min(min, base), Math.max(max, base)];
  const lack = least - (hi - lo);
  if (lack > 0) [lo, hi] = [lo - lack / 2, hi + lack / 2];
  return { lo, hi, min, max, at };
}

/**
 * @param {CanvasRenderingContext2D} context its canvas takes one pixel a position
 * @param {ArrayLike<number>} values
 * @param {{ rows: number, columns: number, from: Int32Array, lo: number, hi: number }} options `from`: see {@link standIns}
 */
export function heat(context, values, { rows, columns, from, lo, hi }) {
  const { canvas } = context;
  canvas.width = columns;
  canvas.height = rows;
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < from.length; i += 1) {
    if (from[i] < 0) continue;
    const [r, g, b] = viridis((values[from[i]] - lo) / (hi - lo || 1));
    image.data[4 * i] = r;
    image.data[4 * i + 1] = g;
    image.data[4 * i + 2] = b;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
