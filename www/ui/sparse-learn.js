/** Chapter 4: strokes learned from photos, drawn as they form. */

import { Job } from '../job.js';
import { number, rich, t } from '../words.js';
import { download, el, find, task } from './dom.js';
import { credits } from './gallery-source.js';
import { learned } from './sparse-chart.js';
import { stroke } from './sparse-code.js';
import { Controls } from './sparse-controls.js';
import { facts } from './sparse-facts.js';
import { RunLine } from './sparse-run.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('../types.d.ts').Learning} Learning */
/** @typedef {import('../types.d.ts').LearnPart} LearnPart */

const POOL = new URL('../pool/', import.meta.url);
const ATOMS = [6, 9, 12, 15, 18, 24, 30, 36, 48];
const PASSES = [1, 2, 3, 5, 8, 12, 20, 30, 50];
const SHOTS = [4, 8, 12, 16, 24, 32, 48, 64, 96];
/** Photos between updates: few, so that the strokes are seen to form. */
const BATCH = 2;
/** Share of the time that reading the photos takes. */
const READING = 0.1;

export class Learn {
  #scene;
  #panel;
  #job = new Job();
  #run;
  #controls;
  /** @type {Learning | undefined} */ #learning;
  /** @type {LearnPart | undefined} */ #part;
  #passes = 0;
  /** The visitor's own photos. @type {File[]} */ #files = [];

  /** @param {Scene} scene @param {HTMLElement} panel */
  constructor(scene, panel) {
    this.#scene = scene;
    this.#panel = panel;
    const { store } = scene;
    this.#run = new RunLine(find(panel, '[data-spa-run]'), this.#job, {
      waits: () => t('spa.learn.waits'),
      begin: () => this.#begin(),
    });
    this.#job.addEventListener('change', () => scene.redraw());
    /** @param {'atoms' | 'passes' | 'shots'} key @param {number[]} values */
    const slide = (key, values) => ({
      values,
      read: () => Number(store.state[key]),
      write: (/** @type {number} */ value) => ({ [key]: String(value) }),
      show: (/** @type {number} */ value) => number(value),
    });
    this.#controls = new Controls(panel, store, {
      atoms: slide('atoms', ATOMS),
      passes: slide('passes', PASSES),
      shots: slide('shots', SHOTS),
    });
    const input = /** @type {HTMLInputElement} */ (find(panel, '[data-spa-files]'));
    input.addEventListener('change', () => {
      this.#files = [...(input.files ?? [])];
      input.value = '';
      scene.redraw();
    });
    panel.addEventListener('click', (event) => {
      const act = /** @type {HTMLElement} */ (event.target).closest('[data-spa-act]')?.getAttribute('data-spa-act');
      if (act === 'files') input.click();
      if (act === 'pool') this.#files = [];
      if (act === 'use') this.#use().catch((error) => scene.session.report(error));
      if (act === 'save') this.#save().catch((error) => scene.session.report(error));
      if (act) scene.redraw();
    });
  }

  /** @param {boolean} looked */
  attend(looked) {
    this.#job.attend(looked);
  }

  #begin() {
    const { state } = this.#scene.store;
    const key = [state.atoms, state.passes, state.shots, state.colour, this.#files.map(({ name }) => name)].join();
    this.#job.forget();
    this.#job.begin(key, (signal) => this.#work(signal, { ...state }, this.#files));
  }

  /** @param {AbortSignal} signal @param {import('../state.js').State} state @param {File[]} files @returns {AsyncGenerator<number, void, void>} */
  async *#work(signal, state, files) {
    this.#part = undefined;
    this.#passes = Number(state.passes);
    const lab = await this.#scene.lab();
    /** @type {Blob[]} */
    let photos = files;
    if (!files.length) {
      photos = [];
      const names = await this.#pool(Number(state.shots));
      for (const name of names) {
        const answer = await fetch(new URL(name, POOL), { signal });
        if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
        photos.push(await answer.blob());
        yield (READING * photos.length) / names.length;
      }
    }
    const options = {
      layers: 1,
      maps: [Number(state.atoms)],
      colour: state.colour === 'on',
      epochs: this.#passes,
      batch: BATCH,
    };
    const learning = await lab.learn(photos, options, { signal });
    this.#learning?.close();
    this.#learning = learning;
    for await (const part of learning.run({ signal })) {
      // Before the first strokes are drawn there is nothing to show.
      if (part?.filters) this.#part = part;
      yield READING + (1 - READING) * (part?.fraction ?? 0);
    }
  }

  /** So many of the page's photographs, spread over all of them: a link learns from the same ones. @param {number} count */
  async #pool(count) {
    const names = [...(await credits()).keys()].sort();
    return Array.from({ length: count }, (_, i) => names[Math.floor((i * names.length) / count)]);
  }

  async update() {
    this.#controls.update();
    this.#run.update();
    find(this.#panel, '[data-spa-source]').replaceChildren(
      ...(this.#files.length
        ? rich('spa.learn.files', { n: this.#files.length })
        : rich('spa.learn.pool', { n: Number(this.#scene.store.state.shots) })),
    );
    /** @type {HTMLElement} */ (find(this.#panel, '[data-spa-act=pool]')).hidden = !this.#files.length;
    find(this.#panel, '[data-spa-shots]').hidden = this.#files.length > 0;
    const done = this.#part !== undefined && this.#part.objective.length > 0;
    /** @type {HTMLElement} */ for (const act of ['use', 'save'])
      find(this.#panel, `[data-spa-act=${act}]`).hidden = !done;
    await this.#draw();
  }

  async #draw() {
    const part = this.#part;
    const box = find(this.#panel, '[data-spa-strokes]');
    find(this.#panel, '[data-spa-formed]').hidden = !part;
    if (!part) return;
    const [maps] = part.filters.shape;
    while (box.children.length > maps) box.lastElementChild?.remove();
    while (box.children.length < maps) box.append(el('canvas', { class: 'pixels' }));
    for (const [map, canvas] of [...box.children].entries()) {
      stroke(/** @type {HTMLCanvasElement} */ (canvas), part.filters, map);
      if (map % 12 === 11) await task();
    }
    learned(find(this.#panel, '[data-spa-chart]'), part.objective, this.#passes);
    const [unused, twins] = part.reseeded;
    /** @type {[string, string, string][]} */
    const rows = [
      [t('spa.learn.fact.passes'), `${part.passes}`, t('spa.learn.fact.of', { n: this.#passes, photos: part.photos })],
      [t('spa.learn.fact.reseeded'), number(unused + twins), t('spa.learn.fact.why', { unused, twins })],
    ];
    facts(find(this.#panel, '[data-spa-facts]'), rows);
  }

  /** Codes the photo in what was learned. */
  async #use() {
    if (!this.#learning) return;
    this.#scene.dictionaries.use(await this.#learning.dictionary());
    this.#scene.store.set({ chapter: 'code', strength: '', channel: '' });
  }

  async #save() {
    if (!this.#learning) return;
    const dictionary = await this.#learning.dictionary();
    download(/** @type {BlobPart} */ (await dictionary.bytes()), 'application/octet-stream', 'dictionary.safetensors');
    dictionary.close();
  }
}
