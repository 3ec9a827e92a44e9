/**
 * Where photos come from: a sample, a file, a drop, the clipboard, the camera. Each ends as one upright bitmap of
 * bearable size, to be looked at, and with the file that the engine reads for itself: its numbers are the file's own.
 */

import { decoding, isComplete, MAX_PIXELS, readHeader } from './photo-header.js';

/** @typedef {{ id: string, file: string, author: string, licence: string, origin: string, width: number, height: number }} Credit */
/** @typedef {{ id: string, own: boolean, name: string, bitmap: ImageBitmap, file?: Blob, odd?: string }} Photo without a file, the bitmap is all there is; `odd` as its header says */

/** Larger photos are reduced while they are decoded for the eye. */
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
  const file = await answer.blob();
  return { id: credit.id, own: false, name: credit.id, file, ...(await decode(file, credit.id)) };
}

/** @param {Blob} file @param {string} name @returns {Promise<Photo>} */
export const fromBlob = async (file, name) => ({ id: 'own', own: true, name, file, ...(await decode(file, name)) });

/**
 * @param {Blob} file
 * @param {string} name for the message
 * @returns {Promise<{ bitmap: ImageBitmap, odd: string }>} turned as its EXIF orientation says
 */
async function decode(file, name) {
  if (file.size === 0) throw new PhotoError('photo.empty', { name });
  const header = await readHeader(file);
  const { format, picture, width, height, odd } = header;
  if (!picture) throw new PhotoError(format ? 'photo.other' : 'photo.unknown', { name, format });
  if (width * height > MAX_PIXELS) {
    const limit = Math.floor(MAX_PIXELS / 1e6);
    throw new PhotoError('photo.large', { name, size: `${width}×${height}`, limit });
  }
  if (!(await isComplete(file, header))) throw new PhotoError('photo.cut', { name, format });
  try {
    return { bitmap: await createImageBitmap(file, decoding(header, ENOUGH_PIXELS, ENOUGH_PIXELS)), odd };
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
