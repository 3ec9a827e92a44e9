/**
 * Projections: 0.5 + c·x / (2·max|x|) over the shown crop, so that zero is mid-grey in every theme.
 * c is chosen such that one per cent of the non-zero pixels clip: at c = 1 a few pixels hold the maximum and the rest is blank.
 */

/** @typedef {[number, number, number, number]} Rect y0, x0, y1, x1; may reach beyond the image */

/** The part of a rectangle inside a height × width image. @param {Rect} rect @param {number} height @param {number} width @returns {Rect} */
export const inside = ([y0, x0, y1, x1], height, width) => [
  Math.max(0, y0),
  Math.max(0, x0),
  Math.min(height, y1),
  Math.min(width, x1),
];

/**
 * @param {Float32Array} data channels·height·width
 * @param {number[]} shape
 * @param {Rect} rect the shown crop
 * @returns {{ max: number, auto: number }} the largest magnitude, and the c at which one per cent of the non-zero pixels clip
 */
export function contrast(data, [channels, height, width], rect) {
  const [y0, x0, y1, x1] = inside(rect, height, width);
  const sizes = new Float32Array(Math.max(0, (y1 - y0) * (x1 - x0)));
  let count = 0;
  let max = 0;
  for (let y = y0; y < y1; y += 1) {
    for (let x = x0; x < x1; x += 1) {
      let peak = 0;
      for (let c = 0; c < channels; c += 1) peak = Math.max(peak, Math.abs(data[(c * height + y) * width + x]));
      if (peak === 0) continue;
      sizes[count] = peak;
      count += 1;
      if (peak > max) max = peak;
    }
  }
  if (count === 0) return { max: 0, auto: 1 };
  return { max, auto: max / descending(sizes.subarray(0, count), max, Math.floor(count / 100)) };
}

/**
 * The value at a rank, counted from the largest, without sorting them all: a count of bins says where it lies.
 * @param {Float32Array} values positive
 * @param {number} max
 * @param {number} rank
 */
function descending(values, max, rank) {
  const bins = new Uint32Array(1024);
  const bin = (/** @type {number} */ value) => Math.min(1023, Math.floor((1024 * value) / max));
  for (const value of values) bins[bin(value)] += 1;
  let at = 1023;
  let above = 0;
  while (above + bins[at] <= rank) {
    above += bins[at];
    at -= 1;
  }
  const near = values.filter((value) => bin(value) === at).sort();
  return near[near.length - 1 - (rank - above)];
}

/**
 * Draws the crop; what lies beyond the image stays transparent.
 * @param {CanvasRenderingContext2D} context its canvas takes the size of the crop, reduced to `side`
 * @param {Float32Array} data channels·height·width
 * @param {{ shape: number[], rect: Rect, order: 'rgb' | 'bgr', gain: number, max: number, side?: number }} options `gain` is c
 */
export function projection(
  context,
  data,
  { shape: [channels, height, width], rect, order, gain, max, side = Number.POSITIVE_INFINITY },
) {
  const [top, left, bottom, right] = rect;
  const [y0, x0, y1, x1] = inside(rect, height, width);
  const step = Math.max(1, Math.ceil(Math.max(bottom - top, right - left) / side));
  const w = Math.ceil((right - left) / step);
  const h = Math.ceil((bottom - top) / step);
  const { canvas } = context;
  canvas.width = w;
  canvas.height = h;
  const values = new Float32Array(3 * w * h);
  const image = context.createImageData(w, h);
  const planes = channels < 3 ? [0, 0, 0] : order === 'bgr' ? [2, 1, 0] : [0, 1, 2];
  for (let y = y0; y < y1; y += 1) {
    for (let x = x0; x < x1; x += 1) {
      const at = Math.floor((y - top) / step) * w + Math.floor((x - left) / step);
      image.data[4 * at + 3] = 255;
      for (let k = 0; k < 3; k += 1) {
        const value = data[(planes[k] * height + y) * width + x];
        if (Math.abs(value) > Math.abs(values[3 * at + k])) values[3 * at + k] = value;
      }
    }
  }
  const scale = max > 0 ? gain / (2 * max) : 0;
  for (let i = 0; i < w * h; i += 1) {
    for (let k = 0; k < 3; k += 1) image.data[4 * i + k] = Math.round(255 * (0.5 + scale * values[3 * i + k]) + 0.25);
  }
  context.putImageData(image, 0, 0);
}
