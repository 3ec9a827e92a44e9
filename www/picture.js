/**
 * Picture files → pixels, in the worker. The header is read first: a file that is cut short or would
 * fill the memory is refused before the browser decodes it, and browsers differ in what they forgive.
 */

import { fail } from './errors.js';
import { decoding, isComplete, MAX_PIXELS, readHeader } from './photo-header.js';

/** Above this the browser reduces a picture while decoding; below, the engine resizes it exactly as the command line does. */
const EXACT_PIXELS = 16e6;
/** What a larger picture is reduced to: several times what any network reads. */
const REDUCED_PIXELS = 4e6;

/** @param {number} width @param {number} height */
function checkSize(width, height) {
  if (width * height <= MAX_PIXELS) return;
  throw fail(
    'Limit',
    `a picture of ${width}×${height} is above the bound of ${Math.floor(MAX_PIXELS / 1e6)} megapixels; make it smaller first.`,
  );
}

/**
 * Upright, opaque pixels of a picture; of an animation the first frame. Colour profiles are ignored,
 * as on the command line; transparency is laid over white.
 * @param {Blob | ImageBitmap} picture
 * @returns {Promise<ImageData>}
 */
export async function pixels(picture) {
  const bitmap = picture instanceof Blob ? await decode(picture) : await reduce(picture);
  try {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context)
      throw fail(
        'Limit',
        `this browser has no memory for a picture of ${bitmap.width}×${bitmap.height}; make it smaller.`,
      );
    context.fillStyle = '#fff';
    context.fillRect(0, 0, bitmap.width, bitmap.height);
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** @param {Blob} file @returns {Promise<ImageBitmap>} */
async function decode(file) {
  if (file.size > MAX_PIXELS * 4)
    throw fail('Limit', `a file of ${Math.round(file.size / 1e6)} MB is too large for a picture; make it smaller.`);
  const found = await readHeader(file).catch((error) => {
    // It was there when it was chosen: moved, changed or forbidden since.
    throw fail('Parameter', `the picture's file can no longer be read (${error.message}); choose it again.`);
  });
  checkSize(found.width, found.height);
  if (!(await isComplete(file, found)))
    throw fail(
      'Malformed',
      `the ${found.format} is cut short: ${file.size} bytes are not all of it; get a fresh copy.`,
    );
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, decoding(found, EXACT_PIXELS, REDUCED_PIXELS));
  } catch {
    throw fail(
      'Malformed',
      found.picture
        ? `the ${found.format} is damaged: the browser cannot decode it; get a fresh copy.`
        : 'not a picture that this browser can read; JPEG, PNG and WebP always work.',
    );
  }
  checkSize(bitmap.width, bitmap.height);
  return bitmap;
}

/** @param {ImageBitmap} bitmap @returns {Promise<ImageBitmap>} a copy no larger than need be */
async function reduce(bitmap) {
  const count = bitmap.width * bitmap.height;
  if (count <= EXACT_PIXELS) return bitmap;
  checkSize(bitmap.width, bitmap.height);
  const resizeWidth = Math.max(1, Math.round(bitmap.width * Math.sqrt(REDUCED_PIXELS / count)));
  const small = await createImageBitmap(bitmap, { resizeWidth, resizeQuality: 'high' });
  bitmap.close();
  return small;
}
