/** From the state to what the engine is asked, and what that looks like. */

import { t } from '../words.js';

/** @typedef {import('../types.d.ts').OccludeOptions} Options */
/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../state.js').State} State */

/** @type {Record<string, [number, number, number]>} */
const COLOURS = { grey: [128, 128, 128], black: [0, 0, 0], white: [255, 255, 255] };

/** @param {string} fill @returns {[number, number, number] | undefined} red, green, blue of a fill that is a colour */
export function rgbOf(fill) {
  if (/^[\da-f]{6}$/.test(fill))
    return /** @type {[number, number, number]} */ ([0, 2, 4].map((i) => Number.parseInt(fill.slice(i, i + 2), 16)));
  return COLOURS[fill];
}

/** A fill in words. @param {string} fill */
export const fillWords = (fill) => (/^[\da-f]{6}$/.test(fill) ? `#${fill}` : t(`occ.fill.${fill}`));

/** The training mean as a colour. @param {Session} session @returns {[number, number, number]} */
export function meanOf({ net }) {
  const { mean, order } = net?.info.input ?? { mean: [], order: 'rgb' };
  const rgb = order === 'bgr' ? [...mean].reverse() : mean;
  return /** @type {[number, number, number]} */ ([0, 1, 2].map((i) => Math.round(rgb[i] ?? rgb[0] ?? 128)));
}

/** @param {number[]} rgb */
export const css = (rgb) => `rgb(${rgb.join(' ')})`;

/**
 * What stands in the square: a colour, or pixels over the whole photo.
 * @param {string} fill @param {Session} session @param {number} [size] of the square, for the blur
 * @returns {Promise<string | ImageData>}
 */
export async function colourOf(fill, session, size) {
  if (fill === 'mean') return css(meanOf(session));
  const rgb = rgbOf(fill);
  if (rgb) return css(rgb);
  const kind = /** @type {'blur' | 'noise'} */ (fill);
  return session.once(`cover ${kind} ${kind === 'blur' ? size : ''}`, (trace) => trace.cover({ fill: kind, size }));
}

/**
 * The state's wishes, judged against network and photo: what is impossible falls back, and a notice says so.
 * @param {State} state @param {Session} session @returns {Options}
 */
export function optionsOf(state, session) {
  const { trace, net } = session;
  if (!trace || !net) return {};
  const [, height, width] = trace.shape;
  const most = Math.min(height, width);
  /** @type {Options} */
  const options = { grid: state.grid === 'inside' ? 'inside' : 'centre', stride: Number(state.stride || 8) };
  const side = Math.max(1, Math.round(most / 4.5));
  options.size = state.size ? Number(state.size) : side;
  if (options.size > most) {
    session.notice('notice.size', { value: state.size, most });
    options.size = most;
  }
  // A larger step would put the only square beyond the photo.
  if (Number(options.stride) > most) {
    session.notice('notice.stride', { value: state.stride, most });
    options.stride = most;
  }
  const fill =
    state.fill === 'mean' || state.fill === 'blur' || state.fill === 'noise' ? state.fill : rgbOf(state.fill);
  options.fill = fill ?? 'mean';
  const classes = session.stages.some((stage) => stage.classes);
  if (state.class !== '' && classes) {
    const wanted = Number(state.class);
    if (wanted < net.info.classes.length) options.class = wanted;
    else session.notice('notice.class', { value: state.class, n: net.info.classes.length });
  }
  const layer = net.info.layers.some(({ name }) => name === state.layer) ? state.layer : undefined;
  const shape = layer ? trace.shapes[layer] : undefined;
  const map = state.map !== '' && (!shape || Number(state.map) < shape[0]) ? Number(state.map) : undefined;
  options.watch = [{ ...(layer ? { layer } : {}), ...(map === undefined ? {} : { map }) }];
  return options;
}
