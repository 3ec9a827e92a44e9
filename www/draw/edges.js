/** The outlines of a photo (Canny 1986): where a map has no picture under it, they say what lies there. */

/** Lines of fewer pixels are left out: they say nothing. */
const SHORT = 18;

/** @param {ImageData} photo @returns {Float32Array} lightness 0…255 */
function grey({ data }) {
  const out = new Float32Array(data.length / 4);
  for (let i = 0; i < out.length; i += 1)
    out[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
  return out;
}

/** Gaussian of σ about 2, as three box blurs a direction. @param {Float32Array} from @param {number} width @param {number} height */
function blurred(from, width, height) {
  let values = from;
  const pass = (/** @type {number} */ step, /** @type {number} */ across, /** @type {number} */ n) => {
    const out = new Float32Array(values.length);
    const lines = values.length / n;
    for (let line = 0; line < lines; line += 1) {
      const start = line * across;
      for (let i = 0; i < n; i += 1) {
        let sum = 0;
        for (let d = -1; d <= 1; d += 1) sum += values[start + Math.max(0, Math.min(n - 1, i + d)) * step];
        out[start + i * step] = sum / 3;
      }
    }
    values = out;
  };
  for (let round = 0; round < 5; round += 1) {
    pass(1, width, width);
    pass(width, 1, height);
  }
  return values;
}

/** The first of three steps, so that none takes long: lightness, smoothed. @param {ImageData} photo */
export const smooth = (photo) => blurred(grey(photo), photo.width, photo.height);

/**
 * The second: the ridges of the gradient.
 * @param {Float32Array} light from {@link smooth}
 * @param {number} width
 * @param {number} height
 */
export function ridges(light, width, height) {
  const size = new Float32Array(width * height);
  const angle = new Uint8Array(width * height);
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      const i = y * width + x;
      const dx =
        light[i - width + 1] +
        2 * light[i + 1] +
        light[i + width + 1] -
        light[i - width - 1] -
        2 * light[i - 1] -
        light[i + width - 1];
      const dy =
        light[i + width - 1] +
        2 * light[i + width] +
        light[i + width + 1] -
        light[i - width - 1] -
        2 * light[i - width] -
        light[i - width + 1];
      size[i] = Math.hypot(dx, dy);
      angle[i] = Math.round((4 * (Math.atan2(dy, dx) + Math.PI)) / Math.PI) % 4;
    }
  }
  // Only ridges: larger than both neighbours along the gradient.
  const along = [1, width + 1, width, width - 1];
  const ridge = new Float32Array(size.length);
  for (let y = 2; y < height - 2; y += 1) {
    for (let x = 2; x < width - 2; x += 1) {
      const i = y * width + x;
      const step = along[angle[i]];
      if (size[i] >= size[i - step] && size[i] > size[i + step]) ridge[i] = size[i];
    }
  }
  return ridge;
}

/**
 * The third: strong ridges, and weak ones that hang on to them; specks are left out.
 * @param {Float32Array} ridge
 * @param {number} width
 * @param {number} [share] of the pixels that count as strong
 * @returns {Uint8Array} 1 on an outline
 */
export function edges(ridge, width, share = 0.028) {
  const sorted = ridge.filter((value) => value > 0).sort();
  const high = sorted[Math.max(0, sorted.length - 1 - Math.floor(share * ridge.length))] ?? 0;
  const low = 0.4 * high;
  const out = new Uint8Array(ridge.length);
  for (let start = 0; start < ridge.length; start += 1) {
    if (out[start] || ridge[start] < high || high === 0) continue;
    const chain = [start];
    out[start] = 1;
    for (let k = 0; k < chain.length; k += 1) {
      const i = chain[k];
      for (const step of [1, -1, width, -width, width + 1, width - 1, -width + 1, -width - 1]) {
        if (ridge[i + step] >= low && !out[i + step]) {
          out[i + step] = 1;
          chain.push(i + step);
        }
      }
    }
    if (chain.length < SHORT) for (const i of chain) out[i] = 0;
  }
  return out;
}

/**
 * The outlines as lines: pixels followed from end to end, then smoothed, so that no staircase is left.
 * @param {Uint8Array} on
 * @param {number} width
 * @returns {number[][]} x, y, x, y, …
 */
function paths(on, width) {
  const left = on.slice();
  const steps = [1, width, -1, -width, width + 1, width - 1, -width - 1, 1 - width];
  const next = (/** @type {number} */ i) => steps.map((step) => i + step).find((k) => left[k]);
  /** @type {number[][]} */
  const found = [];
  for (let start = 0; start < left.length; start += 1) {
    if (!left[start]) continue;
    // From anywhere to one end, and from there to the other.
    const line = [start];
    left[start] = 0;
    for (let i = next(start); i !== undefined; i = next(i)) {
      left[i] = 0;
      line.push(i);
    }
    line.reverse();
    for (let i = next(start); i !== undefined; i = next(i)) {
      left[i] = 0;
      line.push(i);
    }
    if (line.length < SHORT) continue;
    let points = line.flatMap((i) => [i % width, Math.floor(i / width)]);
    for (let round = 0; round < 4; round += 1)
      points = points.map((v, k) =>
        k < 2 || k + 2 >= points.length ? v : (points[k - 2] + 2 * v + points[k + 2]) / 4,
      );
    found.push(points);
  }
  return found;
}

/**
 * White lines with a dark rim, readable on every colour of a map.
 * @param {CanvasRenderingContext2D} context its canvas takes three pixels for one of the photo
 * @param {Uint8Array} on from {@link edges}
 * @param {number} width
 * @param {number} height
 */
export function outlines(context, on, width, height) {
  const { canvas } = context;
  canvas.width = 3 * width;
  canvas.height = 3 * height;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.beginPath();
  for (const points of paths(on, width)) {
    context.moveTo(3 * points[0] + 1.5, 3 * points[1] + 1.5);
    for (let k = 2; k < points.length; k += 2) context.lineTo(3 * points[k] + 1.5, 3 * points[k + 1] + 1.5);
  }
  for (const [colour, size] of /** @type {const} */ ([
    ['#000000a0', 4.5],
    ['#ffffff', 2],
  ])) {
    context.strokeStyle = colour;
    context.lineWidth = size;
    context.stroke();
  }
}
