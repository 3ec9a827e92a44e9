/** Step 3: the maps of the chosen layer as a grid. Cells are made as one scrolls and drawn when they come into sight. */

import { ink } from '../draw/ink.js';
import { number, t } from '../words.js';
import { context2d, el, find, inks, nearEnd, task } from './dom.js';

/** @typedef {import('./explore.js').Scene} Scene */
/** @typedef {import('../facts.js').Choice} Choice */

/** So many cells at a time: a screenful or two. */
const PAGE = 60;
/** Pixels of a thumbnail: cells are 52 to 60 CSS pixels wide. */
const SIDE = 56;

export class Maps {
  #scene;
  #grid;
  #end = el('span', { class: 'map-end', 'aria-hidden': 'true' });
  /** Maps in the order shown. @type {number[]} */
  #order = [];
  #made = 0;
  /** @type {{ data: Uint8Array, shape: [number, number, number] } | undefined} */
  #thumbs;
  #key = '';
  #selected = -1;
  #focus = false;
  #watch;
  #more;

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root, store } = scene;
    this.#grid = find(root, '[data-maps]');
    this.#watch = new IntersectionObserver((seen) => this.#paint(seen), { rootMargin: '200px' });
    this.#more = nearEnd('300px', () => {
      this.#make(this.#made + PAGE);
      return this.#made < this.#order.length;
    });
    this.#grid.addEventListener('click', (event) => {
      const cell = /** @type {HTMLElement} */ (event.target).closest('[data-map]');
      if (cell) store.set({ map: cell.getAttribute('data-map') ?? '', at: '', channel: '', step: '' });
    });
    const order = /** @type {HTMLSelectElement} */ (find(root, '[data-map-order]'));
    order.addEventListener('change', () => store.set({ order: order.value }));
    const field = /** @type {HTMLInputElement} */ (find(root, '[data-map-find]'));
    const go = () => {
      const { choice } = scene.session;
      const wanted = Number.parseInt(field.value, 10);
      const known = choice && wanted >= 0 && wanted < choice.shape[0];
      field.setAttribute('aria-invalid', String(!known && field.value !== ''));
      if (known) store.set({ map: String(wanted), at: '', channel: '', step: '' });
    };
    field.addEventListener('input', go);
  }

  update() {
    const { root, session, store } = this.#scene;
    const { choice, trace } = session;
    const order = /** @type {HTMLSelectElement} */ (find(root, '[data-map-order]'));
    order.value = store.state.order;
    const field = /** @type {HTMLInputElement} */ (find(root, '[data-map-find]'));
    if (document.activeElement !== field) field.value = '';
    if (!choice || !trace) {
      if (!this.#key.startsWith('empty')) this.#ghosts();
      return;
    }
    const here = store.state.order === 'here' ? choice.at.join() : '';
    const key = [choice.layer.name, store.state.order, here, document.documentElement.lang, session.photo?.id].join();
    if (key !== this.#key || this.#trace !== trace) {
      this.#key = key;
      this.#trace = trace;
      this.#fill(choice, trace);
    } else this.#select(choice.map);
    if (this.#theme !== inks().theme) {
      this.#theme = inks().theme;
      this.#repaint();
    }
  }

  /** @type {import('../types.d.ts').Trace | undefined} */ #trace;
  #theme = '';

  #ghosts() {
    this.#key = 'empty';
    this.#selected = -1;
    find(this.#scene.root, '[data-map-count]').textContent = '';
    this.#grid.replaceChildren(
      ...Array.from({ length: 40 }, () => el('span', { class: 'map is-ghost' }, el('span', { class: 'frame' }))),
    );
  }

  /** @param {Choice} choice @param {import('../types.d.ts').Trace} trace */
  async #fill(choice, trace) {
    const { root, session, store } = this.#scene;
    const { layer, infos, shape } = choice;
    const current = () => trace === session.trace && layer === session.choice?.layer;
    try {
      const order = await session.ranked(store.state.order, choice.at);
      if (!current()) return;
      const silent = infos.filter(({ peak }) => peak <= 0).length;
      const size = `${shape[1]}×${shape[2]}`;
      const count = find(root, '[data-map-count]');
      count.textContent = t('maps', { n: shape[0], size }) + (silent ? `, ${t('maps.silent', { n: silent })}` : '');
      count.title = count.textContent;
      this.#order = order;
      this.#made = 0;
      this.#thumbs = undefined;
      this.#watch.disconnect();
      this.#grid.replaceChildren(this.#end);
      this.#grid.scrollTop = 0;
      this.#make(PAGE);
      this.#more.disconnect();
      this.#more.observe(this.#end);
      this.#selected = -1;
      this.#select(session.choice?.map ?? choice.map);
      const thumbs = await session.once(`thumbs ${layer.name}`, () => trace.thumbnails(layer.name, SIDE));
      if (!current() || this.#order !== order) return;
      this.#thumbs = thumbs;
      this.#repaint();
    } catch (error) {
      if (current()) session.report(error);
    }
  }

  /** Makes cells until there are `count`. @param {number} count */
  #make(count) {
    const { session } = this.#scene;
    const { choice } = session;
    if (!choice) return;
    const cells = this.#order.slice(this.#made, count).map((map, i) => {
      const values = { map, peak: number(choice.infos[map].peak, { significant: 4 }) };
      const label = [session.className(map), t('map.label', values)].filter(Boolean).join(': ');
      const cell = el(
        'div',
        {
          class: 'map',
          role: 'option',
          'data-map': map,
          'aria-selected': 'false',
          'aria-setsize': this.#order.length,
          'aria-posinset': this.#made + i + 1,
          tabindex: -1,
          'aria-label': label,
          title: label,
        },
        el('span', { class: 'frame' }, el('canvas')),
        el('span', { class: 'num' }, String(map)),
      );
      this.#watch.observe(cell);
      return cell;
    });
    this.#made += cells.length;
    this.#end.before(...cells);
  }

  /** @param {number} map @returns {HTMLElement | null} */
  #cell(map) {
    return this.#grid.querySelector(`[data-map="${map}"]`);
  }

  /** @param {number} map */
  #select(map) {
    if (map === this.#selected) return;
    const rank = this.#order.indexOf(map);
    if (rank >= this.#made) this.#make(rank + PAGE);
    for (const old of this.#grid.querySelectorAll('[aria-selected=true]')) {
      old.setAttribute('aria-selected', 'false');
      old.setAttribute('tabindex', '-1');
    }
    const cell = this.#cell(map);
    cell?.setAttribute('aria-selected', 'true');
    cell?.setAttribute('tabindex', '0');
    if (cell) requestAnimationFrame(() => this.#reveal(cell));
    if (this.#focus) cell?.focus({ preventScroll: true });
    this.#focus = false;
    this.#selected = map;
  }

  /** Scrolls the grid, and only the grid, to a cell out of sight. @param {HTMLElement} cell */
  #reveal(cell) {
    const [box, outer] = [cell.getBoundingClientRect(), this.#grid.getBoundingClientRect()];
    if (this.#grid.scrollHeight > outer.height + 4 && (box.top < outer.top || box.bottom > outer.bottom))
      this.#grid.scrollTop += box.top - outer.top - outer.height / 3;
    if (box.left < outer.left || box.right > outer.right)
      this.#grid.scrollLeft += box.left - outer.left - outer.width / 3;
  }

  /** To the map so many ranks on. @param {number} step */
  walk(step) {
    const { session, store } = this.#scene;
    if (!session.choice) return;
    const rank = this.#order.indexOf(session.choice.map) + step;
    if (rank < 0 || rank >= this.#order.length) return;
    this.#focus = true;
    store.set({ map: String(this.#order[rank]), at: '', channel: '', step: '' });
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #paint(seen) {
    for (const { target, isIntersecting } of seen) {
      target.toggleAttribute('data-seen', isIntersecting);
      if (isIntersecting) this.#draw(target);
    }
  }

  async #repaint() {
    for (const [i, cell] of [...this.#grid.querySelectorAll('[data-seen]')].entries()) {
      this.#draw(cell);
      if (i % 20 === 19) await task();
    }
  }

  /** @param {Element} cell */
  #draw(cell) {
    if (!this.#thumbs) return;
    const [, height, width] = this.#thumbs.shape;
    const map = Number(cell.getAttribute('data-map'));
    const data = this.#thumbs.data.subarray(map * height * width, (map + 1) * height * width);
    // Each map to its own peak, as the key says; of a single unit nothing would be left to see, so those share one scale.
    const { infos } = this.#scene.session.choice ?? { infos: [] };
    const share =
      height * width === 1 ? infos[map]?.peak / infos.reduce((most, { peak }) => Math.max(most, peak), 0) : 1;
    ink(context2d(find(cell, 'canvas')), data, { height, width, peak: 255 / share, ink: inks().ink });
  }
}
