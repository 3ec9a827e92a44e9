/**
 * A map of classes. Grey is where the answer stands; every other class is hatched, and those hatched alike differ in
 * lightness, for those who see no hue (colours after Okabe and Ito).
 */

/** Four steps of lightness, more than 15 of L* apart, each in two colours. */
const TIERS = [
  ['#e69f00', '#56b4e9'],
  ['#d55e00', '#008f68'],
  ['#f0e442', '#ffd9ec'],
  ['#7a3b8f', '#525252'],
];
/** Lines at an angle, crossed ones, dots. */
const HATCHES = ['/', '.', '-', '\\', '|', 'x', '+', 'o'];

/**
 * Colour and hatching by place in the legend. Any two differ in hatching or clearly in lightness; the first nine also in
 * colour. Only where the answer stands nothing is hatched. Classes beyond these begin anew and carry their number.
 * @type {{ colour: string, hatch: string }[]}
 */
export const KINDS = [
  { colour: '#b9b9b9', hatch: '' },
  ...TIERS.flatMap((_, round) =>
    HATCHES.map((hatch, i) => ({ colour: TIERS[(i + round) % TIERS.length][i >> 2], hatch })),
  ),
];

/** How a class is painted. @param {number} kind @returns {number} its place in {@link KINDS} */
const look = (kind) => (kind < KINDS.length ? kind : 1 + ((kind - 1) % (KINDS.length - 1)));

/** What tells a class from another that is painted alike: nothing, or its place in the legend. @param {number} kind */
export const numeral = (kind) => (kind < KINDS.length ? '' : String(kind + 1));

const TILE = 8;

/** Each made once: a map is drawn ten times a second while it grows. @type {(string | CanvasPattern)[]} */
const PAINTS = [];

/** @param {CanvasRenderingContext2D} context @param {number} kind */
function paint(context, kind) {
  const place = look(kind);
  PAINTS[place] ??= make(context, KINDS[place]);
  return PAINTS[place];
}

/** @param {CanvasRenderingContext2D} context @param {typeof KINDS[number]} kind @returns {string | CanvasPattern} */
function make(context, { colour, hatch }) {
  if (!hatch) return colour;
  const tile = context.canvas.ownerDocument.createElement('canvas');
  tile.width = TILE;
  tile.height = TILE;
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  pen.fillStyle = colour;
  pen.fillRect(0, 0, TILE, TILE);
  // Black on every colour: a light stroke would lift a dark colour to the lightness of the next.
  pen.strokeStyle = '#000000a8';
  pen.fillStyle = pen.strokeStyle;
  pen.lineWidth = 1.2;
  pen.beginPath();
  // Each line thrice, so that a diagonal goes on over the corners of the tile.
  for (const shift of [-TILE, 0, TILE]) {
    if ('/x'.includes(hatch)) line(pen, shift, TILE, shift + TILE, 0);
    if ('\\x'.includes(hatch)) line(pen, shift, 0, shift + TILE, TILE);
  }
  if ('-+'.includes(hatch)) line(pen, 0, TILE / 2, TILE, TILE / 2);
  if ('|+'.includes(hatch)) line(pen, TILE / 2, 0, TILE / 2, TILE);
  if (hatch === '.') pen.fillRect(3, 3, 2, 2);
  pen.stroke();
  if (hatch === 'o') {
    pen.beginPath();
    pen.arc(TILE / 2, TILE / 2, 2.5, 0, 2 * Math.PI);
    pen.stroke();
  }
  return context.createPattern(tile, 'repeat') ?? colour;
}

/** @param {CanvasRenderingContext2D} pen @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
function line(pen, x0, y0, x1, y1) {
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
}

/**
 * @param {CanvasRenderingContext2D} context its canvas takes about `side` pixels
 * @param {Int32Array} kinds place in the legend for every position, -1 for none yet
 * @param {{ rows: number, columns: number, parts: Part[], side?: number }} options `parts`: see {@link regions}
 */
export function labels(context, kinds, { rows, columns, parts, side = 640 }) {
  const { canvas } = context;
  const cell = Math.max(1, Math.round(side / Math.max(rows, columns)));
  canvas.width = columns * cell;
  canvas.height = rows * cell;
  for (let y = 0; y < rows; y += 1) {
    // Neighbours of one class in one stroke.
    for (let x = 0, end = 0; x < columns; x = end) {
      const kind = kinds[y * columns + x];
      for (end = x + 1; end < columns && kinds[y * columns + end] === kind; ) end += 1;
      if (kind < 0) continue;
      context.fillStyle = paint(context, kind);
      context.fillRect(x * cell, y * cell, (end - x) * cell, cell);
    }
  }
  for (const { kind, at } of parts)
    if (numeral(kind)) inscribe(context, kind, ((at % columns) + 0.5) * cell, (Math.floor(at / columns) + 0.5) * cell);
}

/** @param {CanvasRenderingContext2D} context @param {number} kind @param {number} x @param {number} y */
function inscribe(context, kind, x, y) {
  context.font = '600 12px sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.strokeStyle = '#ffffff';
  context.fillStyle = '#171717';
  context.strokeText(numeral(kind), x, y);
  context.fillText(numeral(kind), x, y);
}

/** One swatch of the legend. @param {CanvasRenderingContext2D} context @param {number} kind */
export function swatch(context, kind) {
  context.canvas.width = 2 * TILE;
  context.canvas.height = 2 * TILE;
  context.fillStyle = paint(context, kind);
  context.fillRect(0, 0, 2 * TILE, 2 * TILE);
  if (numeral(kind)) inscribe(context, kind, TILE, TILE);
}

/** @typedef {{ kind: number, size: number, at: number, depth: number }} Part `depth` in positions from the part's border */

/**
 * The connected parts of a class map, largest first, each with the position that lies deepest inside: a place for its name.
 * @param {Int32Array} kinds
 * @param {number} rows
 * @param {number} columns
 * @returns {Part[]}
 */
export function regions(kinds, rows, columns) {
  const n = rows * columns;
  const depth = new Uint16Array(n);
  const same = (/** @type {number} */ i, /** @type {number} */ x, /** @type {number} */ y) =>
    x >= 0 && y >= 0 && x < columns && y < rows && kinds[y * columns + x] === kinds[i];
  // Distance to the border, in two sweeps; four neighbours are enough to place a word.
  const pass = (/** @type {number} */ i, /** @type {number} */ step) => {
    const [x, y] = [i % columns, Math.floor(i / columns)];
    const before = same(i, x - step, y) ? depth[i - step] : 0;
    const above = same(i, x, y - step) ? depth[i - step * columns] : 0;
    const next = Math.min(before, above) + 1;
    depth[i] = step > 0 ? next : Math.min(depth[i], next);
  };
  for (let i = 0; i < n; i += 1) pass(i, 1);
  for (let i = n - 1; i >= 0; i -= 1) pass(i, -1);
  const seen = new Uint8Array(n);
  /** @type {Part[]} */
  const found = [];
  for (let start = 0; start < n; start += 1) {
    if (seen[start] || kinds[start] < 0) continue;
    const part = { kind: kinds[start], size: 0, at: start, depth: 0 };
    const open = [start];
    seen[start] = 1;
    for (let i = open.pop(); i !== undefined; i = open.pop()) {
      part.size += 1;
      if (depth[i] > part.depth) {
        part.depth = depth[i];
        part.at = i;
      }
      const [x, y] = [i % columns, Math.floor(i / columns)];
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]) {
        const next = (y + dy) * columns + x + dx;
        if (!same(i, x + dx, y + dy) || seen[next]) continue;
        seen[next] = 1;
        open.push(next);
      }
    }
    found.push(part);
  }
  return found.sort((a, b) => b.size - a.size);
}
