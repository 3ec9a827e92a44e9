/** The evolution of features (ZF14 Fig. 4): maps by epochs, each cell the projection of the strongest response over the training images. */

import { Job } from '../job.js';
import { number, rich, t } from '../words.js';
import { context2d, el, find, task } from './dom.js';
import { inside } from './training-course.js';
import { middle, windowOf } from './training-data.js';

/** @typedef {import('./training.js').Scene} Scene */
/** @typedef {import('./training-course.js').Course} Course */
/** @typedef {import('./training-course.js').Checkpoint} Checkpoint */
/** @typedef {import('./training-course.js').Inside} Inside */
/** @typedef {import('./training-course.js').Cell} Cell */

/** Maps that are followed where nobody chose any, out of so many at most. */
const [ROWS, ASKED] = [6, 64];

export class Evolution {
  #scene;
  #root;
  #job = new Job();
  /** Cells by checkpoint, of the layer, maps and number of images in `#of`. @type {Map<Checkpoint, Cell[]>} */ #columns =
    new Map();
  #of = '';
  /** @type {number[]} */ #maps = [];
  /** @type {import('../types.d.ts').TrainingData | undefined} */ #data;
  /** @type {{ done: number, total: number } | undefined} */ #reading;
  #drawn = '';

  /** @param {Scene} scene @param {HTMLElement} root */
  constructor(scene, root) {
    this.#scene = scene;
    this.#root = root;
    const { store } = scene;
    this.#job.addEventListener('change', () => scene.update());
    find(root, '[data-evo-layer]').addEventListener('change', (event) =>
      store.set({ feature: /** @type {HTMLSelectElement} */ (event.target).value, features: '' }),
    );
    find(root, '[data-evo-images]').addEventListener('change', (event) =>
      store.set({ images: /** @type {HTMLSelectElement} */ (event.target).value }),
    );
    const maps = /** @type {HTMLInputElement} */ (find(root, '[data-evo-maps]'));
    maps.addEventListener('change', () => {
      const list = maps.value.match(/\d+/g) ?? [];
      const fine = list.length <= 12 && !/[^\d\s,;]/.test(maps.value);
      maps.setAttribute('aria-invalid', String(!fine));
      if (fine) store.set({ features: list.join() });
    });
    root.addEventListener('click', (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const act = target.closest('[data-evo-act]')?.getAttribute('data-evo-act');
      if (act === 'stop') this.#job.stop();
      if (act === 'go') this.#job.phase === 'failed' ? this.#job.again() : this.#job.resume();
      const cell = /** @type {HTMLElement | null} */ (target.closest('[data-at]'));
      if (cell)
        this.#open(Number(cell.dataset.at), Number(cell.dataset.row)).catch((error) => scene.session.report(error));
      const head = /** @type {HTMLElement | null} */ (target.closest('[data-epoch]'));
      if (head) store.set({ epoch: head.dataset.epoch ?? '' });
    });
  }

  /** @param {boolean} looked */
  attend(looked) {
    this.#job.attend(looked);
  }

  /** Which layer is followed. @param {Inside} known */
  #layer({ layers }) {
    const { feature } = this.#scene.store.state;
    const all = layers.filter(({ kind }) => kind === 'conv');
    return layers.find(({ name }) => name === feature) ?? all[all.length - 1];
  }

  /** Layer and maps for columns that somebody else makes. @param {Inside} known @returns {import('../types.d.ts').EvolutionOptions | undefined} */
  wanted(known) {
    const layer = this.#layer(known);
    if (!layer) return undefined;
    const { features, images } = this.#scene.store.state;
    const maps = features
      ? features
          .split(',')
          .map(Number)
          .filter((map) => map < layer.shape[0])
      : this.#maps;
    return maps.length && (features || this.#of.startsWith(`${layer.name},`))
      ? { layer: layer.name, maps, images: Number(images) }
      : undefined;
  }

  /** @param {Course} course @param {Checkpoint | undefined} looked @param {Inside} known @param {Cell[] | undefined} now cells of the last checkpoint, if it is under way */
  async update(course, looked, known, now) {
    const { store, sets } = this.#scene;
    const layer = this.#layer(known);
    const root = this.#root;
    const set = sets.has(course.data) ? course.data : sets.own?.idx && course.data !== 'pool' ? 'own' : course.data;
    const can = Boolean(layer) && (sets.has(set) || Boolean(course.learned));
    find(root, '[data-evo-none]').hidden = can;
    for (const part of ['[data-evo-some]', '[data-evo-more]']) find(root, part).hidden = !can;
    if (!layer || !can) {
      find(root, '[data-evo-none]').replaceChildren(
        ...rich(layer ? (course.data === 'cifar10' ? 'tr.evo.data.cifar10' : 'tr.evo.data') : 'tr.evo.layer', {
          set: course.data,
        }),
      );
      return;
    }
    const { features, images } = store.state;
    const of = [layer.name, features, images, set, course.name, course.run].join();
    if (of !== this.#of) {
      this.#of = of;
      this.#columns = new Map();
      this.#maps = [];
    }
    const all = course.checkpoints.filter(({ epoch }) => epoch !== null);
    if (all.length) {
      const key = [of, ...all.map(({ epoch }) => epoch)].join();
      this.#job.begin(key, (signal) => this.#work(signal, course, all, known, layer, set));
    }
    this.#controls(known, layer, set);
    await this.#draw(course, looked, now);
  }

  /**
   * @param {AbortSignal} signal @param {Course} course @param {Checkpoint[]} all @param {Inside} known @param {{ name: string, shape: number[] }} layer @param {string} set
   * @returns {AsyncGenerator<number, void, void>}
   */
  async *#work(signal, course, all, known, layer, set) {
    const { sets, store } = this.#scene;
    const lab = await this.#scene.lab();
    const columns = this.#columns;
    const images = Number(store.state.images);
    const onprogress = (/** @type {number} */ done, /** @type {number} */ total) => {
      this.#reading = { done, total };
      this.#scene.update();
    };
    const data = course.learned ?? (await sets.open(lab, set, known.input, { onprogress }, images));
    this.#reading = undefined;
    this.#data = data;
    if (signal.aborted) return;
    let wanted = store.state.features ? store.state.features.split(',').map(Number) : this.#maps;
    const missing = wanted.find((map) => map >= layer.shape[0]);
    if (missing !== undefined) throw new Error(t('tr.evo.map', { layer: layer.name, map: missing, n: layer.shape[0] }));
    if (!wanted.length) {
      const maps = Array.from({ length: Math.min(ASKED, layer.shape[0]) }, (_, map) => map);
      const last = all[all.length - 1];
      for await (const part of lab.evolve(await last.source(), data, { layer: layer.name, maps, images }, { signal })) {
        yield part.fraction / (all.length + 1);
        if (!part.done) continue;
        const best = different([...part.cells].sort((a, b) => b.value - a.value));
        columns.set(last, best);
        wanted = best.map(({ map }) => map);
        this.#maps = wanted;
      }
    }
    const left = all.filter((one) => !columns.has(one));
    for (const [i, one] of left.entries())
      for await (const part of lab.evolve(
        await one.source(),
        data,
        { layer: layer.name, maps: wanted, images },
        { signal },
      )) {
        if (part.done) columns.set(one, part.cells);
        yield (1 + i + part.fraction) / (left.length + 1);
      }
  }

  /** @param {Inside} known @param {{ name: string, shape: number[] }} layer @param {string} set */
  #controls({ layers }, layer, set) {
    const root = this.#root;
    const { state } = this.#scene.store;
    const pick = /** @type {HTMLSelectElement} */ (find(root, '[data-evo-layer]'));
    const names = layers.filter(({ kind }) => kind === 'conv').map(({ name }) => name);
    if (pick.dataset.for !== names.join()) {
      pick.dataset.for = names.join();
      pick.replaceChildren(...names.map((name) => el('option', {}, name)));
    }
    pick.value = layer.name;
    const images = /** @type {HTMLSelectElement} */ (find(root, '[data-evo-images]'));
    if (![...images.options].some(({ value }) => value === state.images))
      images.append(el('option', { value: state.images }));
    for (const option of images.options) option.textContent = number(Number(option.value));
    images.value = state.images;
    const maps = /** @type {HTMLInputElement} */ (find(root, '[data-evo-maps]'));
    const shown = this.#maps.length ? this.#maps : state.features.split(',');
    if (document.activeElement !== maps && maps.getAttribute('aria-invalid') !== 'true') maps.value = shown.join(', ');
    const n = Math.min(Number(state.images), this.#data?.info.train ?? Number(state.images));
    find(root, '[data-evo-say]').textContent = t('tr.evo.say', { n });
    find(root, '[data-evo-title]').replaceChildren(
      ...rich('tr.evo.title', { layer: layer.name, n: shown.filter((one) => one !== '').length || ROWS }),
    );
    const { phase, fraction, error } = this.#job;
    const line = find(root, '[data-evo-run]');
    line.classList.toggle('is-failed', phase === 'failed');
    line.textContent =
      phase === 'failed'
        ? /** @type {Error} */ (error).message
        : phase === 'running' && this.#reading
          ? t('tr.reading', {
              set: t(`tr.data.${set}`),
              share: Math.round((100 * this.#reading.done) / (this.#reading.total || 1)),
            })
          : phase === 'running' || phase === 'stopped'
            ? t(`tr.evo.${phase}`, { share: Math.round(100 * fraction) })
            : '';
    find(root, '[data-evo-act=stop]').hidden = phase !== 'running';
    find(root, '[data-evo-act=go]').hidden = phase !== 'stopped' && phase !== 'failed';
  }

  /** @param {Course} course @param {Checkpoint | undefined} looked @param {Cell[] | undefined} now */
  async #draw(course, looked, now) {
    const all = course.checkpoints;
    const columns = all.map((one) => (one.epoch === null ? now : this.#columns.get(one)) ?? []);
    const maps = (columns.find(({ length }) => length) ?? []).map(({ map }) => map);
    const at = all.findIndex(({ epoch }) => epoch === looked?.epoch);
    this.#furnish(all, maps);
    const grid = find(this.#root, '[data-evo-grid]');
    for (const head of /** @type {NodeListOf<HTMLElement>} */ (grid.querySelectorAll('[data-epoch]')))
      if (Number(head.dataset.i) === at) head.setAttribute('aria-current', 'step');
      else head.removeAttribute('aria-current');
    for (const [row, map] of maps.entries()) {
      for (const [i, cells] of columns.entries()) {
        const button = /** @type {HTMLButtonElement} */ (find(grid, `[data-at="${i}"][data-row="${row}"]`));
        button.classList.toggle('is-now', i === at);
        this.#cell(button, all[i].epoch ?? t('tr.now'), cells[row], columns[i - 1]?.[row]);
      }
      const winner = columns[at]?.[row];
      const canvas = /** @type {HTMLCanvasElement} */ (find(grid, `[data-winner="${row}"]`));
      canvas.hidden = !winner;
      if (winner) this.#paint(canvas, winner.patch);
      canvas.setAttribute('aria-label', winner ? t('tr.evo.winner.label', { map, image: winner.image }) : '');
      if (row % 2) await task();
    }
  }

  /** The empty grid. @param {Checkpoint[]} all @param {number[]} maps */
  #furnish(all, maps) {
    const grid = find(this.#root, '[data-evo-grid]');
    const key = [this.#of, document.documentElement.lang, maps, ...all.map(({ epoch }) => epoch)].join();
    if (key === this.#drawn) return;
    this.#drawn = key;
    grid.style.setProperty('--cols', String(all.length));
    const heads = all.map(({ epoch }, i) => {
      // The last one is what is looked at where no epoch is named.
      const name = i === all.length - 1 ? '' : String(epoch);
      const words = epoch === null ? t('tr.now') : String(epoch);
      return el('button', { type: 'button', class: 'evo-epoch num', 'data-epoch': name, 'data-i': i }, words);
    });
    const rows = maps.flatMap((map, row) => [
      el('span', { class: 'sub num' }, t('tr.evo.row', { map })),
      ...all.map((_, i) =>
        el(
          'button',
          {
            ...{ type: 'button', class: 'evo-cell', 'data-at': i, 'data-row': row, disabled: true },
            'aria-label': t('tr.evo.row', { map }),
          },
          el('canvas'),
        ),
      ),
      el('span', { class: 'evo-winner' }, el('canvas', { role: 'img', 'data-winner': row, hidden: true })),
    ]);
    const end = el('span', { class: 'sub evo-winner' }, t('tr.evo.winner'));
    grid.replaceChildren(el('span', { class: 'sub' }, t('tr.k.epoch')), ...heads, end, ...rows);
  }

  /** @param {HTMLButtonElement} button @param {number | string} epoch @param {Cell | undefined} cell @param {Cell | undefined} before */
  #cell(button, epoch, cell, before) {
    button.disabled = !cell;
    const jump = Boolean(cell && before && before.image !== cell.image);
    button.classList.toggle('is-jump', jump);
    if (!cell) return;
    const { map, image, value } = cell;
    button.title = t(jump ? 'tr.evo.cell.jump' : 'tr.evo.cell', {
      ...{ map, epoch, image, value: number(value, { significant: 3 }) },
    });
    button.setAttribute('aria-label', button.title);
    this.#paint(/** @type {HTMLCanvasElement} */ (button.firstElementChild), cell.picture);
  }

  /** @type {WeakMap<HTMLCanvasElement, ImageData>} */ #painted = new WeakMap();

  /** @param {HTMLCanvasElement} canvas @param {ImageData} image */
  #paint(canvas, image) {
    if (this.#painted.get(canvas) === image) return;
    this.#painted.set(canvas, image);
    canvas.width = image.width;
    canvas.height = image.height;
    context2d(canvas).putImageData(image, 0, 0);
  }

  /** A cell in Explore: that checkpoint, that image, that unit. @param {number} i @param {number} row */
  async #open(i, row) {
    const { course, now } = this.#scene;
    const checkpoint = course()?.checkpoints[i];
    const cell = checkpoint && (checkpoint.epoch === null ? now() : this.#columns.get(checkpoint))?.[row];
    const data = this.#data;
    const { engine } = this.#scene.session;
    if (!checkpoint || !cell || !data || !engine) return;
    const known = await inside(engine, checkpoint);
    const unit = { layer: this.#layer(known)?.name ?? '', map: String(cell.map), at: cell.at.join() };
    if (course()?.data === 'pool')
      return this.#scene.explore(checkpoint, { ...unit, photo: await windowOf(cell.image) });
    const { image } = await data.image(cell.image);
    await this.#scene.explore(checkpoint, unit, {
      image: middle(image, known.input),
      name: t('tr.image', { n: cell.image }),
    });
  }
}

/** The first few of different images, as far as there are: one photo may excite half of the maps. @param {Cell[]} cells */
function different(cells) {
  const first = cells.filter(({ image }, i) => cells.findIndex((one) => one.image === image) === i);
  return [...first, ...cells.filter((cell) => !first.includes(cell))].slice(0, ROWS);
}
