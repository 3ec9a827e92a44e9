/**
 * A map of classes. Grey is where the answer stands; every other class has a colour that differs in lightness for those
 * who see no hue (after Okabe and Ito), and a hatching of its own.
 */

/** Colour and hatching (angle in degrees, or dots, or none) by place in the legend; the last serves all further classes. */
export const KINDS = /** @type {const} */ ([
  { colour: '#b9b9b9', hatch: '' },
  { colour: '#e69f00', hatch: '' },
  { colour: '#56b4e9', hatch: '/' },
  { colour: '#f0e442', hatch: '.' },
  { colour: '#009e73', hatch: '-' },
  { colour: '#cc79a7', hatch: '\\' },
  { colour: '#d55e00', hatch: '|' },
  { colour: '#5a5a5a', hatch: 'x' },
]);

const TILE = 8;

/** @param {CanvasRenderingContext2D} context @param {number} kind @returns {string | CanvasPattern} */
function paint(context, kind) {
  const { colour, hatch } = KINDS[Math.min(kind, KINDS.length - 1)];
  if (!hatch) return colour;
  const tile = context.canvas.ownerDocument.createElement('canvas');
  tile.width = TILE;
  tile.height = TILE;
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  pen.fillStyle = colour;
  pen.fillRect(0, 0, TILE, TILE);
  pen.strokeStyle = hatch === 'x' ? '#ffffff99' : '#00000080';
  pen.fillStyle = pen.strokeStyle;
  pen.lineWidth = 1.2;
  pen.beginPath();
  // Each line thrice, so that a diagonal goes on over the corners of the tile.
  for (const shift of [-TILE, 0, TILE]) {
    if ('/x'.includes(hatch)) line(pen, shift, TILE, shift + TILE, 0);
    if ('\\x'.includes(hatch)) line(pen, shift, 0, shift + TILE, TILE);
  }
  if (hatch === '-') line(pen, 0, TILE / 2, TILE, TILE / 2);
  if (hatch === '|') line(pen, TILE / 2, 0, TILE / 2, TILE);
  if (hatch === '.') pen.fillRect(3, 3, 2, 2);
  pen.stroke();
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
 * @param {{ rows: number, columns: number, side?: number }} options
 */
export function labels(context, kinds, { rows, columns, side = 640 }) {
  const { canvas } = context;
  const cell = Math.max(1, Math.round(side / Math.max(rows, columns)));
  canvas.width = columns * cell;
  canvas.height = rows * cell;
  const paints = KINDS.map((_, kind) => paint(context, kind));
  for (let y = 0; y < rows; y += 1) {
    // Neighbours of one class in one stroke.
    for (let x = 0, end = 0; x < columns; x = end) {
      const kind = kinds[y * columns + x];
      for (end = x + 1; end < columns && kinds[y * columns + end] === kind; ) end += 1;
      if (kind < 0) continue;
      context.fillStyle = paints[Math.min(kind, KINDS.length - 1)];
      context.fillRect(x * cell, y * cell, (end - x) * cell, cell);
    }
  }
}

/** One swatch of the legend. @param {CanvasRenderingContext2D} context @param {number} kind */
export function swatch(context, kind) {
  context.canvas.width = 2 * TILE;
  context.canvas.height = 2 * TILE;
  context.fillStyle = paint(context, kind);
  context.fillRect(0, 0, 2 * TILE, 2 * TILE);
}

/**
 * The connected parts of a class map, largest first, each with the position that lies deepest inside: a place for its name.
 * @param {Int32Array} kinds
 * @param {number} rows
 * @param {number} columns
 * @returns {{ kind: number, size: number, at: number, depth: number }[]} `depth` in positions from the part's border
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
  /** @type {{ kind: number, size: number, at: number, depth: number }[]} */
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
