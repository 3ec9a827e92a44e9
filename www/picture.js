/**
 * Picture files → pixels, in the worker. The header is read first: a file that is cut short or would
 * fill the memory is refused before the browser decodes it, and browsers differ in what they forgive.
 */

import { fail } from './errors.js';

/** Largest picture taken in, in pixels; the command line's bound. */
const MAX_PIXELS = 2 ** 27;
/** Above this the browser reduces a picture while decoding; below, the engine resizes it exactly as the command line does. */
const EXACT_PIXELS = 16e6;
/** What a larger picture is reduced to: several times what any network reads. */
const REDUCED_PIXELS = 4e6;

/**
 * @typedef {{ kind: string, width: number, height: number, complete: boolean }} Header
 *   width and height as stored, before any EXIF rotation
 */

const ascii = (/** @type {Uint8Array} */ bytes, /** @type {number} */ from, /** @type {number} */ n) =>
  String.fromCharCode(...bytes.subarray(from, from + n));

/** @param {Uint8Array} bytes @returns {Header | null} null for what only the browser may know (AVIF, BMP, …) */
export function header(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint16(0) === 0xffd8) return jpeg(bytes, view);
    if (view.getUint32(0) === 0x89504e47) return png(bytes, view);
    if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 4) === 'WEBP') return webp(bytes, view);
    if (ascii(bytes, 0, 3) === 'GIF') {
      const complete = bytes.lastIndexOf(0x3b) > 13;
      return { kind: 'GIF', width: view.getUint16(6, true), height: view.getUint16(8, true), complete };
    }
    return null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // A header that promises more bytes than there are.
    return { kind: 'picture', width: 0, height: 0, complete: false };
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Header} */
function jpeg(bytes, view) {
  let [width, height] = [0, 0];
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    const marker = view.getUint16(at);
    const length = view.getUint16(at + 2);
    // Start of frame, of any coding process; C4, C8 and CC are tables and an extension.
    if (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) {
      height = view.getUint16(at + 5);
      width = view.getUint16(at + 7);
    }
    at += 2 + length;
    if (marker !== 0xffda) continue;
    // Cameras append data after the end mark, and thumbnails before the scan have one of their own.
    let complete = false;
    for (let i = bytes.indexOf(0xff, at); i >= 0 && !complete; i = bytes.indexOf(0xff, i + 1))
      complete = bytes[i + 1] === 0xd9;
    return { kind: 'JPEG', width, height, complete };
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Header} */
function png(bytes, view) {
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  let at = 8;
  while (at + 12 <= bytes.length && ascii(bytes, at + 4, 4) !== 'IEND') at += 12 + view.getUint32(at);
  return { kind: 'PNG', width, height, complete: at + 12 <= bytes.length };
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Header} */
function webp(bytes, view) {
  const complete = view.getUint32(4, true) + 8 <= bytes.length;
  const u24 = (/** @type {number} */ at) => view.getUint16(at, true) | (bytes[at + 2] << 16);
  const form = ascii(bytes, 12, 4);
  if (form === 'VP8X') return { kind: 'WebP', width: u24(24) + 1, height: u24(27) + 1, complete };
  if (form === 'VP8L') {
    const bits = view.getUint32(21, true);
    return { kind: 'WebP', width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, complete };
  }
  return {
    kind: 'WebP',
    width: view.getUint16(26, true) & 0x3fff,
    height: view.getUint16(28, true) & 0x3fff,
    complete,
  };
}

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
  const bytes = new Uint8Array(await file.arrayBuffer());
  const found = header(bytes);
  if (found) checkSize(found.width, found.height);
  if (found && !found.complete)
    throw fail(
      'Malformed',
      `the ${found.kind} is cut short: ${bytes.length} bytes are not all of it; get a fresh copy.`,
    );
  /** @type {ImageBitmapOptions} */
  const options = { imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion: 'none' };
  const count = found ? found.width * found.height : 0;
  // One side is enough, the other follows; it counts before or after rotation, so the longer one is not known: the shorter bound serves both.
  if (found && count > EXACT_PIXELS) {
    options.resizeWidth = Math.max(1, Math.round(found.width * Math.sqrt(REDUCED_PIXELS / count)));
    options.resizeQuality = 'high';
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, options);
  } catch {
    throw fail(
      'Malformed',
      found
        ? `the ${found.kind} is damaged: the browser cannot decode it; get a fresh copy.`
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
