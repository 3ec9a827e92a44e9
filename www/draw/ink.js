/** Feature maps in ink: zero is the page, the map's peak is full ink. */

/** @typedef {[number, number, number]} Colour */

/**
 * Reduces a map to at most `side` pixels each way; of the pixels that meet in one, the largest in magnitude stays.
 * @param {ArrayLike<number>} data height·width values
 * @param {number} height
 * @param {number} width
 * @param {number} side
 * @returns {{ data: Float32Array, height: number, width: number }}
 */
export function reduce(data, height, width, side) {
  const step = Math.max(1, Math.ceil(Math.max(height, width) / side));
  const h = Math.ceil(height / step);
  const w = Math.ceil(width / step);
  const out = new Float32Array(h * w);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = data[y * width + x];
      const at = Math.floor(y / step) * w + Math.floor(x / step);
      if (Math.abs(value) > Math.abs(out[at])) out[at] = value;
    }
  }
  return { data: out, height: h, width: w };
}

/**
 * @param {CanvasRenderingContext2D} context its canvas takes the size of the map
 * @param {ArrayLike<number>} data height·width values
 * @param {{ height: number, width: number, peak: number, ink: Colour }} options `peak`: the value of full ink
 */
export function ink(context, data, { height, width, peak, ink: [r, g, b] }) {
  const { canvas } = context;
  canvas.width = width;
  canvas.height = height;
  const image = context.createImageData(width, height);
  const scale = peak > 0 ? 255 / peak : 0;
  for (let i = 0; i < height * width; i += 1) {
    image.data[4 * i] = r;
    image.data[4 * i + 1] = g;
    image.data[4 * i + 2] = b;
    image.data[4 * i + 3] = data[i] * scale;
  }
  context.putImageData(image, 0, 0);
}
