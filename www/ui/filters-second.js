/** The second layer: projections of its maps, the grid of the first layer's stride in them, and the work that makes them. */

import { contrast, projection } from '../draw/projection.js';
import { number, rich, t } from '../words.js';
import { context2d, el, find, task } from './dom.js';
import { gridChart } from './filters-chart.js';

/** @typedef {import('./filters-study.js').Study} Study */
/** @typedef {import('./filters-study.js').Picture} Picture */

/** Times the power beside the stride's frequencies from which a grid is said to stand out (ours). */
const STANDS_OUT = 1.25;

/** Bands of a picture's spectrum that lie within 0.02 cycles per pixel of the stride's frequencies: their share. @param {number[]} line @param {number[]} frequencies */
export const share = (line, frequencies) =>
  line.reduce((sum, v, i) => {
    const f = (i + 0.5) / (2 * line.length);
    return frequencies.some((g) => Math.abs(g - f) <= 0.02) ? sum + v : sum;
  }, 0);

export class Second {
  /** @type {Map<number, { of: Picture, button: HTMLButtonElement }>} */ #made = new Map();
  /** @type {Study | undefined} */ #study;
  /** What the chart shows. @type {{ grid: unknown, as: string }} */ #drawn = { grid: undefined, as: '' };
  #root;
  #on;

  /** @param {HTMLElement} root @param {{ look: (map: number) => void, choose: (map: number) => void, go: (all: boolean) => void, stop: () => void }} on */
  constructor(root, on) {
    this.#root = root;
    this.#on = on;
    const act = (/** @type {string} */ name, /** @type {() => void} */ go) =>
      find(root, `[data-fil-act=${name}]`).addEventListener('click', go);
    act('stop', on.stop);
    act('go', () => on.go(false));
    act('all', () => on.go(true));
  }

  /** @param {Study} study @param {number} looked map of the second layer, −1 for none */
  async update(study, looked) {
    const root = this.#root;
    const { diagnosis } = study;
    if (study !== this.#study) {
      this.#study = study;
      this.#made.clear();
      find(root, '[data-fil-pictures]').replaceChildren();
    }
    if (!diagnosis) return;
    this.#run(study);
    const grid = diagnosis.aliasing;
    const stride = study.layer?.stride[0] ?? 1;
    const say = find(root, '[data-fil-second-say]');
    const key = study.second ? (stride > 1 ? 'fil.second.say' : 'fil.second.one') : 'fil.second.none';
    say.replaceChildren(...rich(key, { layer: study.second, stride, model: study.title }));
    find(root, '[data-fil-aliasing]').replaceChildren(
      ...(grid?.frequencies.length
        ? rich('fil.aliasing', {
            energy: number(100 * grid.energy, { digits: 1 }),
            excess: number(grid.excess, { digits: 2 }),
            n: grid.projections,
            verdict: t(grid.excess >= STANDS_OUT ? 'fil.grid.shows' : 'fil.grid.hidden'),
          })
        : []),
    );
    await this.#pictures(study);
    this.look(looked);
  }

  /** @param {number} map */
  look(map) {
    const study = this.#study;
    const grid = study?.diagnosis?.aliasing;
    const picture = study?.pictures.get(map);
    for (const [one, { button }] of this.#made) {
      button.setAttribute('aria-selected', String(one === map));
      button.tabIndex = one === map ? 0 : -1;
    }
    if (!this.#made.has(map)) {
      const first = this.#made.values().next().value;
      if (first) first.button.tabIndex = 0;
    }
    const place = find(this.#root, '[data-fil-gridchart]');
    place.hidden = !grid;
    const facts = find(this.#root, '[data-fil-picture-facts]');
    if (!grid) {
      facts.replaceChildren();
      return;
    }
    const most = Math.max(...grid.spectrum);
    const width = Math.max(260, place.clientWidth);
    const drawn = [map, picture?.value, width, document.documentElement.lang].join();
    if (grid === this.#drawn.grid && drawn === this.#drawn.as) return;
    this.#drawn = { grid, as: drawn };
    place.replaceChildren(
      gridChart(grid, {
        width,
        tall: 250,
        looked: picture?.line ?? null,
        lo: 0.0005,
        hi: Math.max(0.1, 1.3 * most),
      }),
    );
    facts.replaceChildren(
      ...(picture?.line
        ? rich(grid.frequencies.length ? 'fil.picture' : 'fil.picture.plain', {
            map,
            value: number(picture.value, { significant: 3 }),
            energy: number(100 * share(picture.line, grid.frequencies), { digits: 1 }),
          })
        : rich('fil.picture.how')),
    );
  }

  /** What goes on, or what could. @param {Study} study */
  #run(study) {
    const { state, done, total, source } = study;
    const box = find(this.#root, '[data-fil-run]');
    const running = state === 'running';
    const text = find(box, '[data-fil-run-text]');
    const counts = { n: study.diagnosis?.inputs ?? 0, done, total };
    const what = source === 'gallery' ? 'fil.run.gallery' : 'fil.run.photos';
    if (study.trouble) text.textContent = t('fil.run.failed', { message: study.trouble.message });
    else if (running) text.textContent = total ? t(`${what}.now`, counts) : t('fil.run.start');
    else if (state) text.textContent = t(state === 'stopped' ? 'fil.run.stopped' : `${what}.done`, counts);
    else text.textContent = '';
    text.classList.toggle('is-failed', Boolean(study.trouble));
    const bar = find(box, '.bar');
    bar.hidden = !running;
    const percent = total ? Math.round((100 * done) / total) : 0;
    bar.setAttribute('aria-valuenow', String(percent));
    /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${percent}%`;
    find(box, '[data-fil-act=stop]').hidden = !running;
    find(box, '[data-fil-act=go]').hidden = state !== 'stopped';
    const all = find(box, '[data-fil-act=all]');
    all.hidden = state !== 'done' || source !== 'photos' || study.photos > 24;
    all.textContent = t('fil.run.all');
  }

  /** Those most of whose power lies on the grid first, once all are there. @param {Study} study */
  async #pictures(study) {
    const place = find(this.#root, '[data-fil-pictures]');
    const frequencies = study.diagnosis?.aliasing?.frequencies ?? [];
    const list = [...study.pictures.values()].filter(({ line }) => line);
    const weight = new Map(list.map((one) => [one, share(one.line ?? [], frequencies)]));
    if (study.state !== 'running') list.sort((a, b) => (weight.get(b) ?? 0) - (weight.get(a) ?? 0) || a.map - b.map);
    let made = 0;
    const nodes = [];
    for (const picture of list) {
      const old = this.#made.get(picture.map);
      if (old?.of === picture) {
        nodes.push(old.button);
        continue;
      }
      const button = this.#make(picture, study);
      this.#made.set(picture.map, { of: picture, button });
      nodes.push(button);
      made += 1;
      if (made % 16 === 0) await task();
      if (study !== this.#study) return;
    }
    if (nodes.length !== place.children.length || nodes.some((node, i) => place.children[i] !== node))
      place.replaceChildren(...nodes);
  }

  /** @param {Picture} picture @param {Study} study */
  #make({ map, pixels, value }, study) {
    const canvas = el('canvas');
    const label = t('fil.picture.label', { map, layer: study.second, value: number(value, { significant: 3 }) });
    const button = el('button', { type: 'button', role: 'option', title: label, 'aria-label': label }, canvas);
    button.dataset.map = String(map);
    const [, height, width] = pixels.shape;
    const rect = /** @type {[number, number, number, number]} */ ([0, 0, height, width]);
    const { max, auto } = contrast(pixels.data, pixels.shape, rect);
    const { order } = study.net.info.input;
    projection(context2d(canvas), pixels.data, { shape: pixels.shape, rect, order, gain: auto, max });
    button.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && this.#on.look(map));
    button.addEventListener('focus', () => button.matches(':focus-visible') && this.#on.look(map));
    button.addEventListener('click', () => this.#on.choose(map));
    return button;
  }
}
