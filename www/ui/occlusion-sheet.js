/** All panels with their titles and legends in one picture, on white, as one would print them. */

import { viridis } from '../draw/heat.js';
import { swatch } from '../draw/labels.js';
import { frame, occluded } from '../draw/square.js';
import { number, t } from '../words.js';
import { context2d, el, find } from './dom.js';
import { short } from './occlusion-look.js';
import { fillWords } from './occlusion-options.js';
import { format } from './occlusion-panels.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../findings.js').Findings} Findings */

const SIDE = 480;
const GAP = 40;
const HEAD = 44;
const FOOT = 120;
/** Classes of the legend that have room. */
const NAMED = 8;
const SANS = '"Unpool Sans", system-ui, sans-serif';

/** @param {Scene} scene @param {Findings} findings @returns {HTMLCanvasElement} */
export function sheet(scene, findings) {
  const { root, session, store, cover, place } = scene;
  const { part, grid } = findings;
  const [, height, width] = session.trace?.shape ?? [3, 1, 1];
  const tall = Math.round((SIDE * height) / width);
  const all = part.class === null ? ['activation', 'projection'] : ['p', 'class', 'activation', 'projection'];
  const names = all.filter((name) => root.querySelector(`[data-panel=${name}]`));
  const columns = Math.ceil(names.length / 2) + 1;
  const canvas = el('canvas');
  canvas.width = GAP + columns * (SIDE + GAP);
  canvas.height = GAP + (part.class === null ? 1 : 2) * (HEAD + tall + FOOT);
  const pen = context2d(canvas);
  pen.fillStyle = '#ffffff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const at = (/** @type {number} */ column, /** @type {number} */ row) => ({
    x: GAP + column * (SIDE + GAP),
    y: GAP + row * (HEAD + tall + FOOT) + HEAD,
  });
  const text = (
    /** @type {string} */ words,
    /** @type {number} */ x,
    /** @type {number} */ y,
    font = '16px',
    most = SIDE,
  ) => {
    pen.fillStyle = '#171717';
    pen.font = `${font} ${SANS}`;
    pen.fillText(words, x, y, most);
  };
  const picture = (
    /** @type {CanvasImageSource} */ source,
    /** @type {number[]} */ rect,
    /** @type {{ x: number, y: number }} */ to,
    smooth = false,
  ) => {
    pen.save();
    pen.beginPath();
    pen.rect(to.x, to.y, SIDE, tall);
    pen.clip();
    pen.imageSmoothingEnabled = smooth;
    const scale = SIDE / width;
    const [y0, x0, y1, x1] = rect;
    pen.drawImage(source, to.x + x0 * scale, to.y + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
    pen.restore();
  };

  const photo = session.trace?.photo;
  const whole = [0, 0, height, width];
  if (photo) {
    const copy = el('canvas');
    copy.width = width;
    copy.height = height;
    const index = Math.max(0, place.index);
    occluded(context2d(copy), photo, findings.square(index), cover ?? '#808080');
    const to = at(0, 0);
    picture(copy, whole, to, true);
    text(session.net?.info.title || session.net?.info.name || '', to.x, to.y - 14, '600 20px');
    const facts = t('occ.sheet', {
      size: grid.size,
      stride: grid.stride,
      fill: fillWords(store.state.fill),
      done: Math.round(part.fraction * part.p.length),
      n: part.p.length,
    });
    text(facts, to.x, to.y + tall + 26);
    if (part.class !== null)
      text(`p(${short(part.label ?? '')}) = ${number(part.p0, { digits: 4 })}`, to.x, to.y + tall + 50);
  }

  for (const [i, name] of names.entries()) {
    const to = at(1 + (i % 2), Math.floor(i / 2));
    const panel = find(root, `[data-panel=${name}]`);
    const letter = find(panel, '.step-n').textContent;
    text(`${letter}  ${find(panel, '[data-head]').textContent}`, to.x, to.y - 14, '600 20px');
    const map = /** @type {HTMLCanvasElement} */ (find(panel, 'canvas'));
    picture(map, name === 'projection' ? whole : frame(grid), to, name === 'class');
    const lines = /** @type {HTMLCanvasElement | null} */ (panel.querySelector('canvas.lines'));
    if (lines && store.state.outlines === 'on') picture(lines, whole, to, true);
    const field = name === 'p' ? findings.p : name === 'activation' ? findings.activation : undefined;
    if (field) scale(pen, field, name === 'p' ? findings.show : 'sum', to.x, to.y + tall + 14, text);
    if (name === 'class') legend(pen, scene, findings, to.x, to.y + tall + 14, text);
    if (name !== 'projection') continue;
    text(find(panel, '[data-value]').textContent ?? '', to.x, to.y + tall + 20);
    // The map's top images where there are some, each patch beside its projection.
    const top = /** @type {NodeListOf<HTMLCanvasElement>} */ (panel.querySelectorAll('[data-others] canvas'));
    if (top.length) text(t('occ.others'), to.x, to.y + tall + 42);
    for (const [k, one] of top.entries()) pen.drawImage(one, to.x + 66 * k + 6 * (k >> 1), to.y + tall + 50, 64, 64);
  }
  return canvas;
}

/** @typedef {(words: string, x: number, y: number, font?: string, most?: number) => void} Text */

/** @param {CanvasRenderingContext2D} pen @param {import('../findings.js').Field} field @param {string} show @param {number} x @param {number} y @param {Text} text */
function scale(pen, field, show, x, y, text) {
  for (let i = 0; i < SIDE; i += 1) {
    pen.fillStyle = `rgb(${viridis(i / (SIDE - 1)).join(' ')})`;
    pen.fillRect(x + i, y, 1, 16);
  }
  const mark = x + (SIDE * (field.base - field.lo)) / (field.hi - field.lo || 1);
  pen.fillStyle = '#c1103f';
  pen.fillRect(mark - 1.5, y - 5, 3, 26);
  text(format(field, field.lo, show), x, y + 40);
  const hi = format(field, field.hi, show);
  pen.textAlign = 'right';
  text(hi, x + SIDE, y + 40);
  pen.textAlign = 'center';
  text(
    t('occ.base', { value: format(field, field.base, show) }),
    Math.max(x + 170, Math.min(x + SIDE - 170, mark)),
    y + 40,
  );
  pen.textAlign = 'left';
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {Findings} findings @param {number} x @param {number} y @param {Text} text */
function legend(pen, { session }, { winners }, x, y, text) {
  const shown = winners.slice(0, winners.length > NAMED ? NAMED - 1 : NAMED);
  const at = (/** @type {number} */ kind) => [x + (kind % 2) * (SIDE / 2), y + 24 * Math.floor(kind / 2)];
  for (const [kind, { label, count }] of shown.entries()) {
    const colour = el('canvas');
    swatch(context2d(colour), kind);
    const [left, top] = at(kind);
    pen.drawImage(colour, left, top, 16, 16);
    text(`${short(session.net?.info.classes[label] ?? '')}  ${count}`, left + 24, top + 14, '15px', SIDE / 2 - 30);
  }
  const [left, top] = at(shown.length);
  const more = winners.length - shown.length;
  if (more) text(t('occ.more', { n: more }), left + 24, top + 14, '15px', SIDE / 2 - 30);
}
