/** Curves over a common axis, labelled where they run: an SVG drawn at the width of its place. */

/** @typedef {[number, string][]} Ticks values and what stands there */
/** @typedef {{ points: [number, number][], kind: string, name: string, at?: number, lift?: number }} Series `at`: share of its length at which its name stands, `lift` above it */
/** @typedef {{ series: Series[], x: { from: number, to: number, ticks: Ticks }, y: { from: number, to: number, ticks: Ticks }, title: string, foot: string, width: number, tall: number, label: string, mark?: number, marked?: string, left?: number }} Chart `mark`: an x that is looked at, `marked` what stands there; `left`: room for what stands at the y axis */

const [TOP, RIGHT, FOOT] = [30, 14, 42];

/** @param {string} tag @param {Record<string, string | number>} attributes @param {string} [text] */
function node(tag, attributes, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** @param {Chart} chart @returns {SVGElement} */
export function lines({ series, x, y, title, foot, width, tall, label, mark, marked, left = 60 }) {
  const across = width - left - RIGHT;
  const down = tall - TOP - FOOT;
  const place = (/** @type {number} */ v) => left + ((v - x.from) / (x.to - x.from || 1)) * across;
  const height = (/** @type {number} */ v) =>
    TOP + (1 - Math.max(0, Math.min(1, (v - y.from) / (y.to - y.from || 1)))) * down;
  const base = TOP + down;
  const svg = node('svg', { viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: 'img', 'aria-label': label });
  svg.append(node('text', { class: 'tick', x: 0, y: 14 }, title));
  for (const [value, text] of y.ticks)
    svg.append(
      node('line', { class: 'grid', x1: left, x2: left + across, y1: height(value), y2: height(value) }),
      node('text', { class: 'tick', x: left - 8, y: height(value) + 4, 'text-anchor': 'end' }, text),
    );
  svg.append(node('line', { class: 'axis', x1: left, x2: left + across, y1: base, y2: base }));
  for (const [value, text] of x.ticks)
    svg.append(node('text', { class: 'tick', x: place(value), y: base + 18, 'text-anchor': 'middle' }, text));
  svg.append(node('text', { class: 'tick', x: left + across, y: base + 36, 'text-anchor': 'end' }, foot));
  if (mark !== undefined && mark >= x.from && mark <= x.to)
    svg.append(node('line', { class: 'looked', x1: place(mark), x2: place(mark), y1: TOP, y2: base }));
  if (mark !== undefined && marked) {
    const late = place(mark) > width - 90;
    svg.append(
      node(
        'text',
        { class: 'looked', x: place(mark) + (late ? -6 : 6), y: TOP - 4, 'text-anchor': late ? 'end' : 'start' },
        marked,
      ),
    );
  }
  for (const { points, kind, name, at = 0.7, lift = 10 } of series) {
    const known = points.filter(([, v]) => Number.isFinite(v));
    if (!known.length) continue;
    const path = known.map(([px, v], i) => `${i ? 'L' : 'M'}${place(px).toFixed(1)} ${height(v).toFixed(1)}`).join('');
    svg.append(node('path', { class: `curve ${kind}`, d: path }));
    const [px, v] = known[Math.floor(at * (known.length - 1))];
    const right = place(px) > width - 90;
    svg.append(
      node(
        'text',
        {
          class: `name ${kind}`,
          x: place(px),
          y: Math.max(TOP + 10, Math.min(base - 8, height(v) - lift)),
          'text-anchor': right ? 'end' : 'middle',
        },
        name,
      ),
    );
  }
  return svg;
}
