/** Where photos come from: a sample, a file, a drop, the clipboard, the camera. Each ends as one upright bitmap of bearable size. */

import { HEADER_BYTES, readHeader } from './photo-header.js';

/** @typedef {{ id: string, file: string, author: string, licence: string, origin: string, width: number, height: number }} Credit */
/** @typedef {{ id: string, own: boolean, name: string, bitmap: ImageBitmap }} Photo */

/** Decoding takes four bytes a pixel: more than this and a tab of a phone dies without a word. */
const MOST_PIXELS = 120e6;
/** Larger photos are reduced while they are decoded; a network looks at 227 pixels of them. */
const ENOUGH_PIXELS = 6e6;

/** A photo that cannot be used. `key` and `values` are the sentence in text/, `message` its plain English. */
export class PhotoError extends Error {
  /** @param {string} key @param {Record<string, string | number>} values */
  constructor(key, values) {
    super(`${key}: ${Object.values(values).join(', ')}`);
    this.name = 'Photo';
    this.key = key;
    this.values = values;
  }
}

const SAMPLES = new URL('samples/', import.meta.url);

/** @returns {Promise<Credit[]>} */
export async function samples() {
  return (await fetch(new URL('credits.json', SAMPLES))).json();
}

/** @param {Credit} credit */
export const sampleURL = (credit) => new URL(credit.file, SAMPLES).href;

/** @param {Credit} credit @param {AbortSignal} [signal] @returns {Promise<Photo>} */
export async function fromSample(credit, signal) {
  const answer = await fetch(sampleURL(credit), { signal });
  if (!answer.ok) throw new PhotoError('photo.gone', { name: credit.id });
  return { id: credit.id, own: false, name: credit.id, bitmap: await decode(await answer.blob(), credit.id) };
}

/** @param {Blob} blob @param {string} name @returns {Promise<Photo>} */
export const fromBlob = async (blob, name) => ({ id: 'own', own: true, name, bitmap: await decode(blob, name) });

/**
 * Colour profiles are left alone, so that the numbers are those of the file, as on the command line.
 * @param {Blob} blob
 * @param {string} name for the message
 * @returns {Promise<ImageBitmap>} turned as its EXIF orientation says
 */
async function decode(blob, name) {
  if (blob.size === 0) throw new PhotoError('photo.empty', { name });
  const { format, picture, width, height } = readHeader(await blob.slice(0, HEADER_BYTES).arrayBuffer());
  if (!picture) throw new PhotoError(format ? 'photo.other' : 'photo.unknown', { name, format });
  const pixels = width * height;
  if (pixels > MOST_PIXELS)
    throw new PhotoError('photo.large', { name, size: `${width}×${height}`, limit: MOST_PIXELS / 1e6 });
  /** @type {ImageBitmapOptions} */
  const options = { imageOrientation: 'from-image', colorSpaceConversion: 'none' };
  if (pixels > ENOUGH_PIXELS)
    Object.assign(options, {
      resizeWidth: Math.round(width * Math.sqrt(ENOUGH_PIXELS / pixels)),
      resizeQuality: 'high',
    });
  try {
    return await createImageBitmap(blob, options);
  } catch {
    throw new PhotoError('photo.broken', { name, format });
  }
}

/** @param {DataTransfer | null} data @returns {File | undefined} the first file, a picture before others */
export function fileOf(data) {
  const files = [...(data?.files ?? [])];
  return files.find(({ type }) => type.startsWith('image/')) ?? files[0];
}

/** The picture a camera shows now. @param {HTMLVideoElement} video @returns {Promise<Photo>} */
export async function fromVideo(video) {
  return { id: 'own', own: true, name: 'camera', bitmap: await createImageBitmap(video) };
}
