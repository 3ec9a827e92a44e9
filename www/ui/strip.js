/**
 * Step 2: the network as in the paper's Fig. 1, live. Above, the way up: sheets shrink and stacks deepen. Below, the way back
 * of the chosen unit, cropped to what it sees: one cell, then a blob, a lattice at each unpooling, at last pixels.
 */

import { ink, reduce } from '../draw/ink.js';
import { patch } from '../draw/patch.js';
import { contrast, projection } from '../draw/projection.js';
import { signal } from '../draw/signal.js';
import { number, rich, t } from '../words.js';
import { breath, context2d, el, find, inks, task } from './dom.js';

/** @typedef {import('./explore.js').Scene} Scene */
/** @typedef {import('../stages.js').Stage} Stage */
/** @typedef {import('../facts.js').Choice} Choice */

/** Pixels of the pictures in the strip; they are 54 to 90 CSS pixels wide. */
const SIDE = 64;

/** @param {readonly number[]} shape */
const size = ([c, h, w]) => (h * w === 1 ? String(c) : h === w ? `${c}×${h}²` : `${c}×${h}×${w}`);

export class Strip {
  #scene;
  #root;
  #within;
  #pick;
  /** @type {HTMLElement[]} first the pixels, then one a stage */
  #columns = [];
  /** @type {unknown} */ #net;
  /** @type {unknown} */ #trace;
  #theme = '';
  #lang = '';
  #choiceKey = '';
  #turn = 0;
  #focus = false;
  /** Layer of the step that "The way down" shows. */
  #step = '';

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    this.#root = find(scene.root, '[data-strip]');
    this.#within = find(scene.root, '[data-within]');
    this.#pick = /** @type {HTMLSelectElement} */ (find(scene.root, '[data-within-pick]'));
    this.#pick.addEventListener('change', () => this.#go(this.#pick.value));
    this.#root.addEventListener('click', (event) => {
      const column = /** @type {HTMLElement} */ (event.target).closest('[data-layer]');
      if (column) this.#go(column.getAttribute('data-layer') ?? '');
      const step = /** @type {HTMLElement} */ (event.target).closest('[data-step]');
      if (step) scene.store.set({ tab: 'way', step: step.getAttribute('data-step') ?? '', channel: '' });
    });
  }

  /** @param {string} layer */
  #go(layer) {
    this.#scene.store.set({ layer, map: '', at: '', step: '', channel: '' });
  }

  /** To the stage, or the single layer, so many on. @param {number} step @param {boolean} single */
  walk(step, single) {
    const { choice, stages } = this.#scene.session;
    if (!choice) return;
    const names = single
      ? stages.flatMap(({ layers }) => layers.map(({ name }) => name))
      : stages.map(({ main }) => main.name);
    const next = names[(single ? names.indexOf(choice.layer.name) : choice.stage) + step];
    if (!next) return;
    this.#focus = true;
    this.#go(next);
  }

  update() {
    const { session } = this.#scene;
    const { net, trace, choice } = session;
    const { theme } = inks();
    const { lang } = document.documentElement;
    if (this.#net !== net || this.#lang !== lang || this.#columns.length === 0) {
      this.#net = net;
      this.#lang = lang;
      this.#build(session.stages);
      this.#trace = undefined;
    }
    if (this.#trace !== trace || this.#theme !== theme) {
      this.#trace = trace;
      this.#theme = theme;
      this.#choiceKey = '';
      if (trace) this.#forward(trace);
    }
    const key = choice ? `${choice.key} ${this.#scene.store.state.step} ${this.#scene.store.state.tab}` : '';
    if (key === this.#choiceKey) return;
    this.#choiceKey = key;
    this.#choose(choice);
    this.#backward(choice);
  }

  /** Empty columns; names and sizes as far as they are known. @param {Stage[]} stages */
  #build(stages) {
    const { session } = this.#scene;
    const shapes = session.trace?.shapes ?? {};
    const input = session.trace?.shape ?? session.net?.info.input.shape ?? [3, 227, 227];
    const columns = stages.length || 14;
    this.#root.style.setProperty('--columns', String(columns + 1));
    this.#columns = [this.#column(t('pixels'), stages.length ? input : [], 1, 1)];
    for (let i = 0; i < columns; i += 1) {
      const stage = stages[i];
      const shape = stage ? (shapes[stage.main.name] ?? stage.main.shape) : undefined;
      const side = shape
        ? Math.min(1, Math.max(0.34, 1 - 0.14 * Math.log2(Math.max(...input.slice(1)) / Math.max(shape[1], shape[2]))))
        : Math.max(0.46, 1 - 0.05 * i);
      const column = this.#column(
        stage ? (stage.classes ? t('classes') : stage.name) : '',
        shape ?? [],
        side,
        shape ? Math.max(1, Math.min(4, Math.ceil(Math.log2(shape[0] / 16)))) : 2,
        stage,
      );
      this.#columns.push(column);
    }
    for (const [i, column] of this.#columns.entries()) column.style.gridColumn = String(i + 1);
    this.#root.replaceChildren(...this.#columns, el('p', { class: 'way-text' }, ...rich('way')));
  }

  /** @param {string} name @param {readonly number[]} shape @param {number} side @param {number} sheets @param {Stage} [stage] */
  #column(name, shape, side, sheets, stage) {
    const picture = stage?.classes
      ? el('span', { class: 'probs' })
      : el('span', { class: 'sheets', 'data-n': sheets }, el('canvas'));
    picture.style.setProperty('--side', String(side));
    const label = stage ? t('layer.label', { name, maps: shape[0], size: `${shape[1]}×${shape[2]}` }) : '';
    const pick = stage
      ? el('button', {
          type: 'button',
          class: 'stage-pick',
          role: 'radio',
          'aria-checked': 'false',
          tabindex: -1,
          'data-layer': stage.main.name,
          'aria-label': label,
        })
      : el('span', { class: 'stage-pick' });
    pick.append(
      picture,
      el('span', { class: 'stage-name' }, name),
      el('span', { class: 'stage-size num' }, shape.length ? size(shape) : '\u00a0'),
    );
    return el('div', { class: 'stage' }, pick);
  }

  /** Draws the way up: of each stage its strongest map. @param {import('../types.d.ts').Trace} trace */
  async #forward(trace) {
    const { session } = this.#scene;
    this.#build(session.stages);
    if (trace.photo) patch(context2d(find(this.#columns[0], 'canvas')), trace.photo);
    try {
      const main = session.choice && session.project(session.options());
      await main?.catch(() => {});
      for (const [i, stage] of session.stages.entries()) {
        if (trace !== session.trace) return;
        if (stage.classes) await this.#probabilities(this.#columns[i + 1], trace);
        else await this.#sheet(i, trace);
        await breath();
      }
    } catch (error) {
      if (trace === session.trace) session.report(error);
    }
  }

  /** @param {HTMLElement} column @param {import('../types.d.ts').Trace} trace */
  async #probabilities(column, trace) {
    const { net } = this.#scene.session;
    const top = await this.#scene.session
      .once('top', () => trace.top(5))
      .catch((error) => {
        // Said beside the photo: no prediction, and the rest is still shown.
        if (net?.info.broken) return [];
        throw error;
      });
    find(column, '.probs').replaceChildren(
      ...top.map(({ p }) => {
        const bar = el('i');
        bar.style.setProperty('--p', String(p));
        return bar;
      }),
    );
  }

  /** @param {number} i @param {import('../types.d.ts').Trace} trace */
  async #sheet(i, trace) {
    const { session } = this.#scene;
    const { name } = session.stages[i].main;
    const infos = await session.maps(name);
    const here = session.choice?.stage === i && session.choice.layer.name === name ? session.choice.map : undefined;
    const map = here ?? infos.reduce((best, info) => (info.peak > best.peak ? info : best), infos[0]).map;
    const { data, shape } = await session.once(`map ${name} ${map}`, () => trace.map(name, map));
    if (trace !== session.trace) return;
    find(this.#columns[i + 1], '.stage-pick').setAttribute(
      'aria-label',
      t('layer.sheet', {
        name: session.stages[i].name,
        maps: infos.length,
        size: `${shape.at(-2)}×${shape.at(-1)}`,
        map,
        peak: number(infos[map].peak, { significant: 3 }),
      }),
    );
    const small = reduce(data, shape.at(-2) ?? 1, shape.at(-1) ?? 1, SIDE);
    ink(context2d(/** @type {HTMLCanvasElement} */ (find(this.#columns[i + 1], 'canvas'))), small.data, {
      ...small,
      peak: infos[map].peak,
      ink: inks().ink,
    });
  }

  /** Marks the chosen stage and offers the layers within it. @param {Choice | undefined} choice */
  #choose(choice) {
    const { stages, trace } = this.#scene.session;
    for (const [i, column] of this.#columns.entries()) {
      const on = choice?.stage === i - 1;
      column.classList.toggle('is-chosen', on);
      const pick = find(column, '.stage-pick');
      if (i > 0) pick.setAttribute('aria-checked', String(on));
      if (i > 0) pick.tabIndex = on || (!choice && i === 1) ? 0 : -1;
      if (on && this.#focus) pick.focus({ preventScroll: true });
      if (on && this.#root.scrollWidth > this.#root.clientWidth)
        this.#root.scrollLeft = column.offsetLeft - this.#root.clientWidth / 2;
    }
    this.#focus = false;
    const stage = choice && stages[choice.stage];
    this.#within.hidden = !stage || stage.layers.length < 2;
    if (!stage || !trace) return;
    find(this.#scene.root, '[data-within-name]').textContent = t('within', {
      name: stage.classes ? t('classes') : stage.name,
    });
    this.#pick.replaceChildren(
      ...stage.layers.map(({ name }) =>
        el('option', { value: name }, name.startsWith(`${stage.name}/`) ? name.slice(stage.name.length + 1) : name),
      ),
    );
    this.#pick.value = choice.layer.name;
    if (!stage.classes) this.#sheet(choice.stage, trace).catch(() => {});
    const text = find(this.#root, '.way-text');
    text.style.gridColumn = `${choice.stage + 3} / -1`;
    // It needs room for some twenty letters a line, or it grows taller than its row.
    text.hidden = false;
    const room = (this.#root.clientWidth * (stages.length - choice.stage - 1)) / (stages.length + 1);
    text.hidden = room < 22 * Number.parseFloat(getComputedStyle(text).fontSize);
  }

  /** Draws the way back. @param {Choice | undefined} choice */
  async #backward(choice) {
    this.#turn += 1;
    const turn = this.#turn;
    const { session } = this.#scene;
    const { trace } = session;
    if (!choice || !trace) return;
    try {
      const options = session.options();
      const result = await session.project(options);
      const steps = await session.way(options);
      if (turn !== this.#turn || trace !== session.trace) return;
      const whole = this.#scene.store.state.seed !== 'unit';
      const [, height, width] = trace.shape;
      const field = whole ? /** @type {import('../types.d.ts').Rect} */ ([0, 0, height, width]) : result.receptiveField;
      for (const column of this.#columns.slice(choice.stage + 2)) clear(column);
      const { state } = this.#scene.store;
      const first = steps.find(({ operation }) => operation === 'unpool') ?? steps[1];
      this.#step = state.tab === 'way' ? state.step || (first?.layer ?? '') : '';
      let last = 0;
      for (let i = choice.stage; i >= 0; i -= 1) {
        const { main, layers } = session.stages[i];
        const step =
          steps.find(({ layer }) => layer === (i === choice.stage ? choice.layer.name : main.name)) ??
          steps.find(({ layer }) => layers.some(({ name }) => name === layer));
        if (!step) continue;
        const from = await session.origin(step.layer);
        await task();
        if (turn !== this.#turn) return;
        const info = layers.find(({ name }) => name === step.layer) ?? main;
        const at = steps.indexOf(step);
        const done = steps.slice(last + 1, at + 1).map(({ operation }) => operation);
        last = at;
        const operation = ['unpool', 'spread', 'filter'].find((one) => done.includes(one)) ?? step.operation;
        const window = whole
          ? /** @type {const} */ ([0, 0, step.shape[1], step.shape[2]])
          : windowOf(field, from, info);
        this.#signal(i + 1, step, operation, [...window]);
      }
      const canvas = el('canvas');
      const { max, auto } = contrast(result.data, result.shape, field);
      projection(context2d(canvas), result.data, {
        shape: result.shape,
        rect: field,
        order: session.net?.info.input.order ?? 'rgb',
        gain: auto,
        max,
        side: SIDE,
      });
      this.#back(this.#columns[0], canvas, t('op.filter'), 'is-pixels outside', steps.at(-1)?.layer ?? '');
    } catch (error) {
      if (turn === this.#turn && trace === session.trace) session.report(error);
    }
  }

  /** @param {number} i @param {import('../types.d.ts').Step} step @param {string} operation what was done since the stage above @param {import('../types.d.ts').Rect} window */
  #signal(i, step, operation, window) {
    const canvas = el('canvas');
    const { mark, ink: black } = inks();
    signal(context2d(canvas), step.extent, {
      rect: step.rect,
      window,
      peak: step.extent.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      mark,
      ink: black,
      side: SIDE,
    });
    const seed = operation === 'seed';
    const { state } = this.#scene.store;
    const word = seed
      ? t(`op.seed.${state.seed === 'unit' || state.seed === 'map' ? state.seed : 'k'}`, { n: state.seed })
      : t(`op.${operation}`);
    this.#back(this.#columns[i], canvas, word, operation === 'unpool' ? 'is-unpool' : '', step.layer);
  }

  /** @param {HTMLElement} column @param {HTMLCanvasElement} canvas @param {string} word @param {string} kind @param {string} layer */
  #back(column, canvas, word, kind, layer) {
    const here = this.#step === layer;
    clear(column);
    const label = t('back.label', { layer: column.querySelector('.stage-name')?.textContent ?? '', word });
    column.append(
      el(
        'span',
        { class: 'stage-back' },
        el(
          'button',
          {
            type: 'button',
            class: `thumb ${kind} ${here ? 'is-step' : ''}`,
            'data-step': layer,
            'aria-label': label,
            title: t('back.title'),
          },
          canvas,
        ),
        el('i'),
      ),
      el('span', { class: `stage-op ${kind}` }, word),
    );
  }
}

/** @param {HTMLElement} column */
function clear(column) {
  for (const old of column.querySelectorAll('.stage-back, .stage-op')) old.remove();
}

/**
 * The part of a layer that lies under a receptive field of the input: as many cells as fit in it, around its centre.
 * @param {import('../types.d.ts').Rect} field
 * @param {import('../types.d.ts').Rect} origin receptive field of the layer's unit 0,0
 * @param {import('../types.d.ts').LayerInfo} layer
 * @returns {import('../types.d.ts').Rect}
 */
function windowOf(field, origin, { stride }) {
  const [y, x, half, wide] = [0, 1, 2, 3].map((k) => {
    const axis = k % 2;
    // A layer of one unit has no neighbours, so no stride.
    const step = stride[axis] > 0 ? stride[axis] : Number.POSITIVE_INFINITY;
    if (k > 1) return Math.max(1, Math.floor((field[axis + 2] - field[axis]) / step / 2));
    return Math.round((field[axis] + field[axis + 2] - origin[axis] - origin[axis + 2]) / 2 / step);
  });
  return [y - half, x - wide, y + half + 1, x + wide + 1];
}
