/** The photo, and the part of it that a unit sees. */

/** @typedef {import('./projection.js').Rect} Rect */

/**
 * @param {CanvasRenderingContext2D} context its canvas takes the size of the crop; beyond the photo it stays transparent
 * @param {ImageData} photo
 * @param {Rect} [rect] default: all of it
 */
export function patch(context, photo, [y0, x0, y1, x1] = [0, 0, photo.height, photo.width]) {
  context.canvas.width = x1 - x0;
  context.canvas.height = y1 - y0;
  context.putImageData(photo, -x0, -y0);
}

/**
 * The middle of a photo as a square of `side` pixels, while nothing is known of what the network will take.
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap} bitmap
 * @param {number} side
 */
export function middle(context, bitmap, side) {
  const short = Math.min(bitmap.width, bitmap.height);
  context.canvas.width = side;
  context.canvas.height = side;
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - short) / 2, (bitmap.height - short) / 2, short, short, 0, 0, side, side);
}
