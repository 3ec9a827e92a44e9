/** The sweep as files: a picture of all panels with their legends, a table, the arrays. */

import { csv, npz } from '../save.js';
import { t } from '../words.js';
import { download } from './dom.js';
import { sheet } from './occlusion-sheet.js';

/** @typedef {import('./occlusion.js').Scene} Scene */

/** @param {string} kind `png`, `npz` or `csv` @param {Scene} scene */
export async function saveAs(kind, scene) {
  const { session, findings, side } = scene;
  if (!findings) return;
  const { part, watched } = findings;
  const name = [
    session.net?.info.name ?? 'net',
    session.photo?.id ?? 'photo',
    'occlusion',
    `${part.size}px`,
    ...(side === 'b' ? ['b'] : []),
  ].join('-');
  if (kind === 'png') {
    const blob = await new Promise((done) => sheet(scene, findings).toBlob(done, 'image/png'));
    if (!blob) throw new Error(t('occ.save.failed'));
    download(blob, 'image/png', `${name}.png`);
  }
  const { shape } = part;
  if (kind === 'npz')
    download(
      npz({
        ...(part.class === null
          ? {}
          : { p: { data: part.p, shape }, logit: { data: part.logit, shape }, top: { data: part.top, shape } }),
        activation: { data: watched.activation, shape },
        squares: { data: findings.squares, shape: [...shape, 4] },
        ...(part.class === null
          ? {}
          : { best: { data: part.best, shape: [...shape, 5] }, best_p: { data: part.bestP, shape: [...shape, 5] } }),
      }),
      'application/zip',
      `${name}.npz`,
    );
  if (kind === 'csv') download(csv(head(part.class !== null), rows(scene, findings)), 'text/csv', `${name}.csv`);
}

/** @param {boolean} classes */
const head = (classes) => [
  ...['row', 'column', 'y0', 'x0', 'y1', 'x1', 'activation'],
  ...(classes ? ['p', 'logit', 'top', 'label', ...[1, 2, 3, 4, 5].flatMap((k) => [`top${k}`, `top${k}_p`])] : []),
];

/** @param {Scene} scene @param {import('../findings.js').Findings} findings */
function* rows({ session }, { part, watched, squares }) {
  const classes = session.net?.info.classes ?? [];
  const quoted = (/** @type {number} */ label) => `"${(classes[label] ?? '').replaceAll('"', '""')}"`;
  for (let i = 0; i < watched.activation.length; i += 1) {
    // What is not computed is not in the table.
    if (Number.isNaN(watched.activation[i])) continue;
    const columns = part.shape[1];
    const row = [Math.floor(i / columns), i % columns, ...squares.subarray(4 * i, 4 * i + 4), watched.activation[i]];
    if (part.class === null) yield row;
    else {
      const best = [0, 1, 2, 3, 4].flatMap((k) => [part.best[5 * i + k], part.bestP[5 * i + k]]);
      yield [...row, part.p[i], part.logit[i], part.top[i], quoted(part.top[i]), ...best];
    }
  }
}
