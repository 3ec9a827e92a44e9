/** The settings: square, fill, grid, class; the layer and map that are watched; which sample is looked at. */

import { number, t } from '../words.js';
import { arrowKeys, context2d, el, find } from './dom.js';
import { short } from './occlusion-look.js';
import { colourOf, css, meanOf, rgbOf } from './occlusion-options.js';
import { second } from './occlusion-second.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('../state.js').State} State */

const FILLS = ['mean', 'grey', 'black', 'blur', 'noise'];
/** Kinds of layers that have no maps of their own to watch. */
const NO_MAPS = ['input', 'softmax', 'dropout', 'flatten'];
/** Milliseconds without a move after which a slider's value is meant. */
const SETTLED = 60;

export class Controls {
  #scene;
  #names;
  #map;
  #layer;
  #sample;
  /** @type {Record<string, string>} what the lists were last made from */ #made = {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #settle;

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root } = scene;
    // Of two settings the controls change one.
    const store = { set: (/** @type {Partial<State>} */ change) => this.#store.set(change) };
    // One in the settings of the square, one in those of the second experiment.
    this.#names = /** @type {NodeListOf<HTMLInputElement>} */ (root.querySelectorAll('[data-class-name]'));
    this.#map = /** @type {HTMLInputElement} */ (find(root, '[data-occ-map]'));
    this.#layer = /** @type {HTMLSelectElement} */ (find(root, '[data-occ-layer]'));
    this.#sample = /** @type {HTMLSelectElement} */ (find(root, '[data-occ-sample]'));
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (root.querySelectorAll('[data-occ-pick]')))
      pick.addEventListener('change', () => store.set({ [pick.dataset.occPick ?? '']: pick.value }));
    for (const slide of this.#slides)
      slide.addEventListener('input', () => {
        this.#value(slide);
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => store.set({ [slide.dataset.occSlide ?? '']: slide.value }), SETTLED);
      });
    for (const name of this.#names) {
      name.addEventListener('change', () => this.#chooseClass(name));
      name.addEventListener('focus', () => this.#listClasses(name));
    }
    this.#layer.addEventListener('change', () => store.set({ layer: this.#layer.value, map: '' }));
    this.#map.addEventListener('change', () => this.#chooseMap());
    this.#sample.addEventListener('change', () => {
      if (this.#sample.value !== 'open') return store.set({ photo: this.#sample.value, at: '' });
      this.#sample.value = scene.store.state.photo;
      find(document, '[data-photo-file]').click();
    });
    const sides = find(root, '[data-occ-sides]');
    arrowKeys(sides, '[role=radio]');
    root.addEventListener('click', (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const side = target.closest('[data-side]')?.getAttribute('data-side');
      if (side) scene.store.set({ edit: side });
      if (target.closest('[data-occ-compare]')) scene.store.set({ b: second(scene.store.state), edit: 'b' });
      if (target.closest('[data-occ-alone]')) scene.store.set({ b: '', edit: 'a' });
    });
    const fills = find(root, '[data-occ-fills]');
    arrowKeys(fills, '[role=radio]');
    fills.addEventListener('click', (event) => {
      const fill = /** @type {HTMLElement} */ (event.target).closest('[data-fill]')?.getAttribute('data-fill');
      if (fill) store.set({ fill });
    });
  }

  /** The setting that is changed. */
  get #store() {
    const { store, twin } = this.#scene;
    return twin && store.state.b && store.state.edit === 'b' ? twin.store : store;
  }

  /** The second experiment has one setting only. @param {HTMLElement} node */
  #storeOf(node) {
    return node.closest('[data-inv]') ? this.#scene.store : this.#store;
  }

  get #slides() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.#scene.root.querySelectorAll('[data-occ-slide]'));
  }

  update() {
    const { root, session, sweep, findings } = this.#scene;
    const { state } = this.#store;
    this.#sides();
    const { lang } = document.documentElement;
    for (const pick of /** @type {NodeListOf<HTMLSelectElement>} */ (root.querySelectorAll('[data-occ-pick]')))
      pick.value = state[/** @type {keyof State} */ (pick.dataset.occPick)];
    this.#list('samples', `${session.credits.length} ${state.photo} ${lang}`, () => this.#samples());
    const { trace, net } = session;
    if (!trace || !net) return;
    const most = Math.min(trace.shape[1], trace.shape[2]);
    const values = {
      size: state.size || String(Math.max(1, Math.round(most / 4.5))),
      stride: state.stride || '8',
      opacity: state.opacity,
    };
    for (const slide of this.#slides) {
      const name = /** @type {'size' | 'stride' | 'opacity'} */ (slide.dataset.occSlide);
      // A link may ask for a larger stride than one would drag to.
      const wide = Math.max(64, Number(values.stride));
      if (name !== 'opacity') slide.max = String(name === 'size' ? most : Math.min(wide, most));
      if (slide !== document.activeElement || slide.value !== values[name]) slide.value = values[name];
      if (name === 'opacity') slide.disabled = !state.over;
      this.#value(slide);
    }
    this.#list('fills', `${net.info.name} ${state.fill} ${lang} ${session.photo?.id}`, () => this.#fills(state.fill));
    for (const name of this.#names) {
      if (name === document.activeElement) continue;
      const wanted = this.#storeOf(name).state.class;
      const followed = wanted === '' ? this.#scene.whole[0]?.index : Number(wanted);
      name.value = followed === undefined ? '' : short(net.info.classes[followed] ?? '');
      name.removeAttribute('aria-invalid');
    }
    this.#list('layers', `${net.info.name} ${lang} ${state.layer} ${findings?.watched.layer}`, () => this.#layers());
    if (findings && this.#map !== document.activeElement) this.#map.value = String(findings.watched.map);
    root.toggleAttribute('data-running', sweep.phase === 'running');
  }

  /** Whether there is a second setting, and which of the two is changed here. */
  #sides() {
    const { root, store } = this.#scene;
    const { b, edit } = store.state;
    find(root, '[data-occ-compare]').hidden = b !== '';
    find(root, '[data-occ-sides]').hidden = b === '';
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-side]'))) {
      const on = button.dataset.side === edit;
      button.setAttribute('aria-checked', String(on));
      button.tabIndex = on ? 0 : -1;
    }
  }

  /** @param {string} name @param {string} key @param {() => void} make */
  #list(name, key, make) {
    if (this.#made[name] === key) return;
    this.#made[name] = key;
    make();
  }

  /** @param {HTMLInputElement} slide */
  #value(slide) {
    const out = this.#scene.root.querySelector(`[data-occ-value=${slide.dataset.occSlide}]`);
    const words = out ? t('occ.px', { n: Number(slide.value) }) : `${number(Number(slide.value))} %`;
    if (out) out.textContent = words;
    slide.setAttribute('aria-valuetext', words);
  }

  #samples() {
    const { session, store } = this.#scene;
    const options = session.credits.map(({ id }) => el('option', { value: id }, t(`sample.${id}`)));
    if (store.state.photo === 'own') options.push(el('option', { value: 'own' }, session.photo?.name ?? t('own')));
    options.push(el('option', { value: 'open' }, t('occ.photo.open')));
    this.#sample.replaceChildren(...options);
    this.#sample.value = store.state.photo;
  }

  /** @param {string} chosen */
  #fills(chosen) {
    const { root, session } = this.#scene;
    const store = this.#store;
    const swatches = FILLS.map((fill) => {
      const on = fill === chosen;
      const button = el('button', {
        type: 'button',
        role: 'radio',
        'aria-checked': String(on),
        'aria-label': t(`occ.fill.${fill}`),
        title: t(`occ.fill.${fill}`),
        'data-fill': fill,
        tabindex: on || (rgbOf(chosen) && fill === 'mean' && !FILLS.includes(chosen)) ? 0 : -1,
      });
      const rgb = fill === 'mean' ? meanOf(session) : rgbOf(fill);
      if (rgb) button.style.background = css(rgb);
      else this.#sampleOf(fill, button);
      return button;
    });
    const own = /^[\da-f]{6}$/.test(chosen);
    const colour = el('input', {
      type: 'color',
      value: own ? `#${chosen}` : '#c08040',
      'aria-label': t('occ.fill.own'),
      title: t('occ.fill.own'),
    });
    colour.addEventListener('change', () => store.set({ fill: colour.value.slice(1) }));
    const name = el('span', { class: 'sub' }, own ? `#${chosen}` : t(`occ.fill.${chosen}`));
    find(root, '[data-occ-fills]').replaceChildren(
      ...swatches,
      el('label', { class: own ? 'is-chosen' : '' }, colour),
      name,
    );
  }

  /** A piece of the blurred, or shuffled, photo. @param {string} fill @param {HTMLElement} button */
  async #sampleOf(fill, button) {
    const { session } = this.#scene;
    const canvas = el('canvas', { width: 24, height: 24, 'aria-hidden': 'true' });
    button.append(canvas);
    const cover = await colourOf(fill, session, 50).catch(() => undefined);
    if (cover && typeof cover !== 'string')
      context2d(canvas).putImageData(cover, 12 - cover.width / 2, 12 - cover.height / 2);
  }

  /** All classes, most probable first, for the browser's own search. @param {HTMLInputElement} field */
  #listClasses(field) {
    const { root, session, whole } = this.#scene;
    this.#list('classes', [session.net?.info.name, session.trace?.milliseconds, whole.length].join(), () => {
      const p = (/** @type {number} */ value) => number(value, { digits: 3 });
      const options = whole.map((one) => el('option', { value: this.#className(one.index) }, p(one.p)));
      find(root, '#occ-classes').replaceChildren(...options);
    });
    field.select();
  }

  /** Names that two classes share are told apart by their numbers. @param {number} index */
  #className(index) {
    const classes = this.#scene.session.net?.info.classes ?? [];
    const name = classes[index] ?? String(index);
    return classes.indexOf(name) === classes.lastIndexOf(name) ? name : `${name} (${index})`;
  }

  /** @param {HTMLInputElement} field */
  #chooseClass(field) {
    const { whole } = this.#scene;
    const store = this.#storeOf(field);
    const wanted = field.value.trim().toLowerCase();
    // An empty field is the prediction; else the full name, its beginning, any part of it, in order of probability.
    const names = whole.map(({ index }) => ({ index, name: this.#className(index).toLowerCase() }));
    const found =
      names.find(({ name }) => name === wanted || short(name) === wanted) ??
      names.find(({ name }) => name.startsWith(wanted)) ??
      names.find(({ name }) => name.includes(wanted));
    field.setAttribute('aria-invalid', String(!found));
    if (!found) return;
    store.set({ class: wanted === '' || found.index === whole[0].index ? '' : String(found.index) });
    field.blur();
  }

  #layers() {
    const { session, store, findings } = this.#scene;
    const last = store.state.layer === '' ? findings?.watched.layer : undefined;
    const names = (session.net?.info.layers ?? [])
      .filter(({ kind }) => !NO_MAPS.includes(kind))
      .map(({ name }) => name);
    this.#layer.replaceChildren(
      el('option', { value: '' }, last ? t('occ.layer.is', { layer: last }) : t('occ.layer.last')),
      ...names.reverse().map((name) => el('option', { value: name }, name)),
    );
    this.#layer.value = names.includes(store.state.layer) ? store.state.layer : '';
  }

  #chooseMap() {
    const { session, store, findings } = this.#scene;
    const layer = store.state.layer || findings?.watched.layer || '';
    const maps = session.trace?.shapes[layer]?.[0] ?? 0;
    const text = this.#map.value.trim();
    const known = text === '' || (/^\d{1,6}$/.test(text) && Number(text) < maps);
    this.#map.setAttribute('aria-invalid', String(!known));
    this.#map.title = known ? '' : t('occ.map.no', { layer, n: maps });
    // A number belongs to the layer that is shown, in the Explore view too.
    if (known) store.set({ layer: text === '' ? store.state.layer : layer, map: text });
  }
}
