/** What the file did not say, to be supplied: names of classes, mean and deviation, the order of channels. */

import { t } from '../words.js';
import { el } from './dom.js';

/** @typedef {{ mean: number[], std: number[], order: 'rgb' | 'bgr' }} Preparation */

/** The common ones. @type {Record<string, Preparation>} */
export const PRESETS = {
  torchvision: { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], order: 'rgb' },
  caffe: { mean: [104, 117, 123], std: [], order: 'bgr' },
  unit: { mean: [], std: [255, 255, 255], order: 'rgb' },
  symmetric: { mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5], order: 'rgb' },
  raw: { mean: [], std: [], order: 'rgb' },
};

/** @param {Preparation} input @returns {string} the preset that this is, or '' */
export function presetOf({ mean, std, order }) {
  const near = (/** @type {number[]} */ a, /** @type {number[]} */ b) =>
    a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 0.01);
  const found = Object.entries(PRESETS).find(
    ([, one]) => near(one.mean, mean) && near(one.std, std) && one.order === order,
  );
  return found?.[0] ?? '';
}

/** Without the noise of float32. @param {number[] | undefined} values */
const shown = (values) => (values ?? []).map((v) => Number(v.toFixed(3))).join(', ');

/** @param {string} text @returns {number[]} */
const numbers = (text) =>
  text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map(Number);

/**
 * @param {import('../session.js').Session} session @param {string} id
 * @param {(spec: Record<string, unknown>) => Promise<void>} apply
 */
export function form(session, id, apply) {
  const info = session.good.model === id ? session.net?.info : undefined;
  const field = (/** @type {string} */ key, /** @type {HTMLElement} */ input) =>
    el('label', {}, el('span', {}, t(key)), input);
  const area = el('textarea', { rows: 3, placeholder: t('import.classes.how'), spellcheck: 'false' });
  area.value = info?.classes.join('\n') ?? '';
  const mean = el('input', { type: 'text', inputmode: 'decimal', value: shown(info?.input.mean) });
  const std = el('input', { type: 'text', inputmode: 'decimal', value: shown(info?.input.std) });
  const order = el('select', {}, el('option', { value: 'rgb' }, 'RGB'), el('option', { value: 'bgr' }, 'BGR'));
  order.value = info?.input.order ?? 'rgb';
  const problem = el('p', { class: 'say is-wrong', role: 'alert' });
  const imagenet = el('button', { type: 'button', class: 'link' }, t('import.imagenet'));
  imagenet.addEventListener('click', async () => {
    area.value = (await imagenetNames()).join('\n');
  });
  const box = el(
    'form',
    { class: 'supply' },
    el('h3', {}, t('import.supply')),
    field('import.classes', area),
    imagenet,
    field('import.mean', mean),
    field('import.std', std),
    field('import.order', order),
    problem,
    el('button', { type: 'submit', class: 'btn is-main' }, t('import.apply')),
  );
  box.addEventListener('submit', async (event) => {
    event.preventDefault();
    const input = { mean: numbers(mean.value), std: numbers(std.value), order: order.value };
    const fine = [...input.mean, ...input.std].every(Number.isFinite) && input.std.every((v) => v > 0);
    problem.textContent = fine ? '' : t('import.numbers');
    if (!fine) return;
    const classes = area.value
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
    await apply({ classes, input });
    box.closest('dialog')?.close();
  });
  return box;
}

/** The names in the header of a network that lies beside the page: only its beginning is fetched. */
async function imagenetNames() {
  const answer = await fetch(new URL('../models/squeezenet.safetensors', import.meta.url), {
    headers: { range: 'bytes=0-262143' },
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  return /** @type {string[]} */ (JSON.parse(header.__metadata__.spec).classes);
}
