/** The signal on its way back, in the second ink; negative values, which stand between a filter and the next ReLU, in grey. */

import { reduce } from './ink.js';

/** @typedef {import('./ink.js').Colour} Colour */
/** @typedef {import('./projection.js').Rect} Rect */

/** Opacity of the strongest negative value: present, but no rival to the second ink. */
const NEGATIVE = 90;

/**
 * @param {CanvasRenderingContext2D} context its canvas takes the size of the window, reduced to `side`
 * @param {Float32Array} data the signal over `rect`
 * @param {{ rect: Rect, window: Rect, peak: number, mark: Colour, ink: Colour, side: number }} options `window`: the part that is shown, in the layer's frame
 */
export function signal(
  context,
  data,
  { rect: [y0, x0, y1, x1], window: [top, left, bottom, right], peak, mark, ink, side },
) {
  const width = right - left;
  const height = bottom - top;
  const shown = new Float32Array(width * height);
  for (let y = Math.max(y0, top); y < Math.min(y1, bottom); y += 1) {
    for (let x = Math.max(x0, left); x < Math.min(x1, right); x += 1) {
      shown[(y - top) * width + x - left] = data[(y - y0) * (x1 - x0) + x - x0];
    }
  }
  const small = reduce(shown, height, width, side);
  context.canvas.width = small.width;
  context.canvas.height = small.height;
  const image = context.createImageData(small.width, small.height);
  // The square root: a lattice of faint values is what there is to see after an unpooling.
  for (let i = 0; i < small.data.length; i += 1) {
    const value = small.data[i];
    const [r, g, b] = value < 0 ? ink : mark;
    const full = value < 0 ? NEGATIVE : 255;
    image.data.set([r, g, b, full * Math.sqrt(Math.min(1, Math.abs(value) / (peak || 1)))], 4 * i);
  }
  context.putImageData(image, 0, 0);
}
