/** Arguments of a correspondence, checked at the door; loaded when one is asked for. */

import { check } from './check.js';

/** @import * as types from './types.js' */

/**
 * @param {{ trace: unknown, part: unknown }[]} marks @param {types.CorrespondenceOptions} options
 * @param {(trace: unknown) => boolean} isTrace
 */
export function correspondence(marks, options, isTrace) {
  const shape = '[{ trace, part: [y0, x0, y1, x1] }, …]';
  if (!Array.isArray(marks)) throw check.wrong('marks', shape, marks);
  const parts = marks.map((mark) => {
    if (!isTrace(mark?.trace) || !Array.isArray(mark.part) || mark.part.length !== 4)
      throw check.wrong('marks', shape, mark);
    return mark.part.map((side, i) => check.integer(side, `part[${i}]`, -(2 ** 31)));
  });
  if (!Array.isArray(options?.layers)) throw check.wrong('layers', 'a list of names', options?.layers);
  const { layers, random = 10, seed = 1 } = options;
  return {
    parts,
    layers: layers.map((one) => check.text(one, 'layer')),
    random: check.integer(random, 'random', 0, 1000),
    seed: check.integer(seed, 'seed'),
  };
}
