/** The photo with the square where one looks, a map over it if wanted, and what the network says of it. */

import { frame, occluded } from '../draw/square.js';
import { number, rich, t } from '../words.js';
import { showAlert } from './alert.js';
import { context2d, el, find } from './dom.js';

/** @typedef {import('./occlusion.js').Scene} Scene */

/** @param {number} p */
const chance = (p) => (p > 0 && p < 0.0005 ? `< ${number(0.001, { digits: 3 })}` : number(p, { digits: 3 }));

/** @param {string} label the first of a class's names */
export const short = (label) => label.split(',')[0];

export class Look {
  #scene;
  #photo;
  #canvas;
  #over;
  #lines;
  /** The map over the photo: a part of its own, since it copies a panel that must have been drawn before. */
  overlay = { update: () => this.#lay() };

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root } = scene;
    this.#photo = find(root, '[data-occ-photo]');
    this.#canvas = /** @type {HTMLCanvasElement} */ (find(root, '[data-occ-canvas]'));
    this.#over = find(root, '[data-occ-over]');
    this.#lines = /** @type {SVGElement} */ (find(root, '[data-occ-lines]'));
  }

  update() {
    const { root, session, store } = this.#scene;
    showAlert(find(root, '[data-alert]'), session);
    const { trace, photo } = session;
    if (!trace?.photo) return;
    const { width, height } = trace.photo;
    root.style.setProperty('--shape', String(width / height));
    this.#photo.style.aspectRatio = `${width} / ${height}`;
    this.#photo.setAttribute('aria-label', t('occ.photo.label', { width, height }));
    this.#lines.setAttribute('viewBox', `0 0 ${width} ${height}`);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#canvas.setAttribute(
      'aria-label',
      photo?.own ? t('photo.own', { name: photo.name }) : t(`sample.${photo?.id}`),
    );
    const here = store.state.experiment === 'occlusion';
    this.#lines.style.display = here ? '' : 'none';
    if (here) this.place();
    else find(root, '[data-occ-says]').hidden = true;
  }

  #lay() {
    const { root, findings, session, store } = this.#scene;
    const { over, opacity, experiment } = store.state;
    const map = over && /** @type {HTMLCanvasElement | null} */ (root.querySelector(`[data-panel=${over}] canvas.map`));
    if (experiment !== 'occlusion' || !map || !findings || !session.trace || map.closest('[hidden]'))
      return this.#over.replaceChildren();
    const copy = el('canvas', { class: over === 'class' ? '' : 'pixels' });
    copy.width = map.width;
    copy.height = map.height;
    if (map.width) context2d(copy).drawImage(map, 0, 0);
    lie(copy, frame(findings.grid), session.trace.shape);
    copy.style.opacity = String(Number(opacity) / 100);
    this.#over.replaceChildren(copy);
  }

  place() {
    const { session, store, whole, wholeP, root, twin, looked } = this.#scene;
    // Of two settings the one under the pointer, else the one that the controls change.
    const { findings, place, cover } = twin && (looked || store.state.edit) === 'b' ? twin : this.#scene;
    const photo = session.trace?.photo;
    if (!photo || store.state.experiment !== 'occlusion') return;
    const { index } = place;
    const at = find(root, '[data-occ-at]');
    const list = find(root, '[data-occ-classes]');
    const says = find(root, '[data-occ-says]');
    says.hidden = whole.length === 0;
    const known = findings !== undefined && index >= 0;
    this.#lines.toggleAttribute('hidden', !known);
    if (!known) {
      context2d(this.#canvas).putImageData(photo, 0, 0);
      at.textContent = t('occ.whole');
      return list.replaceChildren(...whole.slice(0, 5).map(({ label, p }) => this.#row(label, p, p)));
    }
    const square = findings.square(index);
    const [y0, x0, y1, x1] = square;
    occluded(context2d(this.#canvas), photo, square, cover ?? '#808080');
    for (const rect of this.#lines.querySelectorAll('rect'))
      for (const [key, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 }))
        rect.setAttribute(key, String(value));
    const size = `${x1 - x0}×${y1 - y0}`;
    at.replaceChildren(...(findings.isOutside(index) ? [t('occ.outside')] : rich('occ.at', { x: x0, y: y0, size })));
    const { best, bestP } = findings.part;
    const rows = [];
    for (let i = 5 * index; i < 5 * index + 5 && best[i] >= 0; i += 1)
      rows.push(this.#row(this.#label(best[i]), bestP[i], wholeP[best[i]]));
    list.replaceChildren(...rows);
  }

  /** @param {number} index */
  #label(index) {
    return this.#scene.session.net?.info.classes[index] ?? String(index);
  }

  /** @param {string} label @param {number} p @param {number} before of the whole photo */
  #row(label, p, before) {
    const bar = el('span');
    bar.style.width = `${100 * p}%`;
    const mark = el('i', { title: `${t('occ.stroke')}: ${chance(before)}` });
    mark.style.left = `min(${100 * before}%, 100% - 2px)`;
    return el(
      'li',
      {},
      el('span', { lang: 'en' }, short(label)),
      el('span', { class: 'num' }, chance(p)),
      el('span', { class: 'bar' }, bar, mark),
    );
  }
}

/**
 * Lays an element over a stretch of the photo.
 * @param {HTMLElement} node @param {readonly number[]} rect y0, x0, y1, x1 in pixels of the photo @param {readonly number[]} shape of the photo
 */
export function lie({ style }, [y0, x0, y1, x1], [, height, width]) {
  style.top = `${(100 * y0) / height}%`;
  style.left = `${(100 * x0) / width}%`;
  style.height = `${(100 * (y1 - y0)) / height}%`;
  style.width = `${(100 * (x1 - x0)) / width}%`;
}
