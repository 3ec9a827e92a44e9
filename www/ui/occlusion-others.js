/** Panel e of ZF14 Fig. 7: the same map in the photos of a gallery that excite it most, each patch beside its projection. */

import { number, t } from '../words.js';
import { context2d, el } from './dom.js';
import { sourceOf } from './gallery-source.js';

/** @typedef {import('../types.d.ts').Net} Net */
/** @typedef {import('../types.d.ts').GalleryCell} Cell */

const SHOWN = 3;
/** Pixels of a picture's side. */
const SIDE = 96;

/** The strongest entries of a map, computed anew; none without a gallery. @param {Net} net @param {string} name of the layer @param {number} map @param {AbortSignal} signal @returns {Promise<Cell[]>} */
export async function strongest(net, name, map, signal) {
  const found = await sourceOf(net).holding(name);
  if (!found) return [];
  const { gallery, layer } = found;
  const entries = (await gallery.entries(layer, map)).slice(0, SHOWN);
  const cells = [];
  for (const { entry } of entries) cells.push(await gallery.cell(layer, map, entry, { side: SIDE, signal }));
  return cells;
}

/** @param {HTMLElement} place @param {Cell[]} cells none: the place is hidden */
export function others(place, cells) {
  place.hidden = cells.length === 0;
  const picture = (/** @type {ImageData} */ data, /** @type {string} */ label) => {
    const canvas = el('canvas', { class: 'pixels', role: 'img', 'aria-label': label });
    canvas.width = data.width;
    canvas.height = data.height;
    context2d(canvas).putImageData(data, 0, 0);
    return canvas;
  };
  place.replaceChildren(
    el('p', { class: 'sub' }, t('occ.others')),
    ...cells.flatMap(({ patch, projection, value }) => {
      const n = number(value, { digits: 1 });
      return [
        picture(patch, t('occ.others.patch', { value: n })),
        picture(projection, t('occ.others.back', { value: n })),
      ];
    }),
  );
}
