// Reads what the page wrote: NumPy archives that are not compressed, and tables with notes above them.

/** @typedef {{ shape: number[], values: number[] | string }} Read */

/** @param {Buffer} bytes one .npy @returns {Read} */
function npy(bytes) {
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const [, kind] = /'descr': '<(\w+)'/.exec(header) ?? [];
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1].match(/\d+/g) ?? []).map(Number);
  const n = (bytes.length - start) / 4;
  if (kind.startsWith('U'))
    return {
      shape,
      values: Array.from({ length: n }, (_, i) => String.fromCodePoint(bytes.readUInt32LE(start + 4 * i))).join(''),
    };
  const read = kind === 'i4' ? 'readInt32LE' : 'readFloatLE';
  return { shape, values: Array.from({ length: n }, (_, i) => bytes[read](start + 4 * i)) };
}

/** @param {Buffer} bytes @returns {Record<string, Read>} */
export function npz(bytes) {
  /** @type {Record<string, Read>} */
  const arrays = {};
  for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50; ) {
    const [size, name] = [bytes.readUInt32LE(at + 22), bytes.readUInt16LE(at + 26)];
    const start = at + 30 + name + bytes.readUInt16LE(at + 28);
    arrays[bytes.toString('utf8', at + 30, at + 30 + name).replace(/\.npy$/, '')] = npy(
      bytes.subarray(start, start + size),
    );
    at = start + size;
  }
  return arrays;
}

/** @param {string} text @returns {{ notes: Record<string, string>, head: string[], rows: string[][] }} */
export function table(text) {
  const lines = text.trim().split('\n');
  const noted = lines.filter((line) => line.startsWith('# '));
  const [head, ...rows] = lines
    .slice(noted.length)
    .map((line) => [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell]) => cell).slice(0, -1));
  const pairs = noted.map((line) => /^# ([^:]+): (.*)$/.exec(line)?.slice(1) ?? []);
  return { notes: Object.fromEntries(pairs), head, rows };
}
