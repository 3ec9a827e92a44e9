/** A layer's maps as a wall: nine patches and their nine projections each. Made as one scrolls, drawn when it comes into sight. */

import { number, t } from '../words.js';
import { el, nearEnd } from './dom.js';
import { rug } from './gallery-rug.js';

/** @typedef {import('./gallery.js').Scene} Scene */
/** @typedef {import('./gallery-source.js').Layer} Layer */
/** @typedef {import('./gallery-source.js').Entry} Entry */
/** @typedef {import('../types.d.ts').GalleryCell} GalleryCell */
/** @typedef {import('../types.d.ts').GalleryPatch} GalleryPatch */

/** So many maps at a time: a screenful or two. */
const PAGE = 24;
/** Most pixels of a patch in the wall: sharp at 55 CSS pixels on a phone. */
const SIDE = 112;

/** @param {HTMLCanvasElement} canvas @param {ImageData} picture */
export function show(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.classList.toggle('pixels', picture.width < 48);
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
}

/** Nine tiles in a square over one canvas: of many small ones every frame would cost the browser a layer each. @param {string} kind @param {string} label */
const nine = (kind, label) =>
  el(
    'div',
    { class: 'nine is-one', 'data-kind': kind, role: 'img', 'aria-label': label },
    ...Array.from({ length: 9 }, (_, i) => el('span', { 'data-entry': i })),
    el('canvas', { width: 1, height: 1 }),
  );

/** Draws tile `i`; all tiles of a layer are of one size. @param {HTMLElement} nine @param {number} i @param {ImageData} picture */
function place(nine, i, picture) {
  const canvas = /** @type {HTMLCanvasElement} */ (nine.lastElementChild);
  const { width, height } = picture;
  if (canvas.width !== 3 * width || canvas.height !== 3 * height) {
    [canvas.width, canvas.height] = [3 * width, 3 * height];
    canvas.classList.toggle('pixels', width < 48);
  }
  canvas.getContext('2d')?.putImageData(picture, (i % 3) * width, Math.floor(i / 3) * height);
  nine.children[i].classList.add('is-there');
}

export class Wall {
  #scene;
  #root;
  #end = el('span', { class: 'gal-end', 'aria-hidden': 'true' });
  /** @type {number[]} */ #order = [];
  #made = 0;
  /** @type {Layer | undefined} */ #layer;
  #watch;
  #more;

  /** @param {Scene} scene @param {HTMLElement} root */
  constructor(scene, root) {
    this.#scene = scene;
    this.#root = root;
    this.#watch = new IntersectionObserver((seen) => this.#seen(seen), { rootMargin: '240px' });
    this.#more = nearEnd('600px', () => {
      this.#make(this.#made + PAGE);
      return this.#made < this.#order.length;
    });
    root.addEventListener('click', (event) => this.#click(event));
  }

  /** @returns {number[]} maps as they stand */
  get order() {
    return this.#order;
  }

  /** @param {Layer | undefined} layer @param {number[]} order */
  fill(layer, order) {
    this.#watch.disconnect();
    this.#more.disconnect();
    for (const block of this.#root.children) this.#scene.cells.drop(block);
    this.#layer = layer;
    this.#order = order;
    this.#made = 0;
    this.#root.replaceChildren(this.#end);
    this.#make(PAGE);
    this.#more.observe(this.#end);
  }

  /** @param {number} count */
  #make(count) {
    const blocks = this.#order.slice(this.#made, count).map((map) => this.#block(map));
    this.#made += blocks.length;
    this.#end.before(...blocks);
    for (const block of blocks) this.#watch.observe(block);
  }

  /** An empty place for a map, of the size it will have. @param {number} map */
  #block(map) {
    const title = t('gal.map', { map: String(map) });
    return el(
      'article',
      { class: 'gal-map', 'data-map': map },
      el(
        'header',
        {},
        el('h2', {}, el('button', { type: 'button', 'data-open': true, title: t('gal.open') }, title)),
        el('span', { class: 'sub num', 'data-rank': true }),
        el('button', { type: 'button', class: 'link sub', 'data-explore': true }, t('gal.explore')),
      ),
      el('div', { class: 'nines' }),
      el('div', { class: 'rug' }),
    );
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #seen(seen) {
    for (const { target, isIntersecting } of seen) {
      const block = /** @type {HTMLElement} */ (target);
      if (isIntersecting) this.#draw(block);
      else this.#leave(block);
    }
  }

  /** Its pictures go, its place stays. @param {HTMLElement} block */
  #leave(block) {
    this.#scene.cells.drop(block);
    block.querySelector('.nines')?.replaceChildren();
  }

  /** @param {HTMLElement} block */
  #draw(block) {
    const layer = this.#layer;
    const nines = block.querySelector('.nines');
    if (!layer || !nines || nines.firstChild) return;
    const map = Number(block.dataset.map);
    const entries = layer.entries(map);
    const names = entries.map(({ name }) => name.replace(/\.\w+$/, '')).join(', ');
    const patches = nine('patch', t('gal.patches', { names }));
    const backs = nine('projection', t('gal.projections'));
    nines.append(patches, backs);
    const { cells } = this.#scene;
    const at = this.#order.indexOf(map);
    const put = (/** @type {GalleryCell} */ cell, /** @type {number} */ i) => {
      place(patches, i, cell.patch);
      place(backs, i, cell.projection);
      const [patch, back] = [patches, backs].map((one) => /** @type {HTMLElement} */ (one.children[i]));
      patch.title = back.title = t('gal.tile', {
        n: i + 1,
        value: number(cell.value, { significant: 4 }),
        name: entries[i].name,
      });
      this.#scene.checked(entries[i], map, cell);
    };
    const failed = (/** @type {Error} */ error, /** @type {number} */ i) => {
      /** @type {HTMLElement} */ (patches.children[i]).title = error.message;
      patches.children[i].classList.add('is-missing');
      this.#scene.missing(error);
    };
    // What a low unit sees is small, and its projection there as soon as the patch.
    const early = (/** @type {GalleryPatch} */ { patch }, /** @type {number} */ i) => place(patches, i, patch);
    cells.want(block, at, layer.name, map, entries, SIDE, put, failed, layer.field > SIDE / 2 ? early : undefined);
    this.mine(block);
    this.#rug(block, map);
  }

  /** The visitor's photo beside the nine, when it is known where it stands. @param {HTMLElement} block */
  mine(block) {
    const { mine, cells } = this.#scene;
    const map = Number(block.dataset.map);
    const layer = this.#layer;
    const nines = block.querySelector('.nines');
    const rank = mine.ranks?.get(map);
    const says = block.querySelector('[data-rank]');
    if (!layer || !says) return;
    const place = rank && Math.round(rank.rank);
    block.classList.toggle('is-in', Boolean(place && place <= 9));
    if (mine.ranks)
      says.textContent = !place
        ? t('gal.rank.none')
        : place <= 9
          ? t('gal.rank.in', { nth: place })
          : t('gal.rank', { nth: place, of: layer.searched + 1 });
    const entry = mine.entry(layer.name, map);
    if (!nines?.firstChild || !entry || !rank || nines.querySelector('.mine')) return;
    const [patch, back] = [el('canvas', { width: 1, height: 1 }), el('canvas', { width: 1, height: 1 })];
    const own = el('button', { type: 'button', class: 'mine', 'data-mine': true }, patch, back, t('gal.yours'));
    nines.append(own);
    cells.want(
      block,
      // After the nine.
      this.#order.indexOf(map) + 0.9,
      layer.name,
      map,
      [entry],
      SIDE,
      (cell) => {
        show(patch, cell.patch);
        show(back, cell.projection);
      },
      () => own.remove(),
    );
  }

  /** All maps in sight anew: where the visitor's photo stands has become known. */
  ranked() {
    for (const block of /** @type {NodeListOf<HTMLElement>} */ (this.#root.querySelectorAll('.gal-map'))) {
      this.mine(block);
      if (block.querySelector('.nines')?.firstChild) this.#rug(block, Number(block.dataset.map));
    }
  }

  /** @param {HTMLElement} block @param {number} map */
  async #rug(block, map) {
    const layer = this.#layer;
    if (!layer) return;
    const bins = await layer.histogram(map).catch(() => []);
    if (layer !== this.#layer || !block.isConnected) return;
    const place = block.querySelector('.rug');
    place?.replaceChildren(
      rug(bins, {
        top: layer.top(map),
        value: this.#scene.mine.ranks?.get(map)?.value,
        width: place.clientWidth || 400,
        bars: 60,
        tall: 14,
      }),
    );
  }

  /** @param {Event} event */
  #click(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const block = /** @type {HTMLElement | null} */ (target.closest('.gal-map'));
    const layer = this.#layer;
    if (!block || !layer) return;
    const map = Number(block.dataset.map);
    const entry = target.closest('[data-entry]')?.getAttribute('data-entry');
    if (target.closest('[data-open], .rug')) this.#scene.open(map);
    else if (target.closest('[data-mine]')) this.#scene.explore(map);
    else if (target.closest('[data-explore]')) this.#scene.explore(map);
    else if (entry && layer.entries(map)[Number(entry)]) this.#scene.explore(map, layer.entries(map)[Number(entry)]);
  }
}
