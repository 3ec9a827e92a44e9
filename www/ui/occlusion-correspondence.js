/** Correspondence (ZF14 Table 1): the same part hidden in several faces; do the features change in the same way? */

import { PhotoError } from '../photo.js';
import { rich, t } from '../words.js';
import { arrowKeys, context2d, el, find } from './dom.js';
import { table } from './occlusion-delta.js';
import { Faces, MOST } from './occlusion-faces.js';
import { compared, further, watched } from './occlusion-invariance-sets.js';

/** @typedef {import('./occlusion.js').Scene} Scene */
/** @typedef {import('./occlusion-faces.js').Face} Face */
/** @typedef {import('../types.d.ts').CorrespondencePart} Part */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */

const DRAWS = 10;
/** Milliseconds without a change after which a new comparison is worth its while. */
const SETTLED = 150;

/** The first and the last features, and one between. @param {LayerInfo[]} layers @returns {string[]} */
function usual(layers) {
  const relus = layers.filter(({ kind }) => kind === 'relu' || kind === 'concat').map(({ name }) => name);
  return watched(layers, relus[Math.floor((relus.length - 1) / 2)] ?? '');
}

export class Correspondence {
  #scene;
  #root;
  #faces = new Faces();
  /** @type {Part | undefined} */ #part;
  #abort = new AbortController();
  #key = '';
  #chosen = '';
  #shown = '';
  /** @type {'idle' | 'running' | 'stopped' | 'done' | 'failed'} */ #phase = 'idle';
  /** @type {unknown} */ #error;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #settle;

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    this.#root = find(scene.root, '[data-cor]');
    const { store, root } = scene;
    const parts = find(this.#root, '[data-cor-parts]');
    arrowKeys(parts, '[role=radio]');
    parts.addEventListener('click', (event) => {
      const part = /** @type {HTMLElement} */ (event.target).closest('[data-part]')?.getAttribute('data-part');
      if (part) store.set({ part });
    });
    find(this.#root, '[data-cor-faces]').addEventListener('click', (event) => this.#click(event));
    find(root, '[data-occ-photo]').addEventListener('click', (event) => {
      const face = this.#faces.all.find(({ id }) => id === this.#chosen);
      if (store.state.experiment === 'correspondence' && face) this.#mark(face, event, find(root, '[data-occ-photo]'));
    });
    const files = /** @type {HTMLInputElement} */ (find(this.#root, '[data-cor-file]'));
    files.addEventListener('change', async () => {
      const { refused, left } = await this.#faces.add(files.files ?? []);
      files.value = '';
      // Each by itself: one that cannot be read says nothing about the others.
      for (const error of refused)
        if (error instanceof PhotoError) scene.session.notice('notice.face', { name: error.values.name });
        else scene.session.report(error);
      if (left) scene.session.notice('notice.faces', { n: left, most: MOST });
      this.#chosen = this.#faces.all.at(-1)?.id ?? '';
      this.update();
    });
    const side = /** @type {HTMLInputElement} */ (find(this.#root, '[data-cor-side]'));
    side.addEventListener('input', () => store.set({ side: side.value }));
    const more = /** @type {HTMLSelectElement} */ (find(this.#root, '[data-cor-layer]'));
    more.addEventListener('change', () => store.set({ layers: [...this.#layers(), more.value].join() }));
    this.#root.addEventListener('click', (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const gone = target.closest('[data-cor-drop]')?.getAttribute('data-cor-drop');
      if (gone)
        store.set({
          layers: this.#layers()
            .filter((name) => name !== gone)
            .join(),
        });
      const act = target.closest('[data-cor-act]')?.getAttribute('data-cor-act');
      if (act === 'stop') this.#stop('stopped');
      if (act === 'again') this.#run();
    });
  }

  /** Ends what runs: the tab was left. The traces go with it. */
  leave() {
    if (!this.#key) return;
    this.#stop('idle');
    this.#shown = '';
    this.#key = '';
    this.#faces.forget();
  }

  /** @param {'stopped' | 'idle'} phase */
  #stop(phase) {
    clearTimeout(this.#settle);
    this.#abort.abort();
    if (this.#phase === 'running') this.#phase = phase;
    this.#draw();
  }

  /** The layers compared: those of the state that this network has. @returns {string[]} */
  #layers() {
    const all = this.#scene.session.net?.info.layers ?? [];
    return compared(this.#scene.store.state.layers, all, usual(all));
  }

  async update() {
    const { session, store } = this.#scene;
    const { net, trace } = session;
    if (!net || !trace || store.state.experiment !== 'correspondence') return;
    try {
      await this.#faces.load();
    } catch (error) {
      return session.report(error);
    }
    this.#chosen ||= this.#faces.all[0]?.id ?? '';
    const { part, side, marks } = store.state;
    const layers = this.#layers();
    const ids = this.#faces.all.map((face) => [face.id, this.#at(face)].join());
    const key = [net.info.name, trace.milliseconds, part, side, marks, layers, ids].join(';');
    if (key !== this.#key) {
      this.#key = key;
      clearTimeout(this.#settle);
      this.#abort.abort();
      this.#settle = setTimeout(() => this.#run(), SETTLED);
    }
    this.#draw();
  }

  /** Where a face's part is, in shares of the middle square: where the link puts it, else where it was marked. @param {Face} face @returns {[number, number] | undefined} */
  #at({ id, marks }) {
    const { state } = this.#scene.store;
    const moved = state.marks
      .split(';')
      .map((one) => one.split(':'))
      .find(([whose]) => whose === `${id}-${state.part}`);
    const at = (moved?.[1] ?? '').split(',').map((share) => Number(share) / 1000);
    const good = moved && at.length === 2 && at.every((share) => share >= 0 && share <= 1);
    return good ? /** @type {[number, number]} */ (at) : marks[state.part];
  }

  #side() {
    const [, height, width] = this.#scene.session.net?.info.input.shape ?? [0, 1, 1];
    const most = Math.min(height, width);
    return Math.min(most, Number(this.#scene.store.state.side) || Math.max(1, Math.round(most / 7)));
  }

  /** The part of a face in pixels of the input. @param {Face} face @returns {[number, number, number, number] | undefined} */
  #rect(face) {
    const at = this.#at(face);
    const [, height, width] = face.trace?.shape ?? [0, 0, 0];
    if (!at || !height) return undefined;
    const side = this.#side();
    const from = (/** @type {number} */ share, /** @type {number} */ n) =>
      Math.max(0, Math.min(n - side, Math.round(share * n - side / 2)));
    const [y, x] = [from(at[0], height), from(at[1], width)];
    return [y, x, y + side, x + side];
  }

  async #run() {
    const { net } = this.#scene.session;
    if (!net) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#phase = 'running';
    this.#part = undefined;
    this.#error = undefined;
    this.#draw();
    try {
      await this.#faces.run(net, signal);
      if (signal.aborted) return;
      this.#draw();
      const marked = this.#faces.all.filter((face) => this.#rect(face));
      if (marked.length < 2) {
        this.#phase = 'idle';
        return this.#draw();
      }
      const marks = marked.map((face) => ({
        trace: /** @type {import('../types.d.ts').Trace} */ (face.trace),
        part: /** @type {[number, number, number, number]} */ (this.#rect(face)),
      }));
      const options = { layers: this.#layers(), random: DRAWS };
      for await (const part of net.correspondence(marks, options, { signal })) {
        if (signal.aborted) return;
        this.#part = part;
        this.#draw();
      }
      this.#phase = 'done';
    } catch (error) {
      if (signal.aborted) return;
      this.#error = error;
      this.#phase = 'failed';
    }
    this.#draw();
  }

  /** @param {MouseEvent} event on the faces: a cross removes, a click on the picture marks */
  #click(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const id = target.closest('[data-face]')?.getAttribute('data-face');
    const face = this.#faces.all.find((one) => one.id === id);
    if (!face) return;
    if (target.closest('[data-gone]')) {
      this.#faces.remove(face.id);
      if (this.#chosen === face.id) this.#chosen = '';
      return void this.update();
    }
    this.#chosen = face.id;
    const canvas = target.closest('canvas');
    // From the keyboard a click has no place: it only chooses the face, the arrow keys then move the mark.
    if (canvas && event.detail > 0) this.#mark(face, event, canvas);
    else this.#draw();
  }

  /** @param {Face} face @param {MouseEvent} event @param {Element} picture shows the whole face */
  #mark(face, event, picture) {
    const box = picture.getBoundingClientRect();
    this.#move(face, (event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
  }

  /** @param {Face} face @param {number} y @param {number} x shares */
  #move(face, y, x) {
    const { store } = this.#scene;
    const { part, marks } = store.state;
    const [top, left] = [y, x].map((share) => Math.max(0, Math.min(1, share)));
    if (face.own) {
      // A photo of the visitor's own is no part of a link, and so are its marks.
      face.marks[part] = [top, left];
      return void this.update();
    }
    const mine = `${face.id}-${part}`;
    const others = marks.split(';').filter((one) => one && one.split(':')[0] !== mine);
    store.set({ marks: [...others, `${mine}:${Math.round(1000 * top)},${Math.round(1000 * left)}`].join(';') });
  }

  /** Arrow keys move the mark of the chosen face by a pixel of the input. @param {number} down @param {number} across */
  step(down, across) {
    const face = this.#faces.all.find(({ id }) => id === this.#chosen);
    const [y, x] = (face && this.#at(face)) ?? [0.5, 0.5];
    const [, height, width] = face?.trace?.shape ?? [0, 1, 1];
    if (face) this.#move(face, y + down / height, x + across / width);
  }

  #draw() {
    const { session, store, root } = this.#scene;
    const { net } = session;
    const { state } = store;
    if (!net || state.experiment !== 'correspondence') return;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (this.#root.querySelectorAll('[data-part]'))) {
      const on = button.dataset.part === state.part;
      button.setAttribute('aria-checked', String(on));
      button.tabIndex = on ? 0 : -1;
    }
    const side = /** @type {HTMLInputElement} */ (find(this.#root, '[data-cor-side]'));
    side.max = String(Math.round(Math.min(...net.info.input.shape.slice(1)) / 2));
    side.value = String(this.#side());
    find(this.#root, '[data-cor-side-value]').textContent = t('occ.px', { n: this.#side() });
    const layers = this.#layers();
    find(this.#root, '[data-cor-layer]').replaceChildren(...further(net.info.layers, layers));
    this.#status();
    this.#show(root);
    table(this.#root, layers, this.#part, t(`cor.part.${state.part}`), this.#phase === 'done');
  }

  #status() {
    const marked = this.#faces.all.filter((face) => this.#at(face)).length;
    const round = Math.floor((this.#part?.fraction ?? 0) * (1 + DRAWS));
    const status = find(this.#root, '[data-cor-status]');
    const key = this.#phase === 'idle' && marked < 2 ? 'few' : this.#phase;
    const message = this.#error instanceof Error ? this.#error.message : String(this.#error ?? '');
    status.replaceChildren(...rich(`cor.run.${key}`, { n: marked, round, draws: DRAWS, message }));
    const act = this.#phase === 'running' ? 'stop' : key === 'idle' || key === 'few' ? '' : 'again';
    const acts = find(this.#root, '[data-cor-acts]');
    const button = /** @type {HTMLElement | null} */ (acts.firstElementChild);
    if (button?.dataset.corAct === act) return;
    acts.replaceChildren(
      ...(act ? [el('button', { type: 'button', class: 'link', 'data-cor-act': act }, t(`cor.act.${act}`))] : []),
    );
  }

  /** The faces, and the chosen one large. @param {HTMLElement} root */
  #show(root) {
    const seen = this.#faces.all.map((face) => [face.id, this.#rect(face), face.trace?.milliseconds].join());
    const key = [seen.join(';'), this.#chosen, this.#partName, document.documentElement.lang].join();
    if (key === this.#shown) return;
    this.#shown = key;
    const list = find(this.#root, '[data-cor-faces]');
    const tiles = this.#faces.all.map((face) => {
      const name = face.own ? face.name : t(`face.${face.id}`);
      const canvas = el('canvas', { role: 'img', 'aria-label': name });
      this.#paint(canvas, face);
      const at = this.#at(face);
      const about = at ? (face.own ? '' : face.credit) : t('cor.unmarked', { part: t(`cor.part.${this.#partName}`) });
      const words = [el('span', {}, name), el('span', { class: 'sub' }, about)];
      const chosen = face.id === this.#chosen;
      const pick = el('button', { type: 'button', 'aria-pressed': String(chosen) }, canvas, ...words);
      const gone = el('button', { type: 'button', class: 'link', 'data-gone': true }, t('cor.remove'));
      return el('li', { 'data-face': face.id }, pick, ...(this.#faces.all.length > 2 ? [gone] : []));
    });
    const held = list.contains(document.activeElement);
    list.replaceChildren(...tiles);
    if (held) /** @type {HTMLElement | null} */ (list.querySelector('[aria-pressed=true]'))?.focus();
    const face = this.#faces.all.find(({ id }) => id === this.#chosen);
    if (face) this.#paint(/** @type {HTMLCanvasElement} */ (find(root, '[data-occ-canvas]')), face);
    find(root, '[data-occ-at]').textContent = face
      ? `${face.own ? face.name : t(`face.${face.id}`)}: ${t('cor.click', { part: t(`cor.part.${this.#partName}`) })}`
      : '';
  }

  get #partName() {
    return this.#scene.store.state.part;
  }

  /** The face as the network is given it, its part framed. @param {HTMLCanvasElement} canvas @param {Face} face */
  #paint(canvas, face) {
    const photo = face.trace?.photo;
    if (!photo) return;
    if (canvas.width !== photo.width || canvas.height !== photo.height) {
      canvas.width = photo.width;
      canvas.height = photo.height;
    }
    const pen = context2d(canvas);
    pen.putImageData(photo, 0, 0);
    const rect = this.#rect(face);
    if (!rect) return;
    const [y0, x0, y1, x1] = rect;
    for (const [colour, width] of /** @type {const} */ ([
      ['#000', 3.5],
      ['#fff', 1.5],
    ])) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
  }
}
