/** What the first bytes of a file say: its format and, before anything is decoded, its size in pixels. */

/**
 * @typedef {object} Header
 * @property {string} format '' where it is none that is known
 * @property {boolean} picture whether browsers draw it
 * @property {number} width as stored, before any EXIF rotation; 0 where the header does not say
 * @property {number} height
 * @property {boolean} sideways whether EXIF lays the picture on its side: upright, its width is this height
 * @property {'' | 'moves' | 'print'} odd an animation, of which the first frame is taken; inks for print, which become RGB
 * @property {number} scan where the end mark may stand: before it lie thumbnails, which have one of their own
 */

/** Largest picture taken in, in pixels; the command line's bound. */
export const MAX_PIXELS = 2 ** 27;

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

/** How a format's last bytes are, as windows-1252. @type {Record<string, string>} */
const ENDS = { JPEG: '\xff\xd9', PNG: 'IEND\xaeB`\u201a', GIF: ';' };

/** @param {string} text @param {string} pattern */
const begins = (text, pattern) =>
  [...pattern].every((sign, i) => sign === '?' || sign === text[i]?.toLowerCase() || sign === text[i]);

/** Start-of-frame markers of a JPEG: all of C0–CF but the tables C4, C8, CC. @param {number} marker */
const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** EXIF's orientation, of a segment that may be something else. @param {DataView} view @param {number} at where its name stands */
function orientation(view, at) {
  if (view.getUint32(at) !== 0x45786966) return 0;
  const tiff = at + 6;
  const little = view.getUint16(tiff) === 0x4949;
  const list = tiff + view.getUint32(tiff + 4, little);
  for (let entry = list + 2, n = view.getUint16(list, little); n > 0; n -= 1, entry += 12)
    if (view.getUint16(entry, little) === 0x112) return view.getUint16(entry + 8, little);
  return 0;
}

/** @param {DataView} view @param {Header} header */
function jpeg(view, header) {
  let exif = 0;
  for (let at = 2; view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    if (isFrame(marker)) {
      [header.width, header.height] = [view.getUint16(at + 7), view.getUint16(at + 5)];
      if (view.getUint8(at + 9) === 4) header.odd = 'print';
    }
    if (marker === 0xe1) exif ||= at + 4;
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
    header.scan = at;
    if (marker === 0xda) break;
  }
  // Last, for a list that points nowhere ends the reading.
  header.sideways = exif > 0 && orientation(view, exif) > 4;
}

/** What a format says where it moves, early in the file; a WebP has a bit for it. @type {Record<string, string>} */
const MOVES = { PNG: 'acTL', GIF: 'NETSCAPE2.0' };

/** @param {DataView} view @param {string} kind @returns {[number, number]} */
function webpSize(view, kind) {
  if (kind === 'VP8X') return [1 + (view.getUint32(24, true) & 0xffffff), 1 + (view.getUint32(26, true) >>> 8)];
  if (kind === 'VP8 ') return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  if (kind !== 'VP8L') return [0, 0];
  const bits = view.getUint32(21, true);
  return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
}

/** How much of a file is read for its header: a JPEG may carry a large thumbnail before its frame. */
const HEADER_BYTES = 256 * 1024;
/** How much at a time is searched for a file's end, from behind: most files end with it. */
const PIECE = 64 * 1024;

/** @param {Blob} file @returns {Promise<Header>} */
export async function readHeader(file) {
  const bytes = await file.slice(0, HEADER_BYTES).arrayBuffer();
  const view = new DataView(bytes);
  const text = String.fromCharCode(...new Uint8Array(bytes, 0, Math.min(1024, bytes.byteLength)));
  const [format, picture] = SIGNATURES.find(([, , pattern]) => begins(text, pattern)) ?? ['', false];
  /** @type {Header} */
  const header = { format, picture, width: 0, height: 0, sideways: false, odd: '', scan: 13 };
  const sign = MOVES[format];
  if (sign ? text.includes(sign) : text.startsWith('WEBPVP8X', 8) && text.charCodeAt(20) & 2) header.odd = 'moves';
  try {
    if (format === 'JPEG') jpeg(view, header);
    let sides;
    if (format === 'PNG') sides = [view.getUint32(16), view.getUint32(20)];
    if (format === 'WebP') sides = webpSize(view, text.slice(12, 16));
    if (format === 'GIF') sides = [view.getUint16(6, true), view.getUint16(8, true)];
    if (format === 'BMP') sides = [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
    if (sides) [header.width, header.height] = sides;
  } catch (error) {
    // A header that goes on beyond what was read, or beyond the file: `isComplete` tells.
    if (!(error instanceof RangeError)) throw error;
  }
  return header;
}

/**
 * Whether a picture reaches the end that its format marks. Decoders, browsers' included, show what is missing as grey.
 * @param {Blob} file
 * @param {Header} header
 */
export async function isComplete(file, { format, scan }) {
  if (format === 'WebP') {
    const size = new DataView(await file.slice(4, 8).arrayBuffer());
    return size.byteLength === 4 && size.getUint32(0, true) + 8 <= file.size;
  }
  const mark = ENDS[format];
  // Cameras append data after the mark.
  for (let end = file.size; mark && end > scan; end -= PIECE) {
    const piece = file.slice(Math.max(scan, end - PIECE), end + mark.length - 1);
    if (new TextDecoder('latin1').decode(await piece.arrayBuffer()).includes(mark)) return true;
  }
  return !mark;
}

/**
 * How a picture is decoded: upright, with the numbers of the file as on the command line (colour profiles are left
 * alone), and reduced where it has more than `most` pixels, to `wanted`.
 * @param {Header} header @param {number} most @param {number} wanted
 * @returns {ImageBitmapOptions}
 */
export function decoding({ width, height, sideways }, most, wanted) {
  /** @type {ImageBitmapOptions} */
  const options = { imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion: 'none' };
  const pixels = width * height;
  // One side is enough, the other follows; it counts after the rotation.
  if (pixels > most) {
    options.resizeWidth = Math.max(1, Math.round((sideways ? height : width) * Math.sqrt(wanted / pixels)));
    options.resizeQuality = 'high';
  }
  return options;
}
