/** Where a code is not zero, marked over the picture that it explains. */

/** @typedef {[number, number, number]} Colour */

/** How dense the marks are. */
const INK = 0.7;

/**
 * @param {CanvasRenderingContext2D} context its canvas takes the size of the picture
 * @param {Float32Array} picture height·width values, zero is mid-grey
 * @param {{ height: number, width: number, max: number, mark: Colour }} options `max`: the magnitude that is black or white
 * @param {{ data: Float32Array, shape: number[], shift: number, map?: number }} code maps; `shift`: what its frame overhangs; `map`: only that one
 * @returns {number} marked places
 */
export function support(
  context,
  picture,
  { height, width, max, mark },
  { data, shape: [maps, rows, columns], shift, map },
) {
  context.canvas.width = width;
  context.canvas.height = height;
  const image = context.createImageData(width, height);
  // Half the contrast, so that the marks stand out.
  for (let i = 0; i < height * width; i += 1) {
    const grey = 128 + 64 * Math.max(-1, Math.min(1, picture[i] / (max || 1)));
    for (let k = 4 * i; k < 4 * i + 3; k += 1) image.data[k] = grey;
    image.data[4 * i + 3] = 255;
  }
  let marked = 0;
  const [first, last] = map === undefined ? [0, maps] : [map, map + 1];
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const [py, px] = [y - shift, x - shift];
      if (py < 0 || px < 0 || py >= height || px >= width) continue;
      for (let m = first; m < last; m += 1) {
        if (data[(m * rows + y) * columns + x] === 0) continue;
        const at = 4 * (py * width + px);
        // Seen through: where nearly all is marked the picture still shows.
        for (const [channel, ink] of mark.entries())
          image.data[at + channel] = (1 - INK) * image.data[at + channel] + INK * ink;
        marked += 1;
        break;
      }
    }
  }
  context.putImageData(image, 0, 0);
  return marked;
}
