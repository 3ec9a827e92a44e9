/** Panel d of ZF14 Fig. 7: what the watched map saw in the whole photo, projected back from its strongest unit. */

import { contrast, projection } from '../draw/projection.js';
import { number, rich, t } from '../words.js';
import { context2d, find, task } from './dom.js';
import { lie } from './occlusion-look.js';
import { others, strongest } from './occlusion-others.js';

/** @typedef {import('./occlusion.js').Scene} Scene */

export class Projected {
  #scene;
  #panel;
  /** @type {unknown[]} what it was last drawn from */ #drawn = [];
  /** @type {unknown[]} and its top images */ #top = [];
  #abort = new AbortController();

  /** @param {Scene} scene */
  constructor(scene) {
    this.#scene = scene;
    this.#panel = find(scene.root, '[data-panel=projection]');
  }

  async update() {
    const { findings, session, sweep } = this.#scene;
    const { trace, net } = session;
    this.place();
    // A network that arrived while the other panels were drawn may not have the layer that was watched in the last one.
    if (!findings || !trace || !net || !sweep.isOf(trace)) return;
    const { layer, map } = findings.watched;
    this.#others(layer, map);
    const key = [trace, layer, map, document.documentElement.lang];
    if (key.every((value, i) => value === this.#drawn[i])) return;
    this.#drawn = key;
    find(this.#panel, '[data-head]').replaceChildren(...rich('occ.d', { map, layer }));
    find(this.#panel, '[data-say]').textContent = t('occ.d.say');
    try {
      const found = await session.once(`project occlusion ${layer} ${map}`, (one) => one.project({ layer, map }));
      if (this.#drawn !== key) return;
      await task();
      const [, height, width] = found.shape;
      const rect = /** @type {[number, number, number, number]} */ ([0, 0, height, width]);
      const { max, auto } = contrast(found.data, found.shape, rect);
      await task();
      const canvas = /** @type {HTMLCanvasElement} */ (find(this.#panel, 'canvas'));
      projection(context2d(canvas), found.data, {
        shape: found.shape,
        rect,
        order: net.info.input.order,
        gain: auto,
        max,
      });
      const values = {
        value: number(found.value, { digits: 1 }),
        max: number(max, { significant: 3 }),
        c: number(auto, { digits: 1 }),
      };
      find(this.#panel, '[data-value]').textContent = t(max > 0 ? 'occ.d.value' : 'occ.d.blank', values);
      canvas.setAttribute(
        'aria-label',
        t('projection.label', {
          map,
          layer,
          y: found.at[0],
          x: found.at[1],
          rule: t('rule.deconvnet'),
          max: values.max,
        }),
      );
    } catch (error) {
      this.#drawn = [];
      // What was asked of a photo or network that has been closed meanwhile is nobody's question any more.
      if (trace === session.trace) session.report(error);
    }
  }

  /** The map's top images, where there is a gallery of it. @param {string} layer @param {number} map */
  async #others(layer, map) {
    const { session } = this.#scene;
    const { net } = session;
    const key = [net, layer, map, document.documentElement.lang];
    if (key.every((value, i) => value === this.#top[i])) return;
    this.#top = key;
    this.#abort.abort();
    this.#abort = new AbortController();
    const place = find(this.#panel, '[data-others]');
    others(place, []);
    if (!net) return;
    try {
      const cells = await strongest(net, layer, map, this.#abort.signal);
      if (this.#top === key) others(place, cells);
    } catch (error) {
      if (net === session.net) session.report(error);
    }
  }

  place() {
    const { findings, place, session } = this.#scene;
    const mark = find(this.#panel, '.at');
    const index = findings ? place.index : -1;
    mark.hidden = !findings || index < 0 || findings.isOutside(index);
    if (findings && !mark.hidden && session.trace) lie(mark, findings.square(index), session.trace.shape);
  }
}
