/** A window of a photograph of the pool, as a photo of its own: what a gallery's entry saw. */

import { PhotoError } from './photo.js';

const POOL = new URL('pool/', import.meta.url);

/**
 * @param {string} id `name@y0,x0,y1,x1` in the photograph's pixels
 * @param {AbortSignal} [signal]
 * @returns {Promise<import('./photo.js').Photo>}
 */
export async function fromPool(id, signal) {
  const [name, rect] = id.split('@');
  const answer = await fetch(new URL(`${name}.webp`, POOL), { signal });
  if (!answer.ok) throw new PhotoError('photo.gone', { name });
  const whole = await createImageBitmap(await answer.blob(), { colorSpaceConversion: 'none' });
  const [y0, x0, y1, x1] = rect.split(',').map(Number);
  const inside = y0 < y1 && x0 < x1 && y1 <= whole.height && x1 <= whole.width;
  const bitmap = inside ? await createImageBitmap(whole, x0, y0, x1 - x0, y1 - y0) : whole;
  return { id, own: false, name, bitmap };
}
