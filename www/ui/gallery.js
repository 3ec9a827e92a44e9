/** The Gallery view (ZF14 Fig. 2): the nine photos that excite each map most, and where the visitor's photo stands. */

import { apply, number, rich, t } from '../words.js';
import { showAlert } from './alert.js';
import { arrowKeys, el, find, rounds, task } from './dom.js';
import { Build } from './gallery-build.js';
import { Cells } from './gallery-cells.js';
import { Large } from './gallery-large.js';
import { Mine } from './gallery-mine.js';
import { Own } from './gallery-own.js';
import { sourceOf } from './gallery-source.js';
import { Wall } from './gallery-wall.js';

/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('./gallery-source.js').Layer} Layer */
/** @typedef {import('./gallery-source.js').Entry} Entry */
/** @typedef {import('../types.d.ts').GalleryCell} GalleryCell */

/**
 * What every part of the view is given.
 * @typedef {object} Scene
 * @property {HTMLElement} root
 * @property {Store} store
 * @property {Session} session
 * @property {Cells} cells
 * @property {Mine} mine
 * @property {Layer | undefined} layer
 * @property {(map: number) => void} open shows a map large
 * @property {(map: number, entry?: Entry) => void} explore shows it in the Explore view, on the entry's photo
 * @property {(entry: Entry, map: number, cell: GalleryCell) => void} checked an entry was computed anew
 * @property {(error: Error) => void} missing an entry could not be
 * @property {() => number[]} order maps as the wall shows them
 */

/** So long the wall waits for the order by the visitor's photo, in milliseconds. */
const PATIENCE = 1500;

export class GalleryView extends HTMLElement {
  /** @type {Scene} */ #scene = /** @type {any} */ (undefined);
  /** @type {Wall} */ #wall = /** @type {any} */ (undefined);
  /** @type {Large} */ #large = /** @type {any} */ (undefined);
  /** @type {ReturnType<typeof sourceOf> | undefined} */ #source;
  /** @type {import('../types.d.ts').Net | undefined} */ #net;
  /** @type {string[]} */ #layers = [];
  #redraw = rounds(() => this.#draw());
  /** What the wall and the layer show. */ #shown = '';
  #layerKey = '';
  #photoKey = '';
  /** @type {Promise<void>} */ #ranks = Promise.resolve();
  /** @type {Set<string>} */ #stale = new Set();
  #lost = '';
  #build = new Build();

  /** @param {Store} store @param {Session} session */
  async connect(store, session) {
    await this.#furnish();
    this.#scene = {
      ...{ root: this, store, session, cells: new Cells(), mine: new Mine(), layer: undefined },
      open: (map) => this.#open(map),
      explore: (map, entry) => this.#explore(map, entry).catch((error) => session.report(error)),
      checked: (entry, map, cell) => this.#check(entry, map, cell),
      missing: (error) => this.#miss(error),
      order: () => this.#wall.order,
    };
    this.#wall = new Wall(this.#scene, find(this, '[data-gal-wall]'));
    this.#large = new Large(this.#scene, find(this, '[data-gal-large]'));
    new Own(this.#scene, this.#build, () => this.#wanted());
    this.#build.addEventListener('change', () => this.update());
    this.#listen();
    this.update();
  }

  /** Markup and style of the view. */
  async #furnish() {
    const sheet = el('link', { rel: 'stylesheet', href: new URL('gallery.css', import.meta.url).href });
    const styled = new Promise((done, fail) => {
      sheet.onload = done;
      sheet.onerror = () => fail(new Error('gallery.css did not arrive'));
    });
    document.head.append(sheet);
    const answer = await fetch(new URL('gallery.html', import.meta.url));
    if (!answer.ok) throw new Error(`gallery.html: ${answer.status}`);
    const markup = await answer.text();
    await styled;
    this.innerHTML = markup;
    apply(this);
  }

  #listen() {
    const { store, session } = this.#scene;
    for (const source of [store, session]) source.addEventListener('change', () => this.update());
    document.addEventListener('unpool:redraw', () => {
      this.#shown = '';
      this.update();
    });
    document.addEventListener('keydown', (event) => this.#key(event));
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.querySelectorAll('[data-gal-pick]')))
      pick.addEventListener('change', () => store.set({ [pick.dataset.galPick ?? '']: pick.value }));
    const plain = /** @type {HTMLInputElement} */ (find(this, '[data-gal-plain]'));
    plain.addEventListener('change', () => store.set({ plain: plain.checked ? 'on' : 'off' }));
    const field = /** @type {HTMLInputElement} */ (find(this, '[data-gal-find]'));
    field.addEventListener('input', () => {
      const map = Number.parseInt(field.value, 10);
      const known = map >= 0 && map < (this.#scene.layer?.maps ?? 0);
      field.setAttribute('aria-invalid', String(!known && field.value !== ''));
      if (known) this.#open(map);
    });
    const words = find(this, '[data-gal-layers]');
    arrowKeys(words, '[role=radio]');
    words.addEventListener('click', (event) => {
      const word = /** @type {HTMLElement} */ (event.target).closest('[data-layer]');
      if (word) store.set({ layer: word.getAttribute('data-layer') ?? '', map: '', at: '' });
    });
  }

  /** Brings the view up to date. */
  update() {
    if (this.hidden) {
      this.#scene.cells.clear();
      this.#shown = '';
      return;
    }
    this.#redraw();
  }

  async #draw() {
    try {
      await this.#know();
    } catch (error) {
      this.#layerKey = '';
      this.#scene.session.report(error);
    }
    this.#controls();
    await task();
  }

  /** Network, layer and rank as the state wants them, then the wall. */
  async #know() {
    const { session, store, mine, cells } = this.#scene;
    const { net } = session;
    document.documentElement.dataset.phase = session.phase;
    showAlert(find(this, '[data-alert]'), session);
    if (!net) return;
    if (net !== this.#net) {
      this.#source?.close();
      this.#source = sourceOf(net);
      this.#net = net;
      this.#layerKey = '';
    }
    this.#build.use(net);
    const source = sourceOf(net);
    source.own = this.#build.gallery;
    const { pool, plain, sort, map } = store.state;
    this.#layers = await source.layers(pool);
    const name = this.#layers.length ? this.#near(net) : '';
    const layerKey = [name, pool, plain, pool === 'shipped' ? '' : this.#build.version].join();
    if (layerKey !== this.#layerKey) {
      cells.clear();
      const layer = name ? await source.layer(name, pool, plain === 'on') : undefined;
      this.#scene.layer = layer;
      this.#layerKey = layerKey;
      this.#photoKey = '';
      this.#shown = '';
      this.#stale.clear();
      this.#lost = '';
      mine.leave();
    }
    const { layer } = this.#scene;
    const { photo } = session;
    const photoKey = photo ? `${photo.id} ${photo.name} ${photo.bitmap.width}×${photo.bitmap.height}` : '';
    if (layer && photo && photoKey !== this.#photoKey) {
      this.#photoKey = photoKey;
      this.#shown = sort === 'rank' ? '' : this.#shown;
      this.#ranks = mine.search(net, layer, this.#layers, photo).catch((error) => session.report(error));
      this.#ranks.then(() => layer === this.#scene.layer && this.#ranked());
    }
    const shown = [layerKey, sort, photoKey && sort === 'rank'].join();
    if (shown !== this.#shown) {
      if (sort === 'rank' && layer && !mine.ranks)
        await Promise.race([this.#ranks, new Promise((done) => setTimeout(done, PATIENCE))]);
      const order = layer ? await this.#ordered(net, layer, sort) : [];
      if (layer !== this.#scene.layer) return;
      this.#shown = shown;
      this.#wall.fill(layer, order);
    }
    this.#large.update(
      layer && name === store.state.layer && map !== '' && Number(map) < layer.maps ? Number(map) : -1,
    );
  }

  /** What has become known of the visitor's photo. */
  #ranked() {
    const { store, layer, mine } = this.#scene;
    if (this.hidden || !layer) return;
    // Somebody who has begun to read is not moved away.
    const late = store.state.sort === 'rank' && mine.ranks && this.#shown && window.scrollY < 10;
    if (late) {
      const order = this.#sorted(layer, 'rank');
      if (order.join() !== this.#wall.order.join()) this.#wall.fill(layer, order);
    }
    this.#wall.ranked();
    this.#large.ranked();
  }

  /** The state's layer where it has entries, else the one that ends its stage, else the nearest below. @param {import('../types.d.ts').Net} net */
  #near(net) {
    const { session, store } = this.#scene;
    const wanted = store.state.layer || session.choice?.layer.name || '';
    if (this.#layers.includes(wanted)) return wanted;
    const stage = session.stages.find(({ layers }) => layers.some((one) => one.name === wanted));
    const same = this.#layers.find((name) => stage?.layers.some((one) => one.name === name));
    if (same) return same;
    const order = net.info.layers.map((one) => one.name);
    const below = this.#layers.filter((name) => order.indexOf(name) <= order.indexOf(wanted));
    return below.at(-1) ?? this.#layers[Math.min(2, this.#layers.length - 1)];
  }

  /** Layers worth a search of the visitor's photos: those of the galleries beside the page, else the end of every stage. */
  async #wanted() {
    const { session } = this.#scene;
    const shipped = session.net ? Object.keys(await sourceOf(session.net).shipped()) : [];
    const kinds = ['conv', 'relu', 'concat', 'sum', 'dense'];
    const ends = session.stages.flatMap(
      ({ layers }) => layers.findLast(({ kind }) => kinds.includes(kind))?.name ?? [],
    );
    return shipped.length ? shipped : ends;
  }

  /** Maps that fire, in an order, also one that takes a while. @param {import('../types.d.ts').Net} net @param {Layer} layer @param {string} by */
  async #ordered(net, layer, by) {
    if (by !== 'alike') return this.#sorted(layer, by);
    const strongest = this.#sorted(layer, 'strength');
    try {
      const { alike } = await import('./gallery-alike.js');
      return await alike(net, layer.name, strongest);
    } catch (error) {
      this.#scene.session.report(error);
      return strongest;
    }
  }

  /** Maps that fire, in an order. @param {Layer} layer @param {string} by */
  #sorted(layer, by) {
    const { ranks } = this.#scene.mine;
    const dead = new Set(layer.dead);
    const all = Array.from({ length: layer.maps }, (_, map) => map).filter((map) => !dead.has(map));
    if (by === 'number') return all;
    const top = all.map((map) => layer.entries(map));
    const weight = new Map(
      all.map((map, i) => {
        const [first, last] = [top[i][0]?.value ?? 0, top[i].at(-1)?.value ?? 0];
        if (by === 'rank' && ranks) return [map, -(ranks.get(map)?.rank ?? 1e9)];
        return [map, by === 'spread' ? (first - last) / (first || 1) : first];
      }),
    );
    const share = (/** @type {number} */ map) => (by === 'rank' && ranks?.get(map)?.share) || 0;
    return all.sort((a, b) => (weight.get(b) ?? 0) - (weight.get(a) ?? 0) || share(b) - share(a) || a - b);
  }

  /** Words and menus. */
  #controls() {
    const { store, session, layer } = this.#scene;
    const { state } = store;
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (this.querySelectorAll('[data-gal-pick]')))
      pick.value = /** @type {Record<string, string>} */ (/** @type {unknown} */ (state))[pick.dataset.galPick ?? ''];
    /** @type {HTMLInputElement} */ (find(this, '[data-gal-plain]')).checked = state.plain === 'on';
    find(this, '[data-gal-pools]').hidden = !this.#source?.own;
    const words = find(this, '[data-gal-layers]');
    if (words.dataset.for !== this.#layers.join()) {
      words.dataset.for = this.#layers.join();
      words.replaceChildren(
        ...this.#layers.map((name) =>
          el('button', { type: 'button', role: 'radio', 'data-layer': name }, name.replace(/\/concat$/, '')),
        ),
      );
    }
    for (const word of /** @type {NodeListOf<HTMLElement>} */ (words.querySelectorAll('[data-layer]'))) {
      const on = word.dataset.layer === layer?.name;
      word.setAttribute('aria-checked', String(on));
      word.tabIndex = on ? 0 : -1;
    }
    const none = find(this, '[data-gal-none]');
    none.hidden = Boolean(layer) || !session.net;
    if (!none.hidden)
      none.replaceChildren(...rich('gal.none', { model: session.net?.info.title || session.net?.info.name || '' }));
    const say = find(this, '[data-gal-say]');
    say.hidden = !layer;
    if (layer)
      say.replaceChildren(
        ...rich(session.photo ? 'gal.say' : 'gal.say.alone', {
          n: layer.searched,
          layer: layer.name,
          maps: layer.maps,
        }),
      );
    const dead = find(this, '[data-gal-dead]');
    dead.hidden = !layer?.dead.length;
    if (layer?.dead.length) dead.textContent = t('gal.dead', { n: layer.dead.length, maps: layer.dead.join(', ') });
    this.#honest();
  }

  /** @param {Entry} entry @param {number} map @param {GalleryCell} cell */
  #check(entry, map, cell) {
    if (!cell.stale) return;
    this.#stale.add(
      `${map}: ${entry.name} ${number(cell.stored, { significant: 4 })} → ${number(cell.value, { significant: 4 })}`,
    );
    this.#honest();
  }

  /** @param {Error} error */
  #miss(error) {
    this.#lost ||= error.message;
    this.#honest();
  }

  /** What was stored and is not what comes out now. */
  #honest() {
    const box = find(this, '[data-gal-stale]');
    const says = [
      ...(this.#stale.size
        ? [t('gal.stale', { n: this.#stale.size, first: [...this.#stale].slice(0, 3).join('; ') })]
        : []),
      ...(this.#lost ? [t('gal.lost', { message: this.#lost })] : []),
    ];
    box.hidden = !says.length;
    box.textContent = says.join(' ');
  }

  /** @param {number} map */
  #open(map) {
    const { store, layer } = this.#scene;
    if (layer) store.set({ layer: layer.name, map: String(map), at: '' });
    window.scrollTo({ top: 0 });
  }

  /** @param {number} map @param {Entry} [entry] */
  async #explore(map, entry) {
    const { store, session, layer } = this.#scene;
    if (!layer) return;
    const unit = { layer: layer.name, map: String(map), step: '', channel: '' };
    if (!entry) return store.set({ view: 'project', ...unit, at: '' });
    const at = entry.at.join();
    if (entry.own) {
      const photo = await entry.gallery.photo(entry.photo);
      const [y0, x0, y1, x1] = entry.window.map(Math.round);
      const bitmap = await createImageBitmap(photo, x0, y0, x1 - x0, y1 - y0);
      session.usePhoto({ id: 'own', own: true, name: entry.name, bitmap });
      return store.set({ view: 'project', ...unit, at });
    }
    const photo = `${entry.name.replace(/\.webp$/, '')}@${entry.window.map(Math.round).join()}`;
    store.set({ view: 'project', ...unit, at, photo });
  }

  /** Arrows walk layers and maps from anywhere, unless a field needs them itself. @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (this.hidden || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest('input, select, textarea, dialog, [role=radiogroup], [role=tablist]')) return;
    const { store, layer } = this.#scene;
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { map } = store.state;
    if (along && layer) {
      // The one that is wanted: what is shown may still be on its way there.
      const now = this.#layers.indexOf(store.state.layer);
      const next = this.#layers[(now < 0 ? this.#layers.indexOf(layer.name) : now) + along];
      if (!next) return;
      event.preventDefault();
      window.scrollTo({ top: 0 });
      store.set({ layer: next, map: '', at: '' });
    }
    const open = !find(this, '[data-gal-large]').hidden;
    if (open && event.key === 'Escape' && !store.state.present) store.set({ map: '' });
    const down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!down || !open) return;
    const order = this.#wall.order;
    const next = order[order.indexOf(Number(map)) + down];
    if (next === undefined) return;
    event.preventDefault();
    store.set({ map: String(next), at: '' });
  }
}

customElements.define('unpool-gallery', GalleryView);
