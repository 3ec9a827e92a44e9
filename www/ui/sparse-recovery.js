/** What an inversion shows: what came in, what is recovered, what one step back gives; curves and numbers. */

import { support } from '../draw/support.js';
import { csv, npy } from '../save.js';
import { number, rich, t } from '../words.js';
import { context2d, download, el, find, inks, task } from './dom.js';
import { objectives } from './sparse-chart.js';
import { readsPhoto } from './sparse-down.js';
import { curves, facts, pace, sparsity } from './sparse-facts.js';
import { figure, mapOf, parts, percent, plate, scaleOf, sized, strongest } from './sparse-plate.js';

/** @typedef {import('./sparse.js').Scene} Scene */
/** @typedef {import('./sparse-invert.js').Found} Found */
/** @typedef {import('../types.d.ts').InvertStage} InvertStage */

const THUMBS = 16;

export class Recovery {
  #scene;
  #panel;
  /** @type {Found | undefined} */ #found;
  /** Which maps stand there to choose from. */ #thumbs = '';

  /** @param {Scene} scene @param {HTMLElement} panel */
  constructor(scene, panel) {
    this.#scene = scene;
    this.#panel = panel;
    find(panel, '[data-spa-trio]').append(figure('truth'), figure('z'), figure('transpose'));
    find(panel, '[data-spa-second]').append(figure('support'), figure('response'), figure('residual'));
    find(panel, '[data-spa-thumbs]').addEventListener('click', (event) => {
      const thumb = /** @type {HTMLElement} */ (event.target).closest('[data-map]');
      if (thumb) scene.store.set({ channel: thumb.getAttribute('data-map') ?? '' });
    });
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (panel.querySelectorAll('[data-spa-save]')))
      button.addEventListener('click', () => this.#save(button.dataset.spaSave ?? ''));
  }

  /** The run whose z is shown: of the two the faster. */
  get #shown() {
    const { ista, fista } = this.#found?.runs ?? {};
    return /** @type {InvertStage | undefined} */ (fista ?? ista);
  }

  /** @param {Found} found @param {number} iterations in all */
  async update(found, iterations) {
    this.#found = found;
    const stage = this.#shown;
    if (!stage) return;
    const { store, session } = this.#scene;
    const { truth, z, transpose, response, residual } = stage;
    const [maps, height, width] = truth.shape;
    const pixels = maps === 3 && readsPhoto(session.net?.info.layers ?? [], stage.input);
    const order = /** @type {import('../types.d.ts').Net} */ (session.net).info.input.order;
    // Not in the frame that began this.
    await task();
    const ranked = strongest({ data: truth.data, shape: truth.shape }, THUMBS);
    await task();
    const asked = Number(store.state.channel);
    const channel = store.state.channel !== '' && asked < maps ? asked : ranked[0];
    const part = (/** @type {{ data: Float32Array, shape: number[] }} */ one) => (pixels ? one : mapOf(one, channel));
    const name = pixels ? stage.input : `${stage.input}, ${t('spa.map', { map: channel })}`;
    const method = found.runs.fista ? 'FISTA' : 'ISTA';
    const scale = scaleOf(part(truth));
    /** @param {string} key @param {Node[]} caption @param {() => void} draw */
    const say = async (key, caption, draw) => {
      draw();
      await task();
      parts(this.#panel, key).caption.replaceChildren(...caption);
      await task();
    };
    const canvas = (/** @type {string} */ key) => parts(this.#panel, key).canvas;
    await say('truth', rich('spa.truth', { name }), () =>
      plate(canvas('truth'), part(truth), { scale, order, label: t('spa.truth', { name }) }),
    );
    const n = stage.objective.length;
    const recovered = rich(stage.likeness === null ? 'spa.z.begins' : 'spa.z', {
      method,
      n,
      likeness: number(stage.likeness ?? 0, { digits: 3 }),
    });
    await say('z', recovered, () =>
      plate(canvas('z'), part(z), {
        scale: scaleOfEither(part(z), scale, stage.diverged),
        order,
        label: t('spa.z.label', { name }),
      }),
    );
    await say('transpose', rich('spa.transpose', { likeness: number(stage.transposeLikeness, { digits: 3 }) }), () =>
      plate(canvas('transpose'), part(transpose), { order, label: t('spa.transpose.label', { name }) }),
    );
    await task();
    objectives(find(this.#panel, '[data-spa-chart]'), curves(found.runs), iterations);
    await task();
    this.#facts(found, stage);
    await task();
    const marked = pixels ? undefined : channel;
    const over = () =>
      support(
        context2d(canvas('support')),
        mapOf(truth, channel).data,
        { height, width, max: scale.max / scale.auto, mark: inks().mark },
        { data: z.data, shape: z.shape, shift: 0, map: marked },
      );
    canvas('support').style.aspectRatio = `${width} / ${height}`;
    canvas('support').setAttribute('role', 'img');
    canvas('support').setAttribute('aria-label', t('spa.support.label'));
    const placed = over();
    parts(this.#panel, 'support').caption.replaceChildren(...rich('spa.support', { n: placed, of: height * width }));
    await task();
    const [top] = strongest(response, 1);
    await task();
    const heard = scaleOf(mapOf(response, top));
    await say('response', rich('spa.response', { layer: stage.layer, map: top }), () =>
      plate(canvas('response'), mapOf(response, top), {
        scale: heard,
        label: t('spa.response', { layer: stage.layer, map: top }),
      }),
    );
    if (residual)
      await say('residual', rich('spa.residual', { share: percent(stage.error ?? 0) }), () =>
        plate(canvas('residual'), mapOf({ data: residual, shape: response.shape }, top), {
          scale: heard,
          label: t('spa.residual.label'),
        }),
      );
    await task();
    await this.#choice(stage, pixels ? [] : ranked, channel);
  }

  /** Thumbnails of the input's maps, to choose from. @param {InvertStage} stage @param {number[]} ranked @param {number} channel */
  async #choice({ truth, input }, ranked, channel) {
    const box = find(this.#panel, '[data-spa-maps]');
    box.hidden = ranked.length === 0;
    const thumbs = find(this.#panel, '[data-spa-thumbs]');
    const key = `${this.#scene.session.net?.info.name} ${this.#scene.session.photo?.name} ${input} ${ranked} ${document.documentElement.dataset.theme}`;
    if (this.#thumbs !== key) {
      const made = [];
      for (const map of ranked) {
        const canvas = el('canvas', { class: 'pixels' });
        plate(canvas, mapOf(truth, map), { side: 64, label: `${input}, ${t('spa.map', { map })}` });
        made.push(el('button', { type: 'button', 'data-map': map }, canvas));
        await task();
      }
      this.#thumbs = key;
      thumbs.replaceChildren(...made);
    }
    for (const thumb of /** @type {NodeListOf<HTMLElement>} */ (thumbs.querySelectorAll('[data-map]')))
      thumb.setAttribute('aria-pressed', String(thumb.dataset.map === String(channel)));
  }

  /** Numbers under the chart, and what there is to be said. @param {Found} found @param {InvertStage} stage */
  #facts({ lambda, auto, step, norm2, runs }, stage) {
    const { ista, fista } = runs;
    /** @type {[string, string, string][]} */
    const rows = [
      ['λ', sized(lambda), t('spa.fact.lambda', { times: number(lambda / auto, { significant: 2 }) })],
      [
        t('spa.fact.step'),
        sized(step),
        t('spa.fact.norm', {
          norm: sized(norm2),
          times: number(step * lambda * norm2, { digits: Math.abs((step * lambda * norm2) % 1) > 0.01 ? 1 : 0 }),
        }),
      ],
    ];
    facts(find(this.#panel, '[data-spa-facts]'), [...rows, ...sparsity(stage), ...pace(runs)]);
    const away = [ista, fista].find((one) => one?.diverged);
    const rises = [ista, fista].some((one) => (one?.objective.at(-1) ?? 0) > (one?.start ?? Number.POSITIVE_INFINITY));
    const box = find(this.#panel, '[data-spa-diverged]');
    box.hidden = !away && !rises;
    box.textContent = away ? ranAway(away) : rises ? t('spa.rises') : '';
  }

  /** @param {string} kind */
  #save(kind) {
    const stage = this.#shown;
    if (!stage) return;
    const name = `${this.#scene.session.net?.info.name ?? 'net'}-${stage.layer.replaceAll('/', '_')}`;
    if (kind === 'npy') return download(npy(stage.z.data, stage.z.shape), 'application/octet-stream', `${name}-z.npy`);
    const drawn = curves(this.#found?.runs ?? {});
    const rows = Array.from({ length: Math.max(...drawn.map(({ objective }) => objective.length)) + 1 }, (_, i) => [
      i,
      ...drawn.map(({ start, objective }) => (i ? (objective[i - 1] ?? '') : start)),
    ]);
    download(csv(['iteration', ...drawn.map((c) => c.name)], rows), 'text/csv', `${name}-objective.csv`);
  }
}

/** @param {InvertStage} stage */
const ranAway = ({ objective, step, lambda, norm2 }) =>
  t('spa.diverged', {
    n: objective.length,
    step: sized(step ?? Number.NaN),
    times: number((step ?? Number.NaN) * (lambda ?? Number.NaN) * norm2, { digits: 1 }),
  });

/** What ran away has a scale of its own. @param {import('./sparse-plate.js').Picture} picture @param {import('./sparse-plate.js').Scale} scale @param {string | null} diverged */
const scaleOfEither = (picture, scale, diverged) => {
  if (!diverged) return scale;
  const own = scaleOf(picture);
  return Number.isFinite(own.max) && Number.isFinite(own.auto) ? own : scale;
};
