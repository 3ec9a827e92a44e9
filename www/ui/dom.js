/** Small helpers for the document. */

/**
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {T} the element, which must be there
 */
export function find(root, selector) {
  const node = root.querySelector(selector);
  if (!node) throw new Error(`index.html has no ${selector}`);
  return /** @type {T} */ (node);
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean>} [attributes] `true` sets an empty attribute, `false` none
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** @param {string} tag @param {Record<string, string | number | boolean>} [attributes] @param {(Node | string)[]} children @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** @template {Element} T @param {T} node @param {Record<string, string | number | boolean>} attributes @param {(Node | string)[]} children */
function dress(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes))
    if (value !== false) node.setAttribute(key, value === true ? '' : String(value));
  node.append(...children);
  return node;
}

/** @param {HTMLCanvasElement} canvas */
export const context2d = (canvas) =>
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));

/** @typedef {[number, number, number]} Colour */

/** @type {{ theme: string, ink: Colour, mark: Colour } | undefined} */
let known;

/** The two inks as the style sheet gives them now. @returns {{ theme: string, ink: Colour, mark: Colour }} */
export function inks() {
  const theme = isDark() ? 'dark' : 'light';
  if (known?.theme === theme) return known;
  const probe = document.body.appendChild(el('span'));
  const read = (/** @type {string} */ name) => {
    probe.style.color = `var(${name})`;
    return /** @type {Colour} */ ((getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number));
  };
  known = { theme, ink: read('--ink'), mark: read('--mark') };
  probe.remove();
  return known;
}

export const isDark = () =>
  (document.documentElement.dataset.theme ||
    (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';

/** Ends the present task, so that none grows long: resolves in a later one. */
export const task = () => new Promise((done) => setTimeout(done));

/** Lets the browser paint: resolves at the beginning of a later task. */
export const breath = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

/**
 * Drawing in rounds: what is returned asks for one from the next frame on; many changes at once cost one round.
 * @param {() => Promise<void>} draw one round
 * @returns {() => void}
 */
export function rounds(draw) {
  let due = false;
  let drawing = false;
  const go = async () => {
    while (due) {
      due = false;
      await draw();
    }
    drawing = false;
  };
  return () => {
    due = true;
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(go);
  };
}

/**
 * Tells when the end of a long list comes near the window, and again as long as it stays there: on a tall screen one
 * more page may not be enough.
 * @param {string} margin how near
 * @param {() => boolean} more makes another page; whether there are more
 */
export function nearEnd(margin, more) {
  const watch = new IntersectionObserver(
    (seen) => {
      const last = seen.at(-1);
      if (!last?.isIntersecting) return;
      watch.unobserve(last.target);
      if (more()) watch.observe(last.target);
    },
    { rootMargin: margin },
  );
  return watch;
}

/**
 * Arrow keys among the buttons of a group, as in any radio group.
 * @param {HTMLElement} group
 * @param {string} selector of the buttons
 */
export function arrowKeys(group, selector) {
  group.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = /** @type {HTMLElement[]} */ ([...group.querySelectorAll(selector)]);
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = all[(at + step + all.length) % all.length];
    next.focus();
    next.click();
  });
}

/** Saves bytes under a name. @param {BlobPart} body @param {string} type @param {string} name */
export function download(body, type, name) {
  const url = URL.createObjectURL(new Blob([body], { type }));
  const link = el('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
