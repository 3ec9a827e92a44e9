/** Δ of each layer as a table with a small drawing, and in one paragraph what it means. */

import { number, rich, t } from '../words.js';
import { download, el, find, svg } from './dom.js';

/** @typedef {import('../types.d.ts').CorrespondencePart} Part */
/** @typedef {{ mean: number, deviation: number }} Spread */

const WIDE = 240;
const TALL = 30;
/** Share of the random parts' Δ below which a difference is not worth a sentence, however sure. */
const NOTABLE = 0.1;

/**
 * @param {HTMLElement} root
 * @param {string[]} layers
 * @param {Part | undefined} part
 * @param {string} what the hidden part, in words
 * @param {boolean} done
 */
export function table(root, layers, part, what, done) {
  const rows = layers.map(
    (layer) => part?.layers.find((one) => one.layer === layer) ?? { layer, same: null, random: null },
  );
  const ends = rows.flatMap(({ same, random }) => [same, random]).map((one) => (one ? one.mean + one.deviation : 0));
  const most = Math.max(0.05, ...ends);
  const head = ['layer.head', 'same', 'random'].map((key) =>
    el('th', { scope: 'col' }, t(`cor.${key}`, { part: what })),
  );
  const body = rows.map(({ layer, same, random }) => {
    const drop = el(
      'button',
      { type: 'button', class: 'link', 'data-cor-drop': layer, 'aria-label': t('cor.drop', { layer }) },
      '×',
    );
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, el('i', {}, layer), ' ', ...(rows.length > 1 ? [drop] : [])),
      el('td', { class: 'num' }, spread(same)),
      el('td', { class: 'num' }, spread(random)),
      el('td', {}, drawing(same, random, most)),
    );
  });
  find(root, '[data-cor-table]').replaceChildren(
    el(
      'table',
      {},
      el('caption', { class: 'sub' }, t('cor.drawing', { part: what })),
      el('thead', {}, el('tr', {}, ...head, el('td'))),
      el('tbody', {}, ...body),
    ),
  );
  const means = find(root, '[data-cor-means]');
  means.replaceChildren(...(done ? rows.flatMap((row) => [...verdict(row, what), ' ']) : []));
  const save = /** @type {HTMLButtonElement} */ (find(root, '[data-cor-save]'));
  save.disabled = !part;
  save.onclick = () => {
    const lines = rows.map(({ layer, same, random }) =>
      [
        `"${layer}"`,
        same?.mean,
        same?.deviation,
        same?.sum,
        same?.pairs,
        random?.mean,
        random?.deviation,
        random?.draws,
      ].join(),
    );
    const names = 'layer,delta,deviation,sum,pairs,random,random_deviation,draws';
    download([names, ...lines, ''].join('\n'), 'text/csv', 'correspondence.csv');
  };
}

/** @param {Spread | null} one */
const spread = (one) => (one ? `${number(one.mean, { digits: 3 })} ± ${number(one.deviation, { digits: 3 })}` : '—');

/** In words: does hiding this part do the same to all faces, more than hiding just any? @param {Part['layers'][number]} row @param {string} what */
function verdict({ layer, same, random }, what) {
  if (!same || !random) return [];
  const gap = random.mean - same.mean;
  const noise = Math.max(Math.hypot(same.deviation, random.deviation), NOTABLE * random.mean);
  const key = gap > noise ? 'tight' : gap < -noise ? 'loose' : 'even';
  return rich(`cor.means.${key}`, {
    layer,
    part: what,
    a: number(100 * same.mean, { digits: 1 }),
    b: number(100 * random.mean, { digits: 1 }),
  });
}

/** Means as dots, one deviation to both sides: the part in ink above, random parts in grey below. @param {Spread | null} same @param {Spread | null} random @param {number} most */
function drawing(same, random, most) {
  const x = (/** @type {number} */ value) => 4 + (Math.max(0, value) / most) * (WIDE - 8);
  const one = (/** @type {Spread | null} */ found, /** @type {number} */ y, /** @type {string} */ kind) =>
    found
      ? [
          svg('line', {
            class: kind,
            x1: x(found.mean - found.deviation),
            x2: x(found.mean + found.deviation),
            y1: y,
            y2: y,
          }),
          svg('circle', { class: kind, cx: x(found.mean), cy: y, r: 4 }),
        ]
      : [];
  return svg(
    'svg',
    { class: 'delta', viewBox: `0 0 ${WIDE} ${TALL}`, width: WIDE, height: TALL, 'aria-hidden': 'true' },
    svg('line', { class: 'axis', x1: 4, x2: WIDE - 4, y1: TALL - 1, y2: TALL - 1 }),
    ...one(same, 8, 'is-same'),
    ...one(random, 20, 'is-random'),
  );
}
