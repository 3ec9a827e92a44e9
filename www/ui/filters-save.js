/** The diagnosis as files: the JSON of `unpool filters`, a table of the filters, a sheet of their pictures. */

import { filter } from '../draw/filter.js';
import { csv } from '../save.js';
import { t } from '../words.js';
import { context2d, download, el } from './dom.js';
import { sorted } from './filters-grid.js';

/** @typedef {import('./filters-study.js').Study} Study */
/** @typedef {import('../types.d.ts').FilterDiagnosis} Diagnosis */

/** @param {string} kind `json`, `csv`, `png` @param {Study} study @param {string} by @param {Study} [second] @param {import('../types.d.ts').FilterComparison} [comparison] */
export async function saveAs(kind, study, by, second, comparison) {
  const d = /** @type {Diagnosis} */ (study.diagnosis);
  const name = `${d.model}-${d.layer.replaceAll('/', '-')}-filters`;
  if (kind === 'json') {
    const filters = sorted(d, by);
    const compared = second?.diagnosis && comparison ? { with: second.diagnosis, comparison } : {};
    download(`${JSON.stringify({ ...d, filters, ...compared }, null, 1)}\n`, 'application/json', `${name}.json`);
  }
  if (kind === 'csv') {
    const rings = d.spectrum.map((_, i) => `power_${((i + 0.5) / (2 * d.spectrum.length)).toFixed(4)}`);
    const rows = sorted(d, by).map((f) => [
      ...[f.filter, f.rms, f.share, f.peak ?? '', f.flag ?? '', f.frequency, f.orientation, f.oriented],
      ...f.spectrum,
    ]);
    const head = ['filter', 'rms', 'share', 'peak', 'flag', 'frequency', 'orientation', 'oriented', ...rings];
    download(csv(head, rows), 'text/csv', `${name}.csv`);
  }
  if (kind === 'png') {
    const studies = second?.diagnosis ? [study, second] : [study];
    const blob = await new Promise((done) => sheet(studies, by).toBlob(done, 'image/png'));
    if (!blob) throw new Error(t('fil.save.failed'));
    download(blob, 'image/png', `${name}.png`);
  }
}

const SIDE = 66;
const GAP = 10;
const HEAD = 44;
const CHART = 220;

/** On white, for print: every filter with its flag, below them what all cover together; two networks side by side. @param {Study[]} studies @param {string} by */
function sheet(studies, by) {
  const hi = 1.1 * Math.max(...studies.flatMap(({ diagnosis }) => /** @type {Diagnosis} */ (diagnosis).power));
  const parts = studies.map((study) => part(study, by, hi));
  const canvas = el('canvas');
  canvas.width = parts.reduce((sum, { width }) => sum + width, 0);
  canvas.height = Math.max(...parts.map(({ height }) => height));
  const pen = context2d(canvas);
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  let x = 0;
  for (const one of parts) {
    pen.drawImage(one, x, 0);
    x += one.width;
  }
  return canvas;
}

/** @param {Study} study @param {string} by @param {number} hi */
function part(study, by, hi) {
  const d = /** @type {Diagnosis} */ (study.diagnosis);
  const list = sorted(d, by);
  const columns = Math.max(6, Math.min(list.length, Math.ceil(Math.sqrt(list.length) * 1.25)));
  const rows = Math.ceil(list.length / columns);
  const canvas = el('canvas');
  canvas.width = columns * (SIDE + GAP) + 3 * GAP;
  canvas.height = HEAD + rows * (SIDE + GAP) + CHART;
  const pen = context2d(canvas);
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingEnabled = false;
  pen.fillStyle = '#171717';
  pen.font = '600 17px sans-serif';
  const [, , h, w] = d.shape;
  const title = t('fil.sheet', { model: study.title, layer: d.layer, size: `${h}×${w}`, stride: d.stride[0] });
  pen.fillText(title, 2 * GAP, 28, canvas.width - 4 * GAP);
  const one = el('canvas');
  for (const [i, f] of list.entries()) {
    const [x, y] = [2 * GAP + (i % columns) * (SIDE + GAP), HEAD + Math.floor(i / columns) * (SIDE + GAP)];
    filter(context2d(one), study.weights.data, d.shape, f.filter, { order: study.net.info.input.order });
    pen.drawImage(one, x, y, SIDE, SIDE);
    pen.strokeStyle = '#171717';
    pen.lineWidth = f.flag === 'dominant' ? 3 : 1.5;
    pen.setLineDash(f.flag === 'weak' ? [4, 3] : []);
    if (f.flag) pen.strokeRect(x - 2, y - 2, SIDE + 4, SIDE + 4);
    if (f.flag !== 'dead') continue;
    pen.beginPath();
    pen.moveTo(x, y + SIDE);
    pen.lineTo(x + SIDE, y);
    pen.stroke();
  }
  spectrum(pen, d, hi, canvas.width - 6 * GAP, canvas.height);
  return canvas;
}

/** @param {CanvasRenderingContext2D} pen @param {Diagnosis} d @param {number} hi @param {number} wide @param {number} bottom */
function spectrum(pen, d, hi, wide, bottom) {
  const [left, base, tall] = [4 * GAP, bottom - 44, CHART - 80];
  pen.setLineDash([]);
  pen.lineWidth = 1;
  pen.strokeStyle = '#898989';
  pen.strokeRect(left, base, wide, 0);
  pen.font = '13px sans-serif';
  pen.fillStyle = '#4d4d4d';
  pen.textAlign = 'center';
  for (const f of [0, 0.1, 0.2, 0.3, 0.4, 0.5]) pen.fillText(String(f), left + 2 * f * wide, base + 17);
  pen.textAlign = 'right';
  pen.fillText(t('fil.cycles'), left + wide, base + 35);
  pen.fillText(`${Math.round(100 * hi)} %`, left - 4, base - tall + 4, 3 * GAP);
  pen.textAlign = 'left';
  pen.fillText(t('fil.share'), left, base - tall - 8);
  pen.lineWidth = 2;
  pen.strokeStyle = '#171717';
  pen.beginPath();
  for (const [i, v] of d.power.entries())
    pen.lineTo(left + ((i + 0.5) / d.power.length) * wide, base - (v / hi) * tall);
  pen.stroke();
}
