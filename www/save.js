/** Numbers and pictures as files. */

/** @typedef {Float32Array | Int32Array | string} Values */

/** A NumPy array file, format 1.0, in C order: float32, int32, or one text. @param {Values} values @param {readonly number[]} shape */
export function npy(values, shape) {
  // NumPy's text: a number of characters, four bytes each; none at all is no type.
  const data = typeof values === 'string' ? Uint32Array.from(values || ' ', (one) => one.codePointAt(0) ?? 0) : values;
  const kind = typeof values === 'string' ? `<U${data.length}` : data instanceof Int32Array ? '<i4' : '<f4';
  const dict = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const header = `${dict.padEnd(Math.ceil((10 + dict.length + 1) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + header.length + 4 * data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  for (let i = 0; i < header.length; i += 1) bytes[10 + i] = header.charCodeAt(i);
  // A whole number of 64-byte lines stands before the data, so it is aligned; every browser we run in is little endian.
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + header.length);
  return bytes;
}

/**
 * @param {string[]} head @param {Iterable<readonly (number | string)[]>} rows
 * @param {Record<string, number | string>} [notes] about the whole table, in lines of their own that begin with `#`: NumPy, pandas and R skip them if told
 */
export function csv(head, rows, notes = {}) {
  const lines = Object.entries(notes).map(([key, value]) => `# ${key}: ${value}`.replace(/\s+/g, ' '));
  lines.push(head.join(','));
  for (const row of rows) lines.push(row.join(','));
  return `${lines.join('\n')}\n`;
}

/** A canvas as PNG, each pixel a square of whole pixels, at least `side` wide. @param {HTMLCanvasElement} source @param {number} side @returns {Promise<Blob>} */
export function png(source, side) {
  const scale = Math.max(1, Math.ceil(side / source.width));
  const canvas = document.createElement('canvas');
  canvas.width = source.width * scale;
  canvas.height = source.height * scale;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) =>
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('the picture could not be written'))), 'image/png'),
  );
}

const CRC = /* one entry a byte, of the reflected polynomial that ZIP uses */ Uint32Array.from(
  { length: 256 },
  (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
  },
);

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC[(c ^ byte) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

/**
 * NumPy's .npz: arrays in an uncompressed ZIP archive, the same bytes as from the command line.
 * @param {Record<string, { data: Values, shape: readonly number[] }>} arrays
 */
export function npz(arrays) {
  /** @type {(Uint8Array | number[])[]} */
  const parts = [];
  /** @type {number[]} */
  const directory = [];
  let offset = 0;
  const le = (/** @type {number} */ value, /** @type {number} */ size) =>
    Array.from({ length: size }, (_, i) => (value / 2 ** (8 * i)) & 255);
  const push = (/** @type {Uint8Array | number[]} */ part) => {
    parts.push(part);
    offset += part.length;
  };
  for (const [key, { data, shape }] of Object.entries(arrays)) {
    const name = [...new TextEncoder().encode(`${key}.npy`)];
    const bytes = npy(data, shape);
    // Version 2.0, no flags, stored, 1980-01-01, sum, size twice, length of the name, no extra field.
    const common = [20, 0, 0, 0x21 * 65536]
      .flatMap((v, i) => le(v, i < 3 ? 2 : 4))
      .concat(le(crc32(bytes), 4), le(bytes.length, 4), le(bytes.length, 4), le(name.length, 2), le(0, 2));
    directory.push(...le(0x02014b50, 4), ...le(20, 2), ...common, ...le(0, 10), ...le(offset, 4), ...name);
    push([...le(0x04034b50, 4), ...common, ...name]);
    push(bytes);
  }
  const count = Object.keys(arrays).length;
  const start = offset;
  push(directory);
  push([
    ...le(0x06054b50, 4),
    ...le(0, 4),
    ...le(count, 2),
    ...le(count, 2),
    ...le(directory.length, 4),
    ...le(start, 4),
    0,
    0,
  ]);
  const out = new Uint8Array(offset);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
