/** The way further down: each layer recovered from the one above, through the recorded switches. */

import { number, rich, t } from '../words.js';
import { el } from './dom.js';
import { mapOf, percent, plate, scaleOf, strongest } from './sparse-plate.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('../types.d.ts').InvertStage} InvertStage */
/** @typedef {import('../types.d.ts').LayerInfo} LayerInfo */

/** Whether what a layer reads is the photo itself. @param {LayerInfo[]} layers @param {string} input */
export function readsPhoto(layers, input) {
  const found = layers.find(({ name }) => name === input);
  return !found || found.kind === 'input';
}

export class Down {
  #scene;
  #box;

  /** @param {Scene} scene @param {HTMLElement} box */
  constructor(scene, box) {
    this.#scene = scene;
    this.#box = box;
  }

  /** @param {InvertStage[]} way from the layer asked for downwards */
  async update(way) {
    this.#box.hidden = way.length === 0;
    if (!way.length) return this.#box.replaceChildren();
    const { session } = this.#scene;
    const order = session.net?.info.input.order ?? 'rgb';
    const rows = way.map((stage) => {
      const pixels = stage.truth.shape[0] === 3 && readsPhoto(session.net?.info.layers ?? [], stage.input);
      const [map] = strongest(stage.truth, 1);
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
      }
      const head = rich('spa.down.stage', {
        layer: stage.layer,
        input: stage.input,
        support: stage.support === null ? '…' : percent(stage.support),
      });
      return el('div', { class: 'stack' }, el('h4', {}, ...head), row);
    });
    this.#box.replaceChildren(
      el('h3', { class: 'step' }, t('spa.down.title')),
      el('p', { class: 'say' }, t('spa.down.say')),
      ...rows,
    );
  }
}
