/** The photo with the square on it, as the network saw it; and where positions of the square lie on the photo. */

/** @typedef {import('./projection.js').Rect} Rect */

/**
 * @param {CanvasRenderingContext2D} context its canvas has the size of the photo
 * @param {ImageData} photo
 * @param {Rect} square inside the photo
 * @param {string | ImageData} cover a colour, or what shows through the square, over the whole photo
 */
export function occluded(context, photo, [y0, x0, y1, x1], cover) {
  context.putImageData(photo, 0, 0);
  if (typeof cover === 'string') {
    context.fillStyle = cover;
    context.fillRect(x0, y0, x1 - x0, y1 - y0);
  } else context.putImageData(cover, 0, 0, x0, y0, x1 - x0, y1 - y0);
}

/** @typedef {{ shape: [number, number], size: number, stride: number, inside: boolean }} Grid */

/**
 * The stretch of the photo that the map of positions covers, one cell a stride, in pixels; it may end beyond the photo.
 * @param {Grid} grid
 * @returns {Rect}
 */
export function frame({ shape: [rows, columns], size, stride, inside }) {
  const start = inside ? (size - stride) / 2 : 0;
  return [start, start, start + rows * stride, start + columns * stride];
}

/** The position whose cell holds a pixel, or the nearest. @param {Grid} grid @param {number} y @param {number} x */
export function positionAt(grid, y, x) {
  const [top, left] = frame(grid);
  const [rows, columns] = grid.shape;
  const near = (/** @type {number} */ value, /** @type {number} */ n) =>
    Math.max(0, Math.min(n - 1, Math.floor(value / grid.stride)));
  return near(y - top, rows) * columns + near(x - left, columns);
}

/** The pixel in the middle of a position's cell: y, x. @param {Grid} grid @param {number} position @returns {[number, number]} */
export function middleOf(grid, position) {
  const [top, left] = frame(grid);
  const columns = grid.shape[1];
  const half = Math.floor(grid.stride / 2);
  return [
    Math.floor(top + Math.floor(position / columns) * grid.stride + half),
    Math.floor(left + (position % columns) * grid.stride + half),
  ];
}
