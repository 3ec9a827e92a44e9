/** What is on the plates, as a file: the picture as shown, the raw projection, a table of the crop. */

import { inside } from '../draw/projection.js';
import { csv, npy, png } from '../save.js';
import { download, find } from './dom.js';

/** @param {string} kind `png`, `npy` or `csv` @param {import('./explore.js').Scene} scene @param {import('./unit.js').Shown} shown */
export async function saveAs(kind, { root, session }, { projection, rect }) {
  const { layer, map, rule, at, data, shape } = projection;
  const name = `${session.net?.info.name ?? 'net'}-${layer.replaceAll('/', '_')}-map${map}-${at.join('_')}-${rule}`;
  if (kind === 'png')
    download(
      await png(/** @type {HTMLCanvasElement} */ (find(root, '[data-plate=projection] canvas')), 512),
      'image/png',
      `${name}.png`,
    );
  if (kind === 'npy') download(npy(data, shape), 'application/octet-stream', `${name}.npy`);
  if (kind !== 'csv') return;
  const [channels, height, width] = shape;
  const photo = session.trace?.photo;
  const [y0, x0, y1, x1] = inside(rect, height, width);
  const names = session.net?.info.input.order === 'bgr' ? ['b', 'g', 'r'] : ['r', 'g', 'b'];
  function* rows() {
    for (let y = y0; y < y1; y += 1) {
      for (let x = x0; x < x1; x += 1) {
        const pixel = photo ? photo.data.slice(4 * (y * width + x), 4 * (y * width + x) + 3) : [];
        yield [y, x, ...pixel, ...Array.from({ length: channels }, (_, c) => data[(c * height + y) * width + x])];
      }
    }
  }
  const head = [
    'y',
    'x',
    ...(photo ? ['photo_r', 'photo_g', 'photo_b'] : []),
    ...Array.from({ length: channels }, (_, c) => `projection_${channels === 3 ? names[c] : c}`),
  ];
  download(csv(head, rows()), 'text/csv', `${name}.csv`);
}
