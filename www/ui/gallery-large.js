/** One map large: its nine with values, the whole photo with what the unit sees outlined, the maxima over all photos; a second map beside it. */

import { number, rich, t } from '../words.js';
import { el, svg } from './dom.js';
import { rug } from './gallery-rug.js';
import { credits } from './gallery-source.js';
import { show } from './gallery-wall.js';

/** @typedef {import('./gallery.js').Scene} Scene */
/** @typedef {import('./gallery-source.js').Entry} Entry */
/** @typedef {import('../types.d.ts').GalleryCell} GalleryCell */

/** Most pixels of a patch. */
const SIDE = 240;
/** Large pictures before all of the wall. */
const FIRST = -1000;

export class Large {
  #scene;
  #root;
  #key = '';
  /** Photos shown lately, as addresses the browser can draw. @type {Map<Entry, string>} */
  #photos = new Map();

  /** @param {Scene} scene @param {HTMLElement} root */
  constructor(scene, root) {
    this.#scene = scene;
    this.#root = root;
  }

  /** @param {number} map −1: none */
  update(map) {
    const { layer, store } = this.#scene;
    this.#root.hidden = map < 0;
    const second = store.state.beside === '' ? -1 : Number(store.state.beside);
    const maps =
      map < 0 || !layer ? [] : [map, ...(second >= 0 && second < layer.maps && second !== map ? [second] : [])];
    const key = [
      layer?.galleries.map((one) => one.info.weights),
      layer?.name,
      store.state.plain,
      store.state.pool,
      ...maps,
      document.documentElement.lang,
    ].join();
    if (key === this.#key) return;
    this.#key = key;
    this.#scene.cells.drop(this);
    for (const url of this.#photos.values()) URL.revokeObjectURL(url);
    this.#photos.clear();
    this.#root.replaceChildren(...maps.map((one, i) => this.#sheet(one, i)));
  }

  /** Where the visitor's photo stands has become known. */
  ranked() {
    for (const sheet of /** @type {NodeListOf<HTMLElement>} */ (this.#root.querySelectorAll('[data-sheet]')))
      this.#mine(sheet, Number(sheet.dataset.sheet));
  }

  /** @param {number} map @param {number} place 0 or 1 */
  #sheet(map, place) {
    const { layer, store, cells } = this.#scene;
    if (!layer) return el('div');
    const entries = layer.entries(map);
    const kinds = ['patch', 'projection'].map((kind) =>
      el(
        'div',
        { class: 'nine', 'data-kind': kind },
        ...entries.map((entry, i) => {
          const label = t('gal.tile', { n: i + 1, value: number(entry.value, { significant: 4 }), name: entry.name });
          return el(
            'button',
            { type: 'button', 'data-entry': i, title: label, 'aria-label': label },
            el('canvas', { width: 1, height: 1 }),
          );
        }),
      ),
    );
    const close = el('button', { type: 'button', class: 'link' }, t(place ? 'gal.alone' : 'gal.wall'));
    close.addEventListener('click', () => store.set(place ? { beside: '' } : { map: '', beside: '' }));
    const to = el('button', { type: 'button', class: 'link' }, t('gal.explore.own'));
    to.addEventListener('click', () => this.#scene.explore(map));
    const tools = el('span', { class: 'words' }, ...(place ? [] : [this.#compare()]), to, close);
    const sheet = el(
      'div',
      { class: 'gal-sheet', 'data-sheet': map },
      el(
        'header',
        {},
        el('h2', { class: 'step' }, t('gal.map', { map: String(map) })),
        el('span', { class: 'sub', 'data-rank': true }),
        tools,
      ),
      ...kinds,
      el('div', { class: 'gal-entry' }),
      el('figure', { class: 'gal-maxima' }, el('figcaption', { class: 'sub' }), el('div', { class: 'rug' })),
    );
    if (!entries.length)
      kinds[0].replaceWith(el('p', { class: 'say' }, t(layer.dead.includes(map) ? 'gal.dead.one' : 'gal.left')));
    cells.want(
      this,
      FIRST + place,
      layer.name,
      map,
      entries,
      SIDE,
      (cell, i) => this.#put(sheet, map, entries, cell, i),
      (error, i) => {
        kinds[0].children[i]?.classList.add('is-missing');
        this.#scene.missing(error);
        if (i === 0) this.#entry(sheet, entries[0], undefined, 1);
      },
    );
    for (const type of ['pointerover', 'focusin'])
      sheet.addEventListener(type, (event) => {
        const i = /** @type {HTMLElement} */ (event.target).closest('[data-entry]')?.getAttribute('data-entry');
        if (i) this.#look(sheet, entries, Number(i));
      });
    sheet.addEventListener('click', (event) => {
      const i = /** @type {HTMLElement} */ (event.target).closest('[data-entry]')?.getAttribute('data-entry');
      if (i) this.#scene.explore(map, entries[Number(i)]);
    });
    this.#mine(sheet, map);
    return sheet;
  }

  /** @returns {HTMLElement} */
  #compare() {
    const { store, layer } = this.#scene;
    const field = el('input', {
      type: 'text',
      inputmode: 'numeric',
      size: 4,
      value: store.state.beside,
      autocomplete: 'off',
    });
    field.addEventListener('change', () => {
      const known = /^\d+$/.test(field.value) && Number(field.value) < (layer?.maps ?? 0);
      field.setAttribute('aria-invalid', String(!known && field.value !== ''));
      if (known || field.value === '') store.set({ beside: field.value });
    });
    return el('label', {}, t('gal.compare'), ' ', field);
  }

  /** @param {HTMLElement} sheet @param {number} map @param {Entry[]} entries @param {GalleryCell} cell @param {number} i */
  #put(sheet, map, entries, cell, i) {
    for (const [kind, picture] of /** @type {const} */ ([
      ['patch', cell.patch],
      ['projection', cell.projection],
    ])) {
      const canvas = sheet.querySelector(`[data-kind=${kind}] [data-entry="${i}"] canvas`);
      if (canvas) show(/** @type {HTMLCanvasElement} */ (canvas), picture);
    }
    this.#scene.checked(entries[i], map, cell);
    this.#known.set(entries[i], cell);
    // Pointed at before it was there, or nothing was yet.
    if (i === Number(sheet.dataset.wanted ?? 0)) this.#look(sheet, entries, i);
  }

  /** @type {WeakMap<Entry, GalleryCell>} */
  #known = new WeakMap();

  /** @param {HTMLElement} sheet @param {Entry[]} entries @param {number} i */
  #look(sheet, entries, i) {
    sheet.dataset.wanted = String(i);
    if (sheet.dataset.looked === String(i)) return;
    const cell = this.#known.get(entries[i]);
    if (!cell) return;
    sheet.dataset.looked = String(i);
    for (const tile of sheet.querySelectorAll('[data-entry]'))
      tile.classList.toggle('is-looked', tile.getAttribute('data-entry') === String(i));
    this.#entry(sheet, entries[i], cell, i + 1);
  }

  /** The whole photo, what the unit sees in it, and the numbers. @param {HTMLElement} sheet @param {Entry} entry @param {GalleryCell | undefined} cell @param {number} n */
  async #entry(sheet, entry, cell, n) {
    const place = sheet.querySelector('.gal-entry');
    const info = entry.gallery.info.photos[entry.photo];
    const credit = (await credits().catch(() => undefined))?.get(entry.name);
    const url = await this.#address(entry).catch(() => '');
    if (cell && sheet.dataset.looked !== String(n - 1)) return;
    const { width, height } = info;
    const frame = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    if (cell) {
      const [wy0, wx0, wy1, wx1] = entry.window;
      const [, h, w] = this.#scene.session.net?.info.input.shape ?? [0, 1, 1];
      const [y0, x0, y1, x1] = cell.receptiveField;
      const [sy, sx] = [(wy1 - wy0) / h, (wx1 - wx0) / w];
      const box = { x: wx0 + x0 * sx, y: wy0 + y0 * sy, width: (x1 - x0) * sx, height: (y1 - y0) * sy };
      const window = { x: wx0, y: wy0, width: wx1 - wx0, height: wy1 - wy0 };
      for (const [name, at] of /** @type {const} */ ([
        ['gal-window', window],
        ['rf-halo', box],
        ['rf', box],
      ]))
        frame.append(svg('rect', { class: name, ...at }));
    }
    const title = entry.name.replace(/\.webp$/, '');
    const picture = url
      ? el('img', { src: url, alt: title, width, height })
      : el('span', { class: 'say' }, t('gal.lost.one'));
    const values = {
      ...{ n, value: number(entry.value, { significant: 4 }), y: entry.at[0], x: entry.at[1] },
      c: cell ? number(cell.contrast, { digits: 1 }) : '',
    };
    const by = credit
      ? [
          ...rich('gal.by', { author: credit.author, licence: credit.licence }),
          ' ',
          el('a', { href: credit.source, target: '_blank', rel: 'noopener' }, t('gal.source')),
        ]
      : [t(entry.own ? 'gal.by.you' : 'gal.by.none')];
    place?.replaceChildren(
      el('div', { class: 'photo' }, picture, frame),
      el('p', { class: 'num' }, ...rich('gal.entry', values)),
      ...(cell?.stale
        ? [el('p', { class: 'is-stale' }, t('gal.stale.one', { value: number(cell.value, { significant: 4 }) }))]
        : []),
      el('p', { class: 'sub' }, el('b', {}, title), ' ', ...by),
    );
  }

  /** @param {Entry} entry */
  async #address(entry) {
    const known = this.#photos.get(entry);
    if (known) return known;
    const photo = await entry.gallery.photo(entry.photo);
    if (!(photo instanceof Blob)) return '';
    const url = URL.createObjectURL(photo);
    this.#photos.set(entry, url);
    return url;
  }

  /** @param {HTMLElement} sheet @param {number} map */
  async #mine(sheet, map) {
    const { layer, mine } = this.#scene;
    if (!layer) return;
    const bins = await layer.histogram(map).catch(() => []);
    if (!sheet.isConnected || layer !== this.#scene.layer) return;
    const rank = mine.ranks?.get(map);
    const says = sheet.querySelector('[data-rank]');
    const place = rank && Math.round(rank.rank);
    if (says && mine.ranks)
      says.textContent = !place
        ? t('gal.rank.none')
        : place <= 9
          ? t('gal.rank.in', { nth: place })
          : t('gal.rank', { nth: place, of: layer.searched + 1 });
    const silent = bins.reduce((sum, { to, count }) => sum + (to <= 0 ? count : 0), 0);
    sheet
      .querySelector('.gal-maxima figcaption')
      ?.replaceChildren(...rich('gal.maxima', { n: layer.searched, silent }));
    const room = sheet.querySelector('.gal-maxima .rug');
    room?.replaceChildren(
      rug(bins, { top: layer.top(map), value: rank?.value, width: room.clientWidth || 400, bars: 48, tall: 64 }),
    );
  }
}
