/**
 * One store, mirrored in the URL hash: a link is a lesson. Every control of the page has a key here.
 *
 * Unknown keys are kept and ignored. A bad value falls back to the default and is reported once, as a {@link Rejected}.
 * What only a loaded network can judge (layer, map, position) is judged in session.js.
 */

/**
 * @typedef {object} State
 * @property {string} view `project` is the Explore view; `occlusion`, `gallery`, `filters`, `training`, `sparse`
 * @property {string} model name of a file in models/, `run.` and that of a checkpoint in trained/, `own`, or `NAME~HASH`: the visitor's, kept in the browser
 * @property {string} photo id of a sample, `name@y0,x0,y1,x1` of a window of a photograph in pool/, `own` (the visitor's, never part of a link)
 * @property {string} layer '' = chosen by the page
 * @property {string} map number of a feature map, '' = the strongest
 * @property {string} at `y,x`, '' = the map's maximum
 * @property {string} rule `deconvnet`, `gradient`, `guided`
 * @property {string} seed `unit`, `map`, or a number K: the K strongest units
 * @property {string} unpool `switches`, `centre`
 * @property {string} lrn '' = as the rule says, `identity`, `divide`
 * @property {string} contrast `auto` or the factor c
 * @property {string} weights `trained`, or `random`: the sanity check
 * @property {string} order of the maps: `peak`, `here`, `sum`, `number`
 * @property {string} tab `projection`, `way`
 * @property {string} step layer at which the way down is looked at, '' = the first unpooling
 * @property {string} channel map looked at in that step, '' = the strongest
 * @property {string} class whose probability is followed, '' = the prediction
 * @property {string} size of the square in pixels, '' = shorter side / 4.5
 * @property {string} stride between its positions, '' = 8
 * @property {string} grid `centre`, `inside`
 * @property {string} fill `mean`, `grey`, `black`, `white`, `blur`, `noise`, or six hexadecimal digits
 * @property {string} show `p`, `difference` to the unoccluded p, `logit`
 * @property {string} square where it is pinned: `y,x` of its centre in pixels, '' = where it hurts most
 * @property {string} experiment of the occlusion view: `occlusion`, `invariance`, `correspondence`
 * @property {string} part that is hidden in every face: `eye`, `nose`
 * @property {string} side of that part in pixels, '' = shorter side / 7
 * @property {string} marks that were moved: `photo-part:y,x;…` in thousandths of the photo's middle square
 * @property {string} layers compared in the second and third experiment, separated by commas, '' = chosen by the page
 * @property {string} b second setting of the square, to compare with: `size:30;fill:black`, `default`; '' = none
 * @property {string} edit which of the two the controls change: `a`, `b`
 * @property {string} transform `shift_vertically`, `shift_horizontally`, `scale`, `rotate`
 * @property {string} from its first amount, '' = as in ZF14 Fig. 5
 * @property {string} to its last amount, the same
 * @property {string} amount of it that is pinned, '' = none
 * @property {string} outlines of the photo over the maps: `on`, `off`
 * @property {string} over map that lies over the photo: '' = none, `p`, `class`, `activation`
 * @property {string} opacity of that map, per cent
 * @property {string} sort of the gallery's maps: `rank` of the photo, `strength`, `spread`, `alike`, `number`
 * @property {string} plain photographs on plain white: `on`, `off`
 * @property {string} pool of the gallery: `shipped`, `own`, `both`
 * @property {string} beside number of a second map to compare with, '' = none
 * @property {string} filter of the first layer that is looked at, '' = none
 * @property {string} by order of the filters: `frequency`, `orientation`, `rms`, `number`
 * @property {string} scale of their contrast: `own`, `common`
 * @property {string} dead RMS as a share of the median below which a filter is dead
 * @property {string} weak the same for weak ones
 * @property {string} dominant medians above which one is dominant
 * @property {string} radius RMS above which one is dominant, too, '' = none
 * @property {string} second map of the second layer that is looked at, '' = none
 * @property {string} against network to compare with, as `model`; '' = none
 * @property {string} chapter of the sparse view: `invert`, `code`, `layers`, `learn`
 * @property {string} solver `both`, `ista`, `fista`
 * @property {string} lambda of an inversion, '' = 100 times the one that keeps about 5 % of the values
 * @property {string} beta step in units of 1/(λ‖F‖²)
 * @property {string} iterations '' = as many as the chapter needs
 * @property {string} start of an inversion: `zero`, `transpose`
 * @property {string} down further convolutions below
 * @property {string} strength λ of a photo's code, '' = the dictionary's
 * @property {string} overlay of the support over the photo: `on`, `off`
 * @property {string} lambdas of the layers: `dictionary`, `auto`
 * @property {string} level layer of strokes that is taken apart, '' = the top
 * @property {string} atoms strokes to learn
 * @property {string} passes over the photos
 * @property {string} shots photographs to learn from
 * @property {string} colour of them: `on`, `off`
 * @property {string} run shown in the Training view: a name of trained/runs.json, or `live`: one trained in the page
 * @property {string} epoch whose checkpoint is looked at, '' = the last
 * @property {string} feature layer whose maps are followed over the epochs, '' = the last convolution
 * @property {string} features those maps, separated by commas, '' = the six that respond most
 * @property {string} images that are searched for the strongest response
 * @property {string} net to train: a name in training/
 * @property {string} spec that network changed, as JSON; '' = as the file has it
 * @property {string} data to learn from: `mnist`, `fashion-mnist`, `pool`, `own`; '' = those of the network
 * @property {string} rate of learning, '' = the network's
 * @property {string} epochs to train, '' = the network's
 * @property {string} batch images of a step, '' = the network's
 * @property {string} luck seed of a run
 * @property {string} lang '' = the browser's
 * @property {string} theme '' = the system's
 * @property {string} present
 * @property {string} embed
 */

/** @typedef {{ key: string, value: string }} Rejected */

/** @param {string[]} words */
const oneOf = (words) => (/** @type {string} */ text) => words.includes(text);
/** A positive number. */
const above = (/** @type {string} */ text) => /^\d*\.?\d+(e[-+]?\d{1,2})?$/.test(text) && Number(text) > 0;
const natural = (/** @type {string} */ text) => /^\d{1,6}$/.test(text);
/** A whole number above 0. */
const upTo =
  (most = 1e6) =>
  (/** @type {string} */ text) =>
    natural(text) && Number(text) > 0 && Number(text) <= most;
/** Of a transformation: pixels, a factor, degrees. */
export const amount = (/** @type {string} */ text) => /^-?\d{1,4}(\.\d{1,3})?$/.test(text);
const decimal = (/** @type {string} */ text) => /^\d{1,3}(\.\d{1,4})?$/.test(text);

/** A network as JSON; whether its layers fit is the engine's to say. @param {string} text */
function network(text) {
  try {
    return text.length < 20_000 && Array.isArray(JSON.parse(text).layers);
  } catch {
    return false;
  }
}

/** One of some words, the first by default. @param {string[]} words */
const choice = (...words) => ({ value: words[0], test: oneOf(words) });

/** Default and test of every key. An alias is what older links may say. @type {Record<keyof State, { value: string, test: (text: string) => boolean, alias?: Record<string, string> }>} */
const KEYS = {
  view: {
    value: 'project',
    test: oneOf(['project', 'occlusion', 'gallery', 'filters', 'training', 'sparse']),
    alias: { explore: 'project' },
  },
  model: { value: 'squeezenet', test: (text) => /^[\w.~-]{1,64}$/.test(text) },
  photo: { value: 'cat', test: (text) => /^[\w-]{1,64}(@\d+(,\d+){3})?$/.test(text) },
  layer: { value: '', test: (text) => text.length < 200 },
  map: { value: '', test: natural },
  at: { value: '', test: (text) => /^\d{1,5},\d{1,5}$/.test(text) },
  rule: choice('deconvnet', 'gradient', 'guided'),
  seed: { value: 'unit', test: (text) => text === 'unit' || text === 'map' || (natural(text) && Number(text) > 0) },
  unpool: choice('switches', 'centre'),
  lrn: { value: '', test: oneOf(['identity', 'divide']) },
  contrast: { value: 'auto', test: (text) => text === 'auto' || (Number(text) >= 0.1 && Number(text) <= 1000) },
  weights: choice('trained', 'random'),
  order: choice('peak', 'here', 'sum', 'number'),
  tab: choice('projection', 'way'),
  step: { value: '', test: (text) => text.length < 200 },
  channel: { value: '', test: natural },
  class: { value: '', test: natural },
  size: { value: '', test: upTo() },
  stride: { value: '', test: upTo() },
  grid: choice('centre', 'inside'),
  fill: {
    value: 'mean',
    test: (text) => /^[\da-f]{6}$/.test(text) || ['mean', 'grey', 'black', 'white', 'blur', 'noise'].includes(text),
  },
  show: choice('p', 'difference', 'logit'),
  square: { value: '', test: (text) => /^\d{1,5},\d{1,5}$/.test(text) },
  experiment: choice('occlusion', 'invariance', 'correspondence'),
  part: choice('eye', 'nose'),
  side: { value: '', test: upTo() },
  marks: { value: '', test: (text) => /^[\w:,;-]{1,999}$/.test(text) },
  layers: { value: '', test: (text) => text.length < 1000 },
  b: { value: '', test: (text) => /^[\w:;]{1,99}$/.test(text) },
  edit: choice('a', 'b'),
  transform: { value: 'rotate', test: oneOf(['shift_vertically', 'shift_horizontally', 'scale', 'rotate']) },
  from: { value: '', test: amount },
  to: { value: '', test: amount },
  amount: { value: '', test: amount },
  outlines: choice('on', 'off'),
  over: { value: '', test: oneOf(['p', 'class', 'activation']) },
  opacity: { value: '60', test: (text) => natural(text) && Number(text) <= 100 },
  sort: choice('rank', 'strength', 'spread', 'alike', 'number'),
  plain: choice('on', 'off'),
  pool: choice('shipped', 'own', 'both'),
  beside: { value: '', test: natural },
  filter: { value: '', test: natural },
  by: choice('frequency', 'orientation', 'rms', 'number'),
  scale: choice('own', 'common'),
  dead: { value: '0.1', test: decimal },
  weak: { value: '0.5', test: decimal },
  dominant: { value: '2.5', test: decimal },
  radius: { value: '', test: decimal },
  second: { value: '', test: natural },
  against: { value: '', test: (text) => /^[\w.~-]{1,64}$/.test(text) },
  chapter: choice('invert', 'code', 'layers', 'learn'),
  solver: choice('both', 'ista', 'fista'),
  lambda: { value: '', test: above },
  beta: { value: '1', test: above },
  iterations: { value: '', test: upTo(10_000) },
  start: choice('zero', 'transpose'),
  down: { value: '0', test: (text) => /^[0-5]$/.test(text) },
  strength: { value: '', test: above },
  overlay: { value: 'off', test: oneOf(['on', 'off']) },
  lambdas: choice('dictionary', 'auto'),
  level: { value: '', test: upTo() },
  atoms: { value: '15', test: (text) => Number(text) % 3 === 0 && upTo(96)(text) },
  passes: { value: '5', test: upTo() },
  shots: { value: '16', test: upTo(300) },
  colour: { value: 'off', test: oneOf(['on', 'off']) },
  run: { value: 'twin-7-2', test: (text) => /^[\w-]{1,64}$/.test(text) },
  epoch: { value: '', test: natural },
  feature: { value: '', test: (text) => text.length < 200 },
  features: { value: '', test: (text) => /^\d{1,5}(,\d{1,5}){0,11}$/.test(text) },
  images: { value: '200', test: upTo() },
  net: choice('lenet', 'fashion-mnist', 'cifar10', 'twin-11-4', 'twin-7-2'),
  spec: { value: '', test: network },
  data: { value: '', test: oneOf(['mnist', 'fashion-mnist', 'pool', 'own']) },
  rate: { value: '', test: above },
  epochs: { value: '', test: upTo() },
  batch: { value: '', test: upTo(65_536) },
  luck: { value: '1', test: natural },
  lang: { value: '', test: oneOf(['en', 'ru']) },
  theme: { value: '', test: oneOf(['light', 'dark']) },
  present: { value: '', test: oneOf(['1']) },
  embed: { value: '', test: oneOf(['1']) },
};

/** These stand in every link, default or not, so that a link says what it shows. @type {(keyof State)[]} */
const ALWAYS = ['model', 'photo', 'view'];

/** @returns {State} */
const defaults = () =>
  /** @type {State} */ (Object.fromEntries(Object.entries(KEYS).map(([key, { value }]) => [key, value])));

/**
 * @param {string} hash with or without `#`
 * @returns {{ state: State, unknown: [string, string][], rejected: Rejected[] }}
 */
export function parse(hash) {
  const state = defaults();
  /** @type {[string, string][]} */
  const unknown = [];
  /** @type {Rejected[]} */
  const rejected = [];
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ''))) {
    const rule = KEYS[/** @type {keyof State} */ (key)];
    if (!Object.hasOwn(KEYS, key) || !rule) {
      unknown.push([key, text]);
      continue;
    }
    const value = rule.alias?.[text] ?? text;
    if (value === '' || rule.test(value)) state[/** @type {keyof State} */ (key)] = value || rule.value;
    else rejected.push({ key, value: text });
  }
  return { state, unknown, rejected };
}

/**
 * The hash of a state; slashes and commas stay readable.
 * @param {State} state
 * @param {[string, string][]} unknown
 */
export function format(state, unknown = []) {
  const known = /** @type {(keyof State)[]} */ (Object.keys(KEYS))
    .filter((key) => state[key] !== KEYS[key].value || ALWAYS.includes(key))
    .filter((key) => !(['model', 'against'].includes(key) && state[key] === 'own'))
    .map((key) => [key, state[key]]);
  return [...known, ...unknown]
    .map(
      ([key, value]) =>
        `${encodeURIComponent(key)}=${encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%2C', ',')}`,
    )
    .join('&');
}

/** The state of the page. `change` is told after every change, with the keys that changed. */
export class Store extends EventTarget {
  /** @type {[string, string][]} */
  #unknown = [];
  /** @type {Rejected[]} */
  rejected = [];
  /** @type {Readonly<State>} */
  state = defaults();

  constructor() {
    super();
    this.#read();
    addEventListener('hashchange', () => {
      // Setting a model of the visitor's own leaves no trace in the hash; our own writes do not fire this event.
      const before = this.state;
      this.#read();
      this.#tell(before);
    });
  }

  #read() {
    const { state, unknown, rejected } = parse(location.hash);
    this.state = state;
    this.#unknown = unknown;
    this.rejected = rejected;
  }

  /** @param {Readonly<State>} before */
  #tell(before) {
    const keys = /** @type {(keyof State)[]} */ (Object.keys(KEYS)).filter((key) => before[key] !== this.state[key]);
    if (keys.length || this.rejected.length) this.dispatchEvent(new CustomEvent('change', { detail: keys }));
  }

  /** @param {Partial<State>} change */
  set(change) {
    const before = this.state;
    this.state = { ...before, ...change };
    this.rejected = [];
    history.replaceState(null, '', `#${format(this.state, this.#unknown)}`);
    this.#tell(before);
  }

  /** The address of exactly this view. */
  get link() {
    return `${location.href.split('#')[0]}#${format(this.state, this.#unknown)}`;
  }
}
