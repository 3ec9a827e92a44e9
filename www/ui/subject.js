/** Step 1: the photo with the chosen place, where photos come from, and what the network says. */

import { middle, patch } from '../draw/patch.js';
import { modelTitle } from '../models.js';
import { sampleURL } from '../photo.js';
import { classless } from '../stages.js';
import { number, rich, t } from '../words.js';
import { showAlert } from './alert.js';
import { context2d, el, find } from './dom.js';

/** @typedef {import('./explore.js').Scene} Scene */

/** Milliseconds that need no announcement. */
const BLINK = 350;

export class Subject {
  #scene;
  #photo;
  #canvas;
  #lines;
  #readout;
  /** @type {Record<string, unknown>} what each piece was last drawn from */
  #drawn = {};

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    const { root } = scene;
    this.#photo = find(root, '[data-photo]');
    this.#canvas = /** @type {HTMLCanvasElement} */ (find(root, '[data-photo-canvas]'));
    this.#lines = /** @type {SVGElement} */ (find(root, '[data-photo-lines]'));
    this.#readout = find(root, '[data-readout]');
    this.#photo.addEventListener('click', (event) => this.#pick(this.#pixel(event)));
    this.#photo.addEventListener('pointermove', (event) => this.#hover(this.#pixel(event)));
    this.#photo.addEventListener('pointerleave', () => this.#leave());
    this.#photo.addEventListener('keydown', (event) => this.#key(event));
    find(root, '[data-thumbs]').addEventListener('click', (event) => this.#sample(event));
    find(root, '[data-samples]').addEventListener('click', (event) => this.#sample(event));
    find(root, '[data-act=cancel]').addEventListener('click', () => scene.session.cancel());
  }

  update() {
    const { session, store } = this.#scene;
    const { trace, photo, choice, credits, problem, notices } = session;
    const { state } = store;
    const lang = document.documentElement.lang;
    document.documentElement.dataset.phase = session.phase;
    this.#once('samples', [credits, lang], () => this.#samples());
    this.#once('pressed', [photo?.id, credits], () => this.#press());
    this.#once('photo', [trace, photo], () => this.#draw());
    this.#once('frame', [choice, state.seed, lang], () => this.#frame());
    this.#once('answer', [trace, lang], () => this.#answer());
    this.#once('alert', [problem, notices, lang], () => showAlert(find(this.#scene.root, '[data-alert]'), session));
    this.#once('progress', [session.busy, session.progress, session.phase, lang], () => this.#progress());
    find(this.#scene.root, '[data-intro-own]').hidden = state.photo !== 'own';
  }

  /** @param {string} name @param {unknown[]} key @param {() => void} draw */
  #once(name, key, draw) {
    const last = /** @type {unknown[] | undefined} */ (this.#drawn[name]);
    if (last?.every((value, i) => value === key[i])) return;
    this.#drawn[name] = key;
    draw();
  }

  #samples() {
    const { root, session } = this.#scene;
    const picture = (/** @type {import('../photo.js').Credit} */ credit) =>
      el('img', { src: sampleURL(credit), alt: '', loading: 'lazy', width: credit.width, height: credit.height });
    const name = (/** @type {string} */ id) => t(`sample.${id}`);
    find(root, '[data-thumbs]').replaceChildren(
      ...session.credits.map((one) =>
        el(
          'button',
          {
            type: 'button',
            class: 'thumb',
            'data-sample': one.id,
            'aria-label': t('sample', { name: name(one.id) }),
            title: name(one.id),
          },
          picture(one),
        ),
      ),
    );
    find(root, '[data-samples]').replaceChildren(
      ...session.credits.map((one) =>
        el(
          'button',
          { type: 'button', class: 'sample', 'data-sample': one.id },
          picture(one),
          el('span', {}, name(one.id)),
        ),
      ),
    );
    this.#press();
  }

  #press() {
    const { root, session } = this.#scene;
    for (const thumb of root.querySelectorAll('.thumb'))
      thumb.setAttribute(
        'aria-pressed',
        String(/** @type {HTMLElement} */ (thumb).dataset.sample === session.photo?.id),
      );
  }

  /** @param {Event} event */
  #sample(event) {
    const id = /** @type {HTMLElement} */ (event.target).closest('[data-sample]')?.getAttribute('data-sample');
    if (id) this.#scene.store.set({ photo: id, at: '', map: '' });
  }

  #draw() {
    const { trace, photo } = this.#scene.session;
    if (trace?.photo) patch(context2d(this.#canvas), trace.photo);
    else if (photo) middle(context2d(this.#canvas), photo.bitmap, 454);
    else return;
    const { width, height } = this.#canvas;
    this.#photo.style.aspectRatio = `${width} / ${height}`;
    this.#lines.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#canvas.setAttribute(
      'aria-label',
      photo ? (photo.own ? t('photo.own', { name: photo.name }) : t(`sample.${photo.id}`)) : '',
    );
  }

  /** The red square: the receptive field, as far as it lies on the photo; all of it for a whole map. */
  async #frame() {
    const { session, store } = this.#scene;
    const { choice, trace } = session;
    for (const rect of this.#lines.querySelectorAll('rect')) rect.style.display = 'none';
    if (!choice || !trace) return;
    const { layer, at, map } = choice;
    const { width, height } = this.#canvas;
    this.#photo.setAttribute(
      'aria-label',
      t('photo.label', { width, height, layer: layer.name, map, y: at[0], x: at[1] }),
    );
    const origin = await session.origin(layer.name).catch(() => undefined);
    if (!origin || choice !== session.choice || store.state.seed !== 'unit') return;
    for (const name of ['rf-halo', 'rf']) this.#place(name, this.#field(origin, at));
  }

  /** @param {number[]} origin @param {[number, number]} at @returns {[number, number, number, number]} */
  #field([y0, x0, y1, x1], [y, x]) {
    const [down, across] = this.#scene.session.choice?.layer.stride ?? [1, 1];
    return [y0 + y * down, x0 + x * across, y1 + y * down, x1 + x * across];
  }

  /** @param {string} name @param {[number, number, number, number]} field */
  #place(name, [y0, x0, y1, x1]) {
    const rect = find(this.#lines, `.${name}`);
    const { width, height } = this.#canvas;
    const [left, top] = [Math.max(1, x0), Math.max(1, y0)];
    const sides = {
      x: left,
      y: top,
      width: Math.max(1, Math.min(width - 1, x1) - left),
      height: Math.max(1, Math.min(height - 1, y1) - top),
    };
    for (const [key, value] of Object.entries(sides)) rect.setAttribute(key, String(value));
    rect.style.display = '';
  }

  /** @param {MouseEvent} event @returns {[number, number]} row and column of the photo under the pointer */
  #pixel(event) {
    const box = this.#canvas.getBoundingClientRect();
    const on = (/** @type {number} */ value, /** @type {number} */ size) =>
      Math.max(0, Math.min(size - 1, Math.floor(value * size)));
    return [
      on((event.clientY - box.top) / box.height, this.#canvas.height),
      on((event.clientX - box.left) / box.width, this.#canvas.width),
    ];
  }

  /** @param {[number, number]} pixel */
  async #pick(pixel) {
    const { session, store } = this.#scene;
    const { choice, trace } = session;
    if (!choice || !trace) return;
    try {
      const { at, value } = await trace.unitAt(choice.layer.name, choice.map, pixel);
      if (trace !== session.trace || choice.layer !== session.choice?.layer) return;
      const place = { at: at.join(','), seed: 'unit', step: '', channel: '' };
      if (value > 0) return store.set({ map: String(choice.map), ...place });
      // This map is silent here: show the one that answers loudest, and the others in that order.
      const [loudest] = await session.ranked('here', at);
      if (trace === session.trace && choice.layer === session.choice?.layer)
        store.set({ map: String(loudest), order: 'here', ...place });
    } catch (error) {
      session.report(error);
    }
  }

  /** @param {[number, number]} pixel */
  async #hover([y, x]) {
    const { session } = this.#scene;
    const { choice, trace } = session;
    const photo = trace?.photo;
    if (!choice || !photo) return;
    const origin = await session.origin(choice.layer.name).catch(() => undefined);
    if (!origin || choice !== session.choice) return;
    const near = (
      /** @type {number} */ pixel,
      /** @type {number} */ from,
      /** @type {number} */ to,
      /** @type {number} */ stride,
      /** @type {number} */ size,
    ) => Math.max(0, Math.min(size - 1, Math.round((pixel - (from + to - 1) / 2) / stride)));
    const { stride } = choice.layer;
    const unit = /** @type {[number, number]} */ ([
      near(y, origin[0], origin[2], stride[0], choice.shape[1]),
      near(x, origin[1], origin[3], stride[1], choice.shape[2]),
    ]);
    this.#place('rf-hover', this.#field(origin, unit));
    const rgb = [...photo.data.slice(4 * (y * photo.width + x), 4 * (y * photo.width + x) + 3)].join(' ');
    const map = await session
      .once(`map ${choice.layer.name} ${choice.map}`, () => trace.map(choice.layer.name, choice.map))
      .catch(() => undefined);
    if (!map || choice !== session.choice) return;
    const value = map.data[unit[0] * choice.shape[2] + unit[1]];
    this.#readout.replaceChildren(
      ...rich('hover.photo', {
        x: String(x),
        y: String(y),
        rgb,
        row: unit[0],
        column: unit[1],
        value: number(value, { digits: 1 }),
      }),
    );
  }

  #leave() {
    find(this.#lines, '.rf-hover').style.display = 'none';
    document.dispatchEvent(new CustomEvent('unpool:leave'));
  }

  /** Arrows move the place by one unit of the layer. @param {KeyboardEvent} event */
  #key(event) {
    const { session, store } = this.#scene;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const { choice } = session;
    if (!step || !choice || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const at = choice.at.map((value, i) => Math.max(0, Math.min(choice.shape[i + 1] - 1, value + step[i])));
    store.set({ map: String(choice.map), at: at.join(','), seed: 'unit' });
  }

  async #answer() {
    const { root, session } = this.#scene;
    const { trace, net } = session;
    const list = find(root, '[data-classes]');
    const none = find(root, '[data-no-classes]');
    const caption = find(root, '[data-photo-caption]');
    if (!trace || !net) return list.replaceChildren();
    const why = classless(net.info.layers);
    none.hidden = why === '';
    if (why) none.textContent = t(`pred.none.${why}`);
    list.hidden = !none.hidden;
    const { photo } = session;
    caption.textContent = photo && !photo.own ? t(`sample.${photo.id}`) : '';
    if (!list.hidden) {
      const top = await session
        .once('top', () => trace.top(5))
        .catch((error) => (net.info.broken ? 'broken' : session.report(error)));
      if (!top || trace !== session.trace) return;
      if (top === 'broken') {
        caption.textContent = '';
        return list.replaceChildren(el('li', { class: 'say' }, t('import.broken.none')));
      }
      list.replaceChildren(
        ...top.map(({ label, p }) => {
          const bar = el('span');
          bar.style.width = `${100 * p}%`;
          return el(
            'li',
            {},
            el('span', { lang: 'en' }, label.split(',')[0]),
            el(
              'span',
              { class: 'num' },
              p > 0 && p < 0.0005 ? `< ${number(0.001, { digits: 3 })}` : number(p, { digits: 3 }),
            ),
            el('span', { class: 'bar' }, bar),
          );
        }),
      );
      caption.textContent = `${top[0].label.split(',')[0]}, ${number(top[0].p, { digits: 2 })}`;
    }
  }

  #progress() {
    const { root, session, store } = this.#scene;
    const { busy, progress } = session;
    const box = find(root, '[data-progress]');
    // A second photo takes a blink: only what one waits for is announced.
    const waited = performance.now() - session.busySince;
    box.hidden = !busy || (session.phase === 'ready' && waited < BLINK);
    if (busy && box.hidden) setTimeout(() => this.#progress(), BLINK - waited + 1);
    if (box.hidden) return;
    find(root, '[data-progress-title]').textContent = t(`load.${busy}`, {
      name: modelTitle(store.state.model),
    });
    const share = progress?.total ? progress.done / progress.total : 0;
    const bar = find(box, '.bar');
    bar.setAttribute('aria-valuenow', String(Math.round(100 * share)));
    find(bar, 'span').style.width = `${100 * share}%`;
    const mega = (/** @type {number} */ bytes) => number(bytes / 1e6, { digits: 1 });
    find(root, '[data-progress-text]').textContent = progress?.total
      ? t('load.bytes', { done: mega(progress.done), total: mega(progress.total), left: left(progress) })
      : t('load.wait');
  }
}

/** @param {import('../session.js').Progress} progress @returns {number} seconds left, at the speed so far */
function left({ done, total, since }) {
  return Math.max(1, Math.round(((total - done) / Math.max(1, done)) * ((performance.now() - since) / 1000)));
}
