/** The worker's answers that a first look at a photo does not need: sweeps here, galleries in a file of their own. */

import { requests as galleries } from './engine-gallery.js';
import { sweep } from './engine-sweep.js';

/**
 * @import { Call, Tools } from './engine.js'
 * @import { Rect } from './types.js'
 */

/** @param {Tools} tools @returns {Record<string, (call: Call, ...args: any[]) => any>} */
export const requests = (tools) => ({ ...sweeps(tools), ...galleries(tools), sweep: sweep(tools) });

/** @param {Tools} tools @returns {Record<string, (call: Call, ...args: any[]) => any>} */
const sweeps = ({ find, keep, engine }) => ({
  occlude: (_, trace, options) => ({ handle: keep(find(trace, 'trace').occlude(JSON.stringify(options))) }),
  cover(_, /** @type {number} */ handle, options) {
    const trace = find(handle, 'trace');
    const [, height, width] = trace.shapes().data;
    return new ImageData(trace.cover(JSON.stringify(options)), width, height);
  },
  invariance: (_, trace, options) => ({ handle: keep(find(trace, 'trace').invariance(JSON.stringify(options))) }),
  correspondence(_, /** @type {number[]} */ traces, parts, options) {
    const marks = new (engine().Marks)();
    for (const [i, trace] of traces.entries()) marks.add(find(trace, 'trace'), .../** @type {Rect} */ (parts[i]));
    return { handle: keep(marks.compare(JSON.stringify(options))) };
  },
  transformed(_, /** @type {number} */ handle, transform, amount) {
    const trace = find(handle, 'trace');
    const [, height, width] = trace.shapes().data;
    return new ImageData(trace.transformed(transform, amount), width, height);
  },
  stages: (_, trace, layer, depth) => find(trace, 'trace').stages(layer, depth),
});
