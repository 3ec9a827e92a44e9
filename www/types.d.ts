/**
 * The public types of `unpool.js`. Positions are row, column; rectangles are half open
 * `[y0, x0, y1, x1)` in the frame they name and may reach beyond it. Arrays are the caller's own.
 */

/**
 * What a promise rejects with: `name` says whose fault it was, `message` what to do about it. `Stopped`: the
 * engine was stopped, or broke (a fault of Unpool's); start a new one.
 */
export type ErrorKind = 'Malformed' | 'Unsupported' | 'Shape' | 'Limit' | 'Parameter' | 'Aborted' | 'Stopped';

/** Why the engine runs with as many threads as it does, for pages in other languages than `reason`. */
export type Why = 'isolated' | 'asked' | 'one-core' | 'not-isolated' | 'no-shared-memory' | 'pool-failed';

export type Rect = [y0: number, x0: number, y1: number, x1: number];

/** A dense array in C order. */
export interface Tensor {
  data: Float32Array;
  shape: number[];
}

export interface LayerInfo {
  name: string;
  /** `conv`, `relu`, `max_pool`, `avg_pool`, `subsample`, `lrn`, `concat`, `sum`, `dense`, `dropout`, `global_avg`, `softmax`, … */
  kind: string;
  inputs: string[];
  /** channels, height, width at the model's own input size; a dense layer has height and width 1. */
  shape: [number, number, number];
  /** Side lengths in pixels: height, width; how far apart neighbouring units look: height, width. */
  receptive_field: [number, number];
  stride: [number, number];
  parameters: number;
}

export interface NetInfo {
  name: string;
  title: string;
  licence: string;
  origin: string;
  notes: string;
  input: { shape: [number, number, number]; mean: number[]; std: number[]; order: 'rgb' | 'bgr' };
  /** Empty for a network without a classifier. */
  classes: string[];
  layers: LayerInfo[];
  /** Bytes of weights in memory. */
  bytes: number;
  /** Weights that are NaN or infinite: what depends on them means nothing. A ReLU takes NaN as 0. */
  broken: number;
}

export interface Prediction {
  index: number;
  label: string;
  p: number;
}

/** One line per feature map of a layer: its largest value, where it stands, and its sum. */
export interface MapInfo {
  map: number;
  peak: number;
  at: [number, number];
  sum: number;
}

export interface ProjectOptions {
  layer: string;
  map: number;
  /** Default: the map's maximum. */
  at?: [number, number];
  /** Seed the whole map, or its K strongest units, instead of one. */
  wholeMap?: boolean;
  strongest?: number;
  rule?: 'deconvnet' | 'gradient' | 'guided';
  unpool?: 'switches' | 'centre';
  /** Default: identity for the deconvnet, the true derivative for the other rules. */
  lrn?: 'identity' | 'divide';
  /** Sanity check: the weights of all layers above the seed's input randomised with this seed. */
  randomise?: number;
  signal?: AbortSignal;
}

/** A projection in the input's frame (channels, height, width, the model's channel order and units). */
export interface Projection extends Tensor {
  layer: string;
  map: number;
  rule: string;
  /** Of the strongest seeded unit. */
  at: [number, number];
  value: number;
  units: number;
  receptiveField: Rect;
}

/** One step of the way down: the signal that arrived at a layer's output. */
export interface Step {
  layer: string;
  /** What was done to get here: `seed`, `unpool`, `rectify`, `filter`, `split`, `copy`, `spread`, `normalise`, `pixels`. */
  operation: string;
  /** channels, height, width of the layer, and the part of it where the signal can be non-zero. */
  shape: [number, number, number];
  rect: Rect;
  /** The signal over `rect`, reduced over channels by largest magnitude: (y1-y0)·(x1-x0) values. */
  extent: Float32Array;
  /** The channel that holds the largest value, and that value. */
  strongest: number;
  peak: number;
}

/** One map of one step, with the switches of the pooling layer that the signal crosses there. */
export interface StepMap {
  layer: string;
  map: number;
  rect: Rect;
  data: Float32Array;
  /** For an unpool step: the pooled signal of the same map before it, and where each of its values went. */
  pooled?: {
    layer: string;
    rect: Rect;
    data: Float32Array /** y, x per value, in the frame of `layer` below; -1 where nothing went. */;
    switches: Int32Array;
    kernel: [number, number];
    stride: [number, number];
    pad: [number, number];
  };
}

export interface OccludeOptions {
  /** Class whose probability is followed; default: the unoccluded prediction. */
  class?: number;
  /** Side of the square and distance between positions, in pixels; defaults: shorter side / 4.5, and 8. */
  size?: number;
  stride?: number;
  /** `centre`: each cell of the map stands over its stretch of the image, the square is clipped there. `inside`: never clipped. */
  grid?: 'centre' | 'inside';
  /** What stands in the square; a colour is 0–255 red, green, blue. Default: the training mean. */
  fill?: 'mean' | 'blur' | 'noise' | [number, number, number];
  /** Maps whose total activation is followed. Default: the strongest map of the last layer before the classifier. */
  watch?: { layer?: string; map?: number }[];
  /** Recompute everything at every position, for comparison. */
  full?: boolean;
}

/** What is known of a sweep so far; arrays are rows × columns of positions. Not computed yet: NaN, or −1 for a class. */
export interface OcclusionPart {
  shape: [rows: number, columns: number];
  size: number;
  stride: number;
  /** y0, x0, y1, x1 of the square at each position, clipped to the image. */
  squares: Int32Array;
  /** null without a classifier, as is `label`; then p and logit stay NaN. */
  class: number | null;
  label: string | null;
  /** Of the unoccluded image. */
  p0: number;
  logit0: number;
  p: Float32Array;
  logit: Float32Array;
  /** The most probable class, and the five most probable with their probabilities (five per position). */
  top: Int32Array;
  best: Int32Array;
  bestP: Float32Array;
  watched: { layer: string; map: number; activation0: number; activation: Float32Array }[];
  /** Share of the positions done; coarse ones come first. */
  fraction: number;
  seconds: number;
  secondsLeft: number;
  done: boolean;
}

export type Transform = 'shift_vertically' | 'shift_horizontally' | 'scale' | 'rotate';

export interface InvarianceOptions {
  transform: Transform;
  /** First and last amount: pixels, a factor, or degrees; defaults as in ZF14 Fig. 5. */
  from?: number;
  to?: number;
  /** Number of amounts, both ends included; default 25. */
  steps?: number;
  /** Layers whose features are compared. */
  layers: string[];
  /** Class whose probability is followed; default: the prediction for the photo as it is. */
  class?: number;
}

/** Curves over the amounts; not computed yet: NaN. */
export interface InvariancePart {
  amounts: number[];
  layers: string[];
  /** Per layer: Euclidean distance of its features to those of the photo as it is. */
  distances: Float32Array[];
  /** null without a classifier. */
  class: number | null;
  label: string | null;
  p: Float32Array;
  fraction: number;
  done: boolean;
}

export interface CorrespondenceOptions {
  /** Layers whose features are compared. */
  layers: string[];
  /** Draws of random parts of the same sizes, as the control; default 10, 0 for none. */
  random?: number;
  /** Of the random places; default 1. */
  seed?: number;
}

/** What is known so far of how alike the same part is to each layer (ZF14 Table 1). */
export interface CorrespondencePart {
  layers: {
    layer: string;
    /** Δ over the pairs of photos: mean normalised Hamming distance of the signs of change, its deviation over the pairs, the sum over ordered pairs. null until every part has been hidden. */
    same: { mean: number; deviation: number; sum: number; pairs: number } | null;
    /** The same of random parts: mean and deviation over the draws so far. null before the first. */
    random: { mean: number; deviation: number; draws: number } | null;
  }[];
  fraction: number;
  done: boolean;
}

/** Of a picture's file: an animation's first frame, CMYK as RGB, transparency over white; turned as its EXIF says. */
export type Source = ImageData | ImageBitmap | Blob | Tensor;

export interface LoadOptions {
  onprogress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** A gallery file: an address or its bytes. */
export type GallerySource = string | URL | ArrayBuffer | Uint8Array | Blob;

export interface GalleryOptions {
  /**
   * Where the photos are that entries name: the address of a folder, files by name, or a function. Default: the
   * photographs that come with the page, `pool/` beside unpool.js.
   */
  photos?: string | URL | Map<string, Blob | ImageData> | ((name: string) => Promise<Blob | ImageData | ImageBitmap>);
  signal?: AbortSignal;
}

export interface GalleryInfo {
  /** The network's short name, and a checksum of what it computes with. */
  model: string;
  weights: string;
  /** false: built with other weights of the same name; then cells will be stale. */
  sameWeights: boolean;
  /** Entries kept for each map. */
  top: number;
  /** Scales in which each photo was searched: 1, 2 or 3. */
  windows: number;
  /** Photos searched, each counted once for each map; files that could not be. */
  searched: number;
  skipped: number;
  /** Of an unfinished file of the command line: how far it is; else null. */
  unfinished: string | null;
  /** The photos that entries point to. */
  photos: { name: string; height: number; width: number }[];
  /** Layers in the network's order; `dead`: the maps that no photo excites. */
  layers: { name: string; maps: number; dead: number[] }[];
}

/** All entries of a layer, maps × entries, strongest first. */
export interface GalleryLayer {
  layer: string;
  shape: [maps: number, entries: number];
  /** Index into info.photos. */
  photos: Int32Array;
  /** y0, x0, y1, x1 in the photo's own pixels: the part that was resized to the network's input. */
  windows: Float32Array;
  /** Row, column of the maximum in the layer's plane. */
  at: Int32Array;
  values: Float32Array;
}

export interface GalleryEntry {
  entry: number;
  /** Index into info.photos, and the name there. */
  photo: number;
  name: string;
  window: Rect;
  at: [number, number];
  value: number;
}

/** How many photos have their maximum in which range; ranges ascend, empty ones are left out. */
export interface GalleryHistogram {
  from: Float32Array;
  to: Float32Array;
  counts: Uint32Array;
}

/** Where a photo stands in one map. */
export interface GalleryRank {
  layer: string;
  map: number;
  /** Its maximum, where that is, and the number of the window it is in (0: the middle, as Net.run() sees the photo). */
  value: number;
  at: [number, number];
  window: number;
  /** 1: no searched photo excites the map more. Whole among the kept entries, interpolated in the histogram below them. */
  rank: number;
  /** The value over the largest of the gallery; 0 where the map is dead in it. */
  share: number;
}

/** What the unit of an entry sees. */
export interface GalleryPatch {
  shape: [height: number, width: number];
  /** Mid-grey beyond the photo's border. */
  patch: ImageData;
  /** In the network's input frame, and the window that this frame is in the photo's pixels. */
  receptiveField: Rect;
  window: Rect;
  at: [number, number];
  /** The activation as it is stored. */
  stored: number;
}

/** An entry computed anew from its photo. */
export interface GalleryCell extends GalleryPatch {
  /** The projection of this one activation, at the scale of the patch. */
  projection: ImageData;
  /** c of the display formula 0.5 + c·x / (2·max|x|). */
  contrast: number;
  /** The activation now; its relative difference to the stored one; whether that is above 1e-3. */
  value: number;
  difference: number;
  stale: boolean;
}

export class Gallery {
  readonly info: GalleryInfo;
  layer(name: string): Promise<GalleryLayer>;
  entries(layer: string, map: number): Promise<GalleryEntry[]>;
  histogram(layer: string, map: number): Promise<GalleryHistogram>;
  /**
   * Every map that a photo excites, those first in which it stands highest among the photos searched. A photo is
   * searched in the same windows as they were; a Trace is what it is: one window. A Gallery of one photo ranks that one
   * without searching it again.
   */
  ranks(
    source: Trace | Gallery | ImageData | ImageBitmap | Blob,
    options?: { signal?: AbortSignal },
  ): Promise<GalleryRank[]>;
  /** The file of a photo. */
  photo(index: number): Promise<Blob | ImageData | ImageBitmap>;
  /** `side`: reduce patch and projection to at most so many pixels. */
  cell(
    layer: string,
    map: number,
    entry: number,
    options?: { side?: number; signal?: AbortSignal },
  ): Promise<GalleryCell>;
  /** What its unit sees, without the projection and before it: nothing is computed. */
  patch(
    layer: string,
    map: number,
    entry: number,
    options?: { side?: number; signal?: AbortSignal },
  ): Promise<GalleryPatch>;
  /** The whole forward pass of what an entry's window shows. */
  trace(layer: string, map: number, entry: number, options?: { signal?: AbortSignal }): Promise<Trace>;
  /**
   * All as one; they must have been built alike, from different photos. `layers`: only these. Of layers that only some hold,
   * those are merged.
   */
  merge(others: Gallery | Gallery[], options?: { layers?: string[] }): Promise<Gallery>;
  /** As a file, the same that the command line writes. */
  bytes(): Promise<Uint8Array>;
  close(): void;
}

export interface BuildOptions {
  /** Default: every convolution's and dense layer's output, behind its ReLU. */
  layers?: string[];
  /** Photos kept for each map; default 9. */
  top?: number;
  /** Where in a photo: 1 its middle (default), 2 also both ends of its longer side, 3 also squares of half that side. */
  windows?: number;
  /** Go on with a gallery that holds the first `from` files of the same list. */
  into?: Gallery;
  from?: number;
}

export interface BuildProgress {
  done: number;
  total: number;
  /** Files that could not be searched so far. */
  skipped: { name: string; why: string }[];
  /** Files a second while it ran, and the time left at that. */
  rate: number;
  secondsLeft: number;
}

/** A gallery being built. What is there is kept when a run is left or aborted; another run() goes on from there. */
export class GalleryBuild {
  readonly done: number;
  readonly total: number;
  readonly skipped: { name: string; why: string }[];
  /** Works while it is iterated; progress about every `interval` milliseconds (default 200). */
  run(options?: { signal?: AbortSignal; interval?: number }): AsyncGenerator<BuildProgress, void, void>;
  /** What there is so far, at any time. */
  gallery(): Promise<Gallery>;
  close(): void;
}

export class Engine {
  /**
   * Starts the worker. `threads`: wanted number (default: all cores, at most 8; 1: the single-threaded package).
   * `preload`: a model's address that load() will be called with; it is on its way while the engine starts.
   */
  static start(options?: { threads?: number; preload?: string | URL }): Promise<Engine>;
  readonly flavour: 'threads' | 'single';
  readonly threads: number;
  /** Why this flavour runs, as a sentence. */
  readonly reason: string;
  readonly why: Why;
  load(source: string | URL | ArrayBuffer | Uint8Array | Blob, options?: LoadOptions): Promise<Net>;
  /** Starts the worker of sparse coding; its package is fetched then. `threads` as for start(). Stop it when it is no longer needed. */
  lab(options?: { threads?: number }): Promise<Lab>;
  stop(): void;
}

export class Net {
  readonly info: NetInfo;
  /** A photograph is oriented, resized and cropped as the model says; a Tensor is used as it is. */
  run(source: Source, options?: { signal?: AbortSignal }): Promise<Trace>;
  /** Opens a gallery of this network; Unsupported where it belongs to another one. */
  gallery(source: GallerySource, options?: GalleryOptions): Promise<Gallery>;
  /** Prepares building one from photos; names are paths inside a folder, all different. */
  buildGallery(
    files: Iterable<{ name: string; photo: Blob | ImageData }>,
    options?: BuildOptions,
  ): Promise<GalleryBuild>;
  /** First-layer (or any convolution's) filters: out, in, height, width. */
  filters(layer: string): Promise<Tensor>;
  /**
   * Hides a part of each photo, the same in all, under the training mean, and compares how the features change; then random parts. Traces are of
   * this network; parts in pixels of the input, clipped to it. Partial results about every `interval` milliseconds
   * (default 100). Leaving the loop stops it.
   */
  correspondence(
    marks: { trace: Trace; part: Rect }[],
    options: CorrespondenceOptions,
    how?: { signal?: AbortSignal; interval?: number },
  ): AsyncGenerator<CorrespondencePart, void, void>;
  close(): void;
}

export class Trace {
  /** Milliseconds of the forward pass. */
  readonly milliseconds: number;
  /** What the network was given, as pixels (null for a Tensor input). */
  readonly photo: ImageData | null;
  readonly shape: [number, number, number];
  /** Shapes of all layers for this input, by name, and the seed-independent geometry. */
  readonly shapes: Record<string, [number, number, number]>;
  /** Most probable classes first; rejects with Unsupported where the network has no classifier. */
  top(k?: number): Promise<Prediction[]>;
  activation(layer: string): Promise<Tensor>;
  /** One feature map: height·width values. */
  map(layer: string, map: number): Promise<Tensor>;
  maps(layer: string): Promise<MapInfo[]>;
  /** The maps reduced to at most `side` pixels (largest magnitude wins), scaled so that each map's peak is 255: maps·h·w bytes. */
  thumbnails(layer: string, side: number): Promise<{ data: Uint8Array; shape: [number, number, number] }>;
  /** Rectangle of the input that a unit sees, unclipped. */
  receptiveField(layer: string, at: [number, number]): Promise<Rect>;
  /** Strongest unit of a map among those whose receptive field's centre lies nearest to an input pixel. */
  unitAt(layer: string, map: number, pixel: [number, number]): Promise<{ at: [number, number]; value: number }>;
  project(options: ProjectOptions): Promise<Projection>;
  /** The way down of the same projection, seed first, pixels last. */
  way(options: ProjectOptions): Promise<Step[]>;
  /** The occlusion sweep: partial results about every `interval` milliseconds (default 100), the last one complete. Leaving the loop stops it. */
  occlude(
    options?: OccludeOptions,
    how?: { signal?: AbortSignal; interval?: number },
  ): AsyncGenerator<OcclusionPart, void, void>;
  /** What the occluding square shows, wherever it stands: the whole photo so covered, as pixels. `size`: the square's side, for the blur. */
  cover(options: { fill: OccludeOptions['fill']; size?: number }): Promise<ImageData>;
  /** Moves, scales or turns the photo and compares features; partial curves about every `interval` milliseconds (default 100). */
  invariance(
    options: InvarianceOptions,
    how?: { signal?: AbortSignal; interval?: number },
  ): AsyncGenerator<InvariancePart, void, void>;
  /** Ends what the engine's sweeps are computing at this moment: their next parts come at once. Not asking for more is a pause. */
  hold(): void;
  /** The photo moved, scaled or turned, as the network is given it. */
  transformed(transform: Transform, amount: number): Promise<ImageData>;
  /** One map of one step of that way, in numbers. */
  step(options: ProjectOptions, layer: string, map: number): Promise<StepMap>;
  close(): void;
}

/** What the importer is sent: a file, and what the visitor adds to it. */
export interface ImportErrand {
  file: Blob;
  options: {
    file_name: string;
    prototxt?: string;
    labels?: string;
    mean?: number[];
    std?: number[];
    order?: 'rgb' | 'bgr';
  };
  /** Files of test data: what goes in, what should come out; or none. */
  tests: Blob[];
}

/** Test data: channels, rows and columns of a picture, all of them, and the numbers that should come out; or why they cannot be used. */
export type ImportTest =
  | { shape: [number, number, number]; pictures: Float32Array<ArrayBuffer>; wanted: Float32Array<ArrayBuffer> }
  | { refused: string };

/** One thing that an import did: a sentence and what fills its blanks; in the page's words under `import.line.CODE`. */
export interface ImportLine {
  code: string;
  values: Record<string, string>;
  /** In English. */
  text: string;
}

/** What an import did: nothing is folded, left out or assumed in silence. */
export interface ImportReport {
  format: string;
  layers: number;
  tensors: number;
  parameters: number;
  /** The layer that holds what the file calls its output; empty where that is the last one. */
  output: string;
  /** What is likely to be broken in the file itself: weights that are no numbers. */
  suspect: ImportLine[];
  folded: ImportLine[];
  renamed: ImportLine[];
  skipped: ImportLine[];
  guesses: ImportLine[];
  missing: ImportLine[];
  notes: ImportLine[];
}

/** What the importer tells: bytes read, then the network as a file of ours, or an error. */
export interface ImportNews {
  progress?: number;
  done?: { report: ImportReport; hash: string; file: Blob; test?: ImportTest };
  error?: { name: string; message: string };
}

/** A convolution to be inverted, as it crosses from the engine's worker to the lab's. */
export interface LabStage {
  layer: object;
  weights: Float32Array;
  bias: Float32Array;
  truth: Float32Array;
  crossings: { unpool?: Uint32Array; shape?: [number, number, number]; rectify?: true; scale?: Float32Array }[];
}

export interface InvertOptions {
  /** A convolution. */
  layer: string;
  /** Go on through so many more convolutions below, layer by layer (default 0). */
  down?: number;
  /** λ, or one for each of the layers; default: about 5 % of the values other than zero; smooth: 1000/‖F‖². */
  lambda?: number | number[];
  /**
   * What each layer's input is taken to be like: few values (‖z‖₁), or neighbours that are alike (½‖∇z‖², solved by conjugate gradient whatever the
   * method). Default: sparse, but smooth for pixels that are recovered below another layer.
   */
  prior?: 'sparse' | 'smooth' | ('sparse' | 'smooth')[];
  /** β; default 1/(λ‖F‖²), ‖F‖² by power iteration. A larger one may diverge, and is shown doing so. */
  step?: number;
  method?: 'ista' | 'fista';
  /** The first z: zero (default), or the transposed filter's answer. */
  start?: 'zero' | 'transpose';
  /** For each layer; default 100. */
  iterations?: number;
}

/** One layer of an inversion: min over z of (λ/2)‖Fz − y‖² + ‖z‖₁, or another prior. */
export interface InvertStage {
  prior: 'sparse' | 'smooth';
  /** Share of the response that is known and explained: all of it, or below another layer what came down through the switches. */
  known: number;
  /** The convolution, and what it reads: whose values are recovered. */
  layer: string;
  input: string;
  /** ‖F‖² as far as power iteration knows it. */
  norm2: number;
  /** These are null until the iterations begin. */
  lambda: number | null;
  step: number | null;
  /** The objective before the first iteration. */
  start: number | null;
  /** The objective after each iteration. */
  objective: number[];
  /** Values of z that are not zero, and their share. */
  nonzero: number | null;
  support: number | null;
  /** ‖Fz − y‖ / ‖y‖. */
  error: number | null;
  /** ‖z − truth‖ / ‖truth‖; and the cosine of the angle between them, whatever their scale. */
  distance: number | null;
  likeness: number | null;
  /** The same cosine for the transposed filters' answer. */
  transposeLikeness: number;
  z: Tensor;
  truth: Tensor;
  /** Fᵀy: the one-step answer, the deconvnet's. */
  transpose: Tensor;
  /** y, the convolution's response without bias. */
  response: Tensor;
  /** Fz − y, shaped like the response. */
  residual: Float32Array | null;
  /** A sentence when the step was too large: the objective is no finite number any more. Then this part is the last. */
  diverged: string | null;
}

export interface InvertPart {
  /** From the layer asked for downwards; the last one may be at work. */
  stages: InvertStage[];
  fraction: number;
  done: boolean;
}

export interface DictionaryInfo {
  about: { title: string; licence: string; origin: string; side: number; sigma: number; channels: 1 | 3 };
  layers: {
    /** Maps, maps pooled below, height, width. */
    shape: [number, number, number, number];
    lambda: number;
    pool_side: number;
    pool_maps: number;
    /** While it was learned: the mean objective of a photo after each pass over them. */
    objective: number[];
    /** ‖R z − y‖ / ‖y‖ on the photos it was learned from, and on others; share of values other than zero on those. */
    error: number | null;
    held_out_error: number | null;
    support: number | null;
    /** Filters drawn anew: those no photo used, those that repeated another. */
    reseeded: [number, number];
  }[];
}

export interface CodeOptions {
  /** Layers to infer; default all. */
  layers?: number;
  /** λ of each layer; default the dictionary's. `auto`: about 5 % of the values other than zero in every layer. */
  lambda?: number | number[] | 'auto';
  method?: 'ista' | 'fista';
  /** For each layer; default 10. */
  iterations?: number;
  /** Of a tensor: its contrast is normalised already, it is used as it is (default false). */
  normalised?: boolean;
}

/** One layer of a coded photo. */
export interface CodeLayer {
  /** Counted from 1. */
  layer: number;
  /** ‖R‖². */
  norm2: number;
  /** These are null until the iterations begin. */
  lambda: number | null;
  step: number | null;
  start: number | null;
  objective: number[];
  nonzero: number | null;
  support: number | null;
  /** ‖R z − y‖ / ‖y‖. */
  error: number | null;
  /** The maps: maps, height, width; they overhang what they draw on by the filters' side less one. */
  z: Tensor;
  /** What the layer above explains. */
  pooled: Tensor;
  /** R z, in the image's shape. */
  reconstruction: Tensor;
}

export interface CodePart {
  /** The photo with its contrast normalised: what is explained. */
  image: Tensor;
  /** From the pixels up; the last one may be at work. */
  layers: CodeLayer[];
  fraction: number;
  done: boolean;
}

/** One activation, and what it draws: `data` over `rect` of the image, zero elsewhere. */
export interface CodeMark extends Tensor {
  map: number;
  at: [number, number];
  value: number;
  rect: Rect;
}

/** One layer of a decomposition: `count` activations make up the one at the top; the strongest of them are `parts`. */
export interface CodeLevel {
  layer: number;
  count: number;
  parts: CodeMark[];
}

export interface PathOptions {
  /** Default: `count` (24) of them over three orders of magnitude, from the one below which all is zero. */
  lambda?: number[];
  count?: number;
  /** For each λ, started from the one before; default 40. */
  iterations?: number;
}

export interface PathPart {
  /** By rising λ. */
  points: { lambda: number; error: number; support: number; l1: number; objective: number }[];
  fraction: number;
  done: boolean;
}

/** A photo being coded; run() to the end, then ask. */
export interface Coding {
  run(how?: { signal?: AbortSignal; interval?: number }): AsyncGenerator<CodePart, void, void>;
  /** What each map of a layer draws at its strongest in this photo: its filter in pixels; null where the photo does not use it. */
  filters(layer: number): Promise<(CodeMark | null)[]>;
  /**
   * An activation taken apart down to layer 1, `most` parts (default 12) of each layer, the top layer first. Without `at` the map's
   * strongest, without `map` the layer's; empty where all are zero.
   */
  decompose(which: { layer: number; map?: number; at?: [number, number]; most?: number }): Promise<CodeLevel[]>;
  close(): void;
}

export interface LearnOptions {
  /** Layers of ADN11's plan (15, 50, 100, 150 filters of 7×7); default 1. */
  layers?: number;
  /** Other numbers of filters; each layer pools 3, 2, 2, 2 maps together, which must divide them. */
  maps?: number[];
  /** Share of each layer's values to be other than zero, which gives its λ. */
  share?: number[];
  colour?: boolean;
  /** Photos are reduced to it (default 150); reach of the contrast normalisation in pixels (3). */
  side?: number;
  sigma?: number;
  /** Passes over the photos (8); photos between updates (4); iterations for each code (10); conjugate gradient steps of an update (2). */
  epochs?: number;
  batch?: number;
  iterations?: number;
  steps?: number;
  /** The same photos, options and seed give the same dictionary. */
  seed?: number;
  /** Go on with what Learning.bytes() gave, with the same photos and options. */
  from?: ArrayBuffer | Uint8Array | Blob;
}

export interface LearnPart {
  /** The layer at work, counted from 1, and the passes it has had. */
  layer: number;
  passes: number;
  photos: number;
  /** As they are now: maps, below, height, width. */
  filters: Tensor;
  lambda: number;
  /** Mean objective of a photo after each pass. */
  objective: number[];
  /** Drawn anew so far: those no photo used, those that repeated another. */
  reseeded: [number, number];
  fraction: number;
  done: boolean;
}

/** A dictionary being learned. Leaving run() stops it; run() again goes on. */
export interface Learning {
  run(how?: { signal?: AbortSignal; interval?: number }): AsyncGenerator<LearnPart, void, void>;
  /** What is learned so far, to code photos in. */
  dictionary(): Promise<Dictionary>;
  /** The same as a file in full precision: LearnOptions.from goes on with it, from the last whole pass. */
  bytes(): Promise<Uint8Array>;
  close(): void;
}

/** Layers of filters. */
export interface Dictionary {
  readonly info: DictionaryInfo;
  /** Maps, maps below, height, width. */
  filters(layer: number): Promise<Tensor>;
  /** As a file, the same that the command line writes. */
  bytes(): Promise<Uint8Array>;
  /** A photo is reduced to the dictionary's side; a Tensor (channels as the dictionary's, any units) is used in its own size. */
  code(photo: Source, options?: CodeOptions, how?: { signal?: AbortSignal }): Promise<Coding>;
  /** The photo in layer 1 for many λ. */
  path(
    photo: Source,
    options?: PathOptions,
    how?: { signal?: AbortSignal; interval?: number },
  ): AsyncGenerator<PathPart, void, void>;
  close(): void;
}

/** A layer of a network to be trained, as in a model file: `{ name: 'conv1', kind: 'conv', filters: 8, kernel: [5, 5] }`. */
export interface LayerSpec {
  name: string;
  kind: string;
  /** Names of the layers it reads; `data` is the input. Default: the layer before. */
  inputs?: string[];
  [setting: string]: unknown;
}

/** A network without numbers. */
export interface NetworkSpec {
  name: string;
  title?: string;
  licence?: string;
  origin?: string;
  notes?: string;
  /** channels, height, width; mean and deviation for each channel in 0–255 units. */
  input: { shape: [number, number, number]; mean?: number[]; std?: number[]; order?: 'rgb' | 'bgr' };
  /** Default: those of the data. */
  classes?: string[];
  layers: LayerSpec[];
}

export type Schedule =
  | { kind: 'constant' }
  | { kind: 'cosine' }
  /** The rate times `factor` after every so many epochs, or when the test loss has not fallen for `patience` of them. */
  | { kind: 'step'; every: number; factor: number }
  | { kind: 'plateau'; patience: number; factor: number };

/** Where weights start: He et al. 2015, or normal with a deviation. */
export type Init = 'he' | { normal: number };

/** How a network is trained; what is left out has the default in brackets. */
export interface Recipe {
  /** Passes over the data (10), images in a step (128), learning rate (0.01). */
  epochs?: number;
  batch?: number;
  rate?: number;
  /** (0.9), and its form (false: classic). */
  momentum?: number;
  nesterov?: boolean;
  /** Decay of weights (0). */
  l1?: number;
  l2?: number;
  /** What the rate does over the epochs (constant). */
  schedule?: Schedule;
  /** Share of units that dropout layers switch off (0.5); of dense layers' weights, by name (none). */
  dropout?: number;
  dropconnect?: Record<string, number>;
  /** (he), and of single layers by name. */
  init?: Init;
  init_of?: Record<string, Init>;
  /** A filter whose RMS exceeds it is scaled back to it (null: none). */
  rms_clip?: number | null;
  /** Mirror every other image (false); move by up to so many pixels (0). */
  flip?: boolean;
  shift?: number;
  /** Predict the class, or by which quarter turn a window of a photo was rotated; windows of each photo in an epoch (8). */
  task?: 'classes' | 'rotations';
  windows?: number;
  /** (1). */
  seed?: number;
}

/** What a training file holds. The network: a spec, or the name of a built-in one such as `lenet5`. */
export interface Experiment {
  network: NetworkSpec | string;
  training?: Recipe;
}

/** The same with nothing left out. */
export interface WholeExperiment {
  network: Required<NetworkSpec> & { input: Required<NetworkSpec['input']> };
  training: Required<Recipe>;
}

/** One layer of a network that has no weights yet. */
export interface LayerSize {
  name: string;
  kind: string;
  /** channels, height, width. */
  shape: [number, number, number];
  parameters: number;
}

/** A picture and what it is called in messages; its address or its contents alone do as well. */
export type TrainingPhoto = string | URL | Blob | ImageData | { name: string; photo: Blob | ImageData | string | URL };

/** What to learn from. */
export type TrainingSource =
  /** The address of a folder with {train,test}-{images,labels}.idx.gz and classes.txt, as `./build.sh data` makes it. */
  | { set: string | URL }
  /**
   * IDX files (MNIST's form), also packed (.gz), told apart by what is in them, and train from test by `test` or `t10k` in their names. Without
   * files to test with a share of the images is kept for that.
   */
  | { files: Iterable<File | { name: string; file: Blob | Uint8Array }>; classes?: string[]; hold?: number }
  /**
   * Labelled pictures, one folder a class: what `<input webkitdirectory>` gives, or names such as `cat/tom.jpg`. They are resized to
   * `shape`, the network's input. `hold`: share of each class kept to test with (default 0.1; 0: none).
   */
  | {
      folders: Iterable<File | { name: string; photo: Blob | ImageData }>;
      shape: [number, number, number];
      hold?: number;
    }
  /** Photos without labels, to learn rotations from; every tenth is kept to test with. Each becomes two images, one for each scale. */
  | { photos: Iterable<TrainingPhoto>; shape: [number, number, number] };

export interface TrainingDataInfo {
  classes: string[];
  /** Images to train on and to test with. */
  train: number;
  test: number;
  channels: number;
  /** Of the first image; those of photos without labels differ. */
  height: number;
  width: number;
  /** Files that were left out. */
  skipped: { name: string; why: string }[];
}

/** Data in the lab; close() it when no run needs it any more. */
export interface TrainingData {
  readonly info: TrainingDataInfo;
  /** An image as it is stored, to train on or to test with, and its class's number. */
  image(index: number, part?: 'train' | 'test'): Promise<{ image: ImageData; label: number }>;
  close(): void;
}

/** A step's loss: the mean cross-entropy of its batch, and the share of right predictions. */
export interface TrainingPoint {
  step: number;
  loss: number;
  accuracy: number;
}

export interface TrainingEpoch {
  /** From 1. */
  epoch: number;
  /** Learning rate at its end. */
  rate: number;
  /** Over its images as they were seen, with dropout and augmentation. */
  train: { loss: number; accuracy: number };
  /** At its end; null without test images. */
  test: { loss: number; accuracy: number } | null;
  /** Since the run's start, pauses not counted. */
  seconds: number;
}

export interface TrainingPart {
  /** Epochs done, batches done of the next one; of how many. */
  epoch: number;
  batch: number;
  batches: number;
  epochs: number;
  /** Steps done in all. */
  step: number;
  /** The learning rate in force. */
  rate: number;
  /** New since the part before. After a divergence steps are counted from the last good state again. */
  points: TrainingPoint[];
  /** All epochs so far, also those before a checkpoint that was gone on with. */
  history: TrainingEpoch[];
  /** Of the steps since the part before, tests and pauses not counted; 0 where there were none. */
  imagesPerSecond: number;
  /** Computing time in all. */
  seconds: number;
  /** The first convolution's name and filters as they are now (filters, inputs, rows, columns); null where there is none. */
  layer: string | null;
  filters: Tensor | null;
  /** A sentence when the loss has become useless. The last good state is restored; run() goes on from it, better with a lower rate. */
  diverged: string | null;
  fraction: number;
  /** All epochs are over. */
  done: boolean;
}

/** A map's strongest activation over the training images. */
export interface Winner {
  map: number;
  /** The training image's number; another one than at the checkpoint before: the feature has jumped (ZF14 Fig. 4). */
  image: number;
  label: number;
  at: [number, number];
  value: number;
}

/** A winner made visible; both pictures are cut to the receptive field, mid-grey beyond the image's border. */
export interface EvolutionCell extends Winner {
  /** In the network's input frame, which may reach beyond it. */
  receptiveField: Rect;
  /** height, width of the pictures. */
  shape: [number, number];
  patch: ImageData;
  picture: ImageData;
  /** c of the display formula 0.5 + c·x / (2·max|x|). */
  contrast: number;
  /** The projection in the network's input frame and units: channels, height, width. */
  projection: Tensor;
}

export interface EvolutionOptions {
  layer: string;
  maps: number[];
  /** The first so many training images are searched; default all. */
  images?: number;
}

export interface EvolutionPart {
  /** So far, in the order of `maps`. Before the first image of a map was searched its value is -Infinity. */
  winners: Winner[];
  /** With the last part; [] before. */
  cells: EvolutionCell[];
  images: number;
  fraction: number;
  done: boolean;
}

/**
 * A network being trained. Leaving run() or aborting it pauses: what was learned stays, and another run() goes on. The same
 * experiment, data and seed give the same run on the same flavour.
 */
export interface TrainingRun {
  /** With every default filled in. */
  readonly experiment: WholeExperiment;
  readonly layers: LayerSize[];
  readonly parameters: number;
  /**
   * Parts about every `interval` milliseconds (default 250) until all epochs are over or the run diverges; also right at the end of the epochs
   * `stops` (rising, default none), for whoever keeps their networks.
   */
  run(how?: { signal?: AbortSignal; interval?: number; stops?: number[] }): AsyncGenerator<TrainingPart, void, void>;
  /** So many batches (default 1; 0: only a look); behind the last one of an epoch its test too. */
  step(batches?: number, how?: { signal?: AbortSignal }): Promise<TrainingPart>;
  /** Changes the learning rate on the way, also while run() runs; a schedule goes on from it. */
  setRate(rate: number): Promise<void>;
  setEpochs(epochs: number): Promise<void>;
  /** Everything needed to go on exactly from here: train()'s `from`. */
  checkpoint(): Promise<Uint8Array>;
  /** The network as it is now, as a file that Engine.load() opens. `half`: in float16. */
  model(options?: { half?: boolean }): Promise<Uint8Array>;
  /** Winners as the run stands, among the first `images` training images (default 100). */
  projections(options: EvolutionOptions, how?: { signal?: AbortSignal }): Promise<EvolutionCell[]>;
  close(): void;
}

/**
 * Sparse coding and training, in a worker of its own beside the engine's. Every generator gives partial results about every `interval`
 * milliseconds (default 100), the last one complete; leaving the loop stops it.
 */
export class Lab {
  readonly flavour: 'threads' | 'single';
  readonly threads: number;
  readonly reason: string;
  readonly why: Why;
  /** A layer's input from its response, and further down through the recorded switches. */
  invert(
    trace: Trace,
    options: InvertOptions,
    how?: { signal?: AbortSignal; interval?: number },
  ): AsyncGenerator<InvertPart, void, void>;
  /** Opens a dictionary: ours is at `dictionary.safetensors` beside the page. */
  dictionary(
    source: string | URL | ArrayBuffer | Uint8Array | Blob,
    how?: { signal?: AbortSignal },
  ): Promise<Dictionary>;
  /** Learns a dictionary from photos. */
  learn(
    photos: Iterable<ImageData | ImageBitmap | Blob>,
    options?: LearnOptions,
    how?: { signal?: AbortSignal; onprogress?: (done: number, total: number) => void },
  ): Promise<Learning>;
  /** What a training file says, with a built-in network's layers and every default written out. */
  experiment(source: Experiment | NetworkSpec | string): Promise<WholeExperiment>;
  /** Every layer's size, from the spec alone: a live check while it is written. Rejects with Shape, naming the layer. */
  sizes(network: NetworkSpec | string): Promise<LayerSize[]>;
  /** Reads what to learn from; broken files are named and left out. `onprogress`: bytes of a set, else files. */
  trainingData(
    source: TrainingSource,
    how?: { signal?: AbortSignal; onprogress?: (done: number, total: number) => void },
  ): Promise<TrainingData>;
  /**
   * Prepares training. `from`: what TrainingRun.checkpoint() gave; the network must be its own (null: as the checkpoint says).
   * `weights`: a model file to start from.
   */
  train(
    experiment: Experiment | NetworkSpec | string | null,
    data: TrainingData,
    options?: { from?: ArrayBuffer | Uint8Array | Blob; weights?: ArrayBuffer | Uint8Array | Blob },
    how?: { signal?: AbortSignal },
  ): Promise<TrainingRun>;
  /** One column of ZF14's Fig. 4: the strongest activations of a network's maps over the training images, and their projections. */
  evolve(
    model: string | URL | ArrayBuffer | Uint8Array | Blob,
    data: TrainingData,
    options: EvolutionOptions,
    how?: { signal?: AbortSignal; interval?: number },
  ): AsyncGenerator<EvolutionPart, void, void>;
  stop(): void;
}

/** What the Filters view asks of its worker. */
export interface FilterCall {
  id: number;
  op: string;
  args: unknown[];
}

/** When a filter is called what; the same as of `unpool filters`. */
export interface FilterRules {
  /** Dead: RMS below this share of the median, or no activation above `silent`. */
  dead: number;
  silent: number;
  weak: number;
  /** Dominant: RMS above so many medians, or above `radius`. */
  dominant: number;
  radius: number | null;
}

export interface FilterInfo {
  filter: number;
  rms: number;
  /** Of the layer's squared weights. */
  share: number;
  peak: number | null;
  flag: 'dead' | 'weak' | 'dominant' | null;
  dead: boolean;
  dominant: boolean;
  /** Cycles per pixel; degrees counter-clockwise, 0 to 180; how much that direction is preferred, 0 to 1. */
  frequency: number;
  orientation: number;
  oriented: number;
  spectrum: number[];
}

/** What `unpool filters --json` prints. */
export interface FilterDiagnosis {
  model: string;
  layer: string;
  shape: [filters: number, inputs: number, rows: number, columns: number];
  stride: [number, number];
  inputs: number;
  filters: FilterInfo[];
  median: number;
  /** Dead, weak, dominant. */
  counts: [number, number, number];
  spectrum: number[];
  power: number[];
  bands: [number, number, number];
  gap: { depth: number; at: number };
  rules: FilterRules;
  aliasing: {
    layer: string;
    stride: number;
    projections: number;
    spectrum: number[];
    frequencies: number[];
    energy: number;
    excess: number;
  } | null;
}

export interface FilterComparison {
  findings: { what: 'dead' | 'gap' | 'aliasing'; a: number; b: number; change: -1 | 0 | 1 }[];
  remedied: boolean;
  verdict: string;
}

/** What comes out of an embedded page, as events of its `<unpool-viewer>`; the page itself raises them on its document. */
export interface UnpoolEvents {
  /** The first photo is analysed. */
  'unpool:ready': CustomEvent<null>;
  /** A unit is shown. `value`: its activation, the strongest one's where there are several. */
  'unpool:select': CustomEvent<{ layer: string; map: number; at: [number, number]; value: number }>;
  'unpool:error': CustomEvent<{ kind: string; message: string }>;
}

/**
 * `<unpool-viewer>` of `embed.js`: the page in a frame. Attributes `model photo view layer map at rule lang theme` are
 * the keys of the page's address, and changing one changes what is shown; `title` names the frame to those who hear it.
 */
export interface UnpoolViewer extends HTMLElement {
  /** The address of what the attributes say. */
  readonly url: string;
}

declare global {
  interface HTMLElementTagNameMap {
    'unpool-viewer': UnpoolViewer;
  }
  interface HTMLElementEventMap extends UnpoolEvents {}
}
