/** The sweep as files: a picture of all panels with their legends, a table, the arrays. */

import { csv, npz } from '../save.js';
import { t } from '../words.js';
import { download } from './dom.js';
import { sheet } from './occlusion-sheet.js';

/** @typedef {import('./occlusion.js').Scene} Scene */

/** @typedef {import('../findings.js').Findings} Findings */
/** @typedef {import('../types.d.ts').InvariancePart} Curves */

/** @param {Scene} scene what a file was made from */
const source = ({ session }) => ({
  model: session.net?.info.name ?? '',
  photo: (session.photo?.own ? session.photo.name : session.photo?.id) ?? '',
});

/** The settings of a sweep and what holds without any square. @param {Scene} scene @param {Findings} findings @returns {Record<string, number | string>} */
const about = (scene, { part, watched, grid }) => ({
  ...source(scene),
  size: part.size,
  stride: part.stride,
  grid: grid.inside ? 'inside' : 'centre',
  fill: scene.store.state.fill,
  ...(part.class === null ? {} : { class: part.class, label: part.label ?? '', p0: part.p0, logit0: part.logit0 }),
  layer: watched.layer,
  map: watched.map,
  activation0: watched.activation0,
});

/** A single value as an array without axes. @param {string} key @param {number | string} value */
const single = (key, value) => ({
  data: typeof value === 'string' ? value : /0$/.test(key) ? Float32Array.of(value) : Int32Array.of(value),
  shape: [],
});

/** The watched map's projection to the pixels, as panel d shows it. @param {Scene} scene @param {Findings} findings @returns {Promise<Parameters<typeof npz>[0]>} */
async function projection({ session }, { watched: { layer, map } }) {
  try {
    const found = await session.once(`project occlusion ${layer} ${map}`, (one) => one.project({ layer, map }));
    return {
      projection: { data: found.data, shape: found.shape },
      projection_at: { data: Int32Array.from(found.at), shape: [2] },
    };
  } catch (error) {
    // An engine that has stopped must not keep what it had computed from being saved.
    session.report(error);
    return {};
  }
}

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
  const notes = about(scene, findings);
  if (kind === 'npz')
    download(
      npz({
        ...Object.fromEntries(Object.entries(notes).map(([key, value]) => [key, single(key, value)])),
        ...(part.class === null
          ? {}
          : { p: { data: part.p, shape }, logit: { data: part.logit, shape }, top: { data: part.top, shape } }),
        activation: { data: watched.activation, shape },
        squares: { data: part.squares, shape: [...shape, 4] },
        ...(part.class === null
          ? {}
          : { best: { data: part.best, shape: [...shape, 5] }, best_p: { data: part.bestP, shape: [...shape, 5] } }),
        ...(await projection(scene, findings)),
      }),
      'application/zip',
      `${name}.npz`,
    );
  if (kind === 'csv') download(csv(head(part.class !== null), rows(scene, findings), notes), 'text/csv', `${name}.csv`);
}

/** The curves of a transformation as a table. @param {Scene} scene @param {Curves} part */
export function saveCurves(scene, part) {
  const { transform } = scene.store.state;
  const from = source(scene);
  const followed = part.class !== null;
  const notes = { ...from, transform, ...(followed ? { class: part.class ?? 0, label: part.label ?? '' } : {}) };
  const columns = ['amount', ...part.layers.map((layer) => `"${layer}"`), ...(followed ? ['p'] : [])];
  // What is not computed is not in the table.
  const lines = [...part.amounts.entries()]
    .map(([i, amount]) => [amount, ...part.distances.map((one) => one[i]), ...(followed ? [part.p[i]] : [])])
    .filter(([, first]) => !Number.isNaN(first));
  download(csv(columns, lines, notes), 'text/csv', `${from.model}-${from.photo}-${transform}.csv`);
}

/** @param {boolean} classes */
const head = (classes) => [
  ...['row', 'column', 'y0', 'x0', 'y1', 'x1', 'activation'],
  ...(classes ? ['p', 'logit', 'top', 'label', ...[1, 2, 3, 4, 5].flatMap((k) => [`top${k}`, `top${k}_p`])] : []),
];

/** @param {Scene} scene @param {import('../findings.js').Findings} findings */
function* rows({ session }, { part, watched }) {
  const classes = session.net?.info.classes ?? [];
  const quoted = (/** @type {number} */ label) => `"${(classes[label] ?? '').replaceAll('"', '""')}"`;
  for (let i = 0; i < watched.activation.length; i += 1) {
    // What is not computed is not in the table.
    if (Number.isNaN(watched.activation[i])) continue;
    const columns = part.shape[1];
    const row = [
      Math.floor(i / columns),
      i % columns,
      ...part.squares.subarray(4 * i, 4 * i + 4),
      watched.activation[i],
    ];
    if (part.class === null) yield row;
    else {
      const best = [0, 1, 2, 3, 4].flatMap((k) => [part.best[5 * i + k], part.bestP[5 * i + k]]);
      yield [...row, part.p[i], part.logit[i], part.top[i], quoted(part.top[i]), ...best];
    }
  }
}
