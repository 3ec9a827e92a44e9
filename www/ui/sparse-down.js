/** The way further down: each layer recovered from the one above, through the recorded switches. */

import { number, rich, t } from '../words.js';
import { el, task } from './dom.js';
import { mapOf, percent, plate, scaleOf, sized, strongest } from './sparse-plate.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('../types.d.ts').InvertStage} InvertStage */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */

/** Whether what a layer reads is the photo itself. @param {LayerInfo[]} layers @param {string} input */
export function readsPhoto(layers, input) {
  const found = layers.find(({ name }) => name === input);
  return !found || found.kind === 'input';
}

/** What a recovered signal can be carried down through: pooling by its switches, ReLU, normalisation. */
const CROSSED = ['max_pool', 'global_max', 'relu', 'dropout', 'lrn'];

/** How many convolutions can be inverted one after another below this one, before the way forks or meets what has no way back.
 * @param {LayerInfo[]} layers @param {string} name */
export function reach(layers, name) {
  const known = new Map(layers.map((layer) => [layer.name, layer]));
  let n = 0;
  for (let at = known.get(known.get(name)?.inputs[0] ?? ''); at; at = known.get(at.inputs[0] ?? '')) {
    if (at.kind === 'conv') n += 1;
    else if (!CROSSED.includes(at.kind)) break;
  }
  return n;
}

export class Down {
  #scene;
  #box;
  /** Which way stands there, in which language. */ #drawn = '';

  /** @param {Scene} scene @param {HTMLElement} box */
  constructor(scene, box) {
    this.#scene = scene;
    this.#box = box;
  }

  /** @param {InvertStage[]} way from the layer asked for downwards */
  async update(way) {
    this.#box.hidden = way.length === 0;
    if (!way.length) {
      this.#drawn = '';
      return this.#box.replaceChildren();
    }
    const key = `${this.#scene.identity(way)} ${document.documentElement.lang}`;
    if (this.#drawn === key) return;
    const { session } = this.#scene;
    const order = session.net?.info.input.order ?? 'rgb';
    const rows = [];
    for (const stage of way) {
      await task();
      const pixels = stage.truth.shape[0] === 3 && readsPhoto(session.net?.info.layers ?? [], stage.input);
      const [map] = strongest(stage.truth, 1);
      await task();
      const part = (/** @type {{ data: Float32Array, shape: number[] }} */ one) => (pixels ? one : mapOf(one, map));
      const scale = scaleOf(part(stage.truth));
      const name = pixels ? stage.input : `${stage.input}, ${t('spa.map', { map })}`;
      const row = el('div', { class: 'spa-trio' });
      for (const [key, picture, shared] of /** @type {const} */ ([
        ['truth', stage.truth, true],
        ['z', stage.z, true],
        ['transpose', stage.transpose, false],
      ])) {
        const canvas = el('canvas', { class: 'pixels' });
        plate(canvas, part(picture), {
          scale: shared ? scale : undefined,
          order,
          label: `${t(`spa.down.${key}`)}: ${name}`,
        });
        const likeness = key === 'z' ? stage.likeness : key === 'transpose' ? stage.transposeLikeness : null;
        const said = likeness === null ? name : t('spa.down.like', { likeness: number(likeness, { digits: 3 }) });
        row.append(el('figure', {}, canvas, el('figcaption', {}, said)));
        await task();
      }
      const head = rich('spa.down.stage', {
        layer: stage.layer,
        input: stage.input,
        known: percent(stage.known),
        how: t(`spa.down.prior.${stage.prior}`, {
          lambda: stage.lambda === null ? '…' : sized(stage.lambda),
          support: stage.support === null ? '…' : percent(stage.support),
        }),
      });
      rows.push(el('div', { class: 'stack' }, el('h4', {}, ...head), row));
    }
    this.#drawn = key;
    this.#box.replaceChildren(
      el('h3', { class: 'step' }, t('spa.down.title')),
      el('p', { class: 'say' }, t('spa.down.say')),
      ...rows,
    );
  }
}
