/** What the first bytes of a file say: its format and, before anything is decoded, its size in pixels. */

/** @typedef {{ format: string, picture: boolean, width: number, height: number }} Header width and height are 0 where the header does not say */

/** Format, whether browsers draw it, how it begins: Latin-1, `?` stands for any byte. @type {[string, boolean, string][]} */
const SIGNATURES = [
  ['JPEG', true, '\xff\xd8\xff'],
  ['PNG', true, '\x89PNG\r\n\x1a\n'],
  ['WebP', true, 'RIFF????WEBP'],
  ['GIF', true, 'GIF8?a'],
  ['BMP', true, 'BM????\0\0\0\0'],
  ['AVIF', true, '????ftypavi'],
  ['HEIC', true, '????ftyphei'],
  ['HEIC', true, '????ftypmif'],
  ['PDF', false, '%PDF'],
  ['ZIP', false, 'PK\x03\x04'],
  ['TIFF', false, 'II*\0'],
  ['TIFF', false, 'MM\0*'],
  ['SVG', false, '<svg'],
  ['XML', false, '<?xml'],
  ['HTML', false, '<!doctype html'],
  ['HTML', false, '<html'],
  ['MP4', false, '????ftyp'],
  ['NumPy', false, '\x93NUMPY'],
  ['safetensors', false, '??????\0\0{"'],
];

/** @param {string} text @param {string} pattern */
const begins = (text, pattern) =>
  [...pattern].every((sign, i) => sign === '?' || sign === text[i]?.toLowerCase() || sign === text[i]);

/** Start-of-frame markers of a JPEG: all of C0–CF but the tables C4, C8, CC. @param {number} marker */
const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** @param {DataView} view @returns {[number, number]} */
function jpegSize(view) {
  let at = 2;
  while (at + 9 < view.byteLength) {
    if (view.getUint8(at) !== 0xff) return [0, 0];
    const marker = view.getUint8(at + 1);
    if (isFrame(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return [0, 0];
}

/** @param {DataView} view @param {string} text @returns {[number, number]} */
function webpSize(view, text) {
  const kind = text.slice(12, 16);
  if (kind === 'VP8X') return [1 + (view.getUint32(24, true) & 0xffffff), 1 + (view.getUint32(26, true) >>> 8)];
  if (kind === 'VP8 ') return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  if (kind !== 'VP8L') return [0, 0];
  const bits = view.getUint32(21, true);
  return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
}

/** How much of a file is enough: a JPEG may carry a large thumbnail before its frame. */
export const HEADER_BYTES = 256 * 1024;

/** @param {ArrayBuffer} bytes the beginning of the file @returns {Header} */
export function readHeader(bytes) {
  const view = new DataView(bytes);
  const text = String.fromCharCode(...new Uint8Array(bytes, 0, Math.min(512, bytes.byteLength)));
  const [format, picture] = SIGNATURES.find(([, , pattern]) => begins(text, pattern)) ?? ['', false];
  let [width, height] = [0, 0];
  if (view.byteLength >= 32) {
    if (format === 'JPEG') [width, height] = jpegSize(view);
    if (format === 'PNG') [width, height] = [view.getUint32(16), view.getUint32(20)];
    if (format === 'WebP') [width, height] = webpSize(view, text);
    if (format === 'GIF') [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
    if (format === 'BMP') [width, height] = [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  }
  return { format, picture, width, height };
}
