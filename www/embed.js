/**
 * `<unpool-viewer>`: the page in a frame of somebody else's. Its attributes are the keys of the page's address, and
 * what happens inside comes out as events. The page is looked for beside this file, wherever that is served.
 *
 *     <script type="module" src="unpool/embed.js"></script>
 *     <unpool-viewer photo="cat" layer="fire5/concat" map="17"></unpool-viewer>
 */

/** @import * as types from './types.js' */

const PAGE = new URL('./', import.meta.url);
const KEYS = ['model', 'photo', 'view', 'layer', 'map', 'at', 'rule', 'lang', 'theme'];
const EVENTS = ['unpool:ready', 'unpool:select', 'unpool:error'];

/** As large as the smallest embed that shows a pair; whoever embeds it says otherwise in CSS. */
const style = new CSSStyleSheet();
style.replaceSync(`
  :host { display: block; inline-size: 600px; max-inline-size: 100%; block-size: 420px }
  :host([hidden]) { display: none }
  iframe { display: block; inline-size: 100%; block-size: 100%; border: 0 }`);

/** @implements {types.UnpoolViewer} */
export class UnpoolViewer extends HTMLElement {
  static observedAttributes = [...KEYS, 'title'];

  #frame = document.createElement('iframe');
  #loaded = false;
  #told = (/** @type {MessageEvent} */ event) => this.#tell(event);

  constructor() {
    super();
    // Isolation is handed down only where it is allowed; without it the page runs on one thread.
    this.#frame.allow = 'cross-origin-isolated; camera; clipboard-write';
    this.#frame.addEventListener('load', () => {
      this.#loaded = true;
    });
    const root = this.attachShadow({ mode: 'open' });
    // A style element would need a word in the content security policy of the page around it.
    root.adoptedStyleSheets = [style];
    root.append(this.#frame);
  }

  connectedCallback() {
    addEventListener('message', this.#told);
    this.#show();
  }

  disconnectedCallback() {
    removeEventListener('message', this.#told);
    this.#loaded = false;
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#show();
  }

  /** The address of what is shown. */
  get url() {
    const hash = KEYS.flatMap((key) => {
      const value = this.getAttribute(key);
      return value === null ? [] : [`${key}=${encodeURIComponent(value)}`];
    });
    return new URL(`#${['embed=1', ...hash].join('&')}`, PAGE).href;
  }

  #show() {
    this.#frame.title = this.title || 'Unpool';
    // Another hash loads nothing anew. A frame whose address is set would add to the history of the page around it.
    if (this.#loaded) this.#frame.contentWindow?.location.replace(this.url);
    else this.#frame.src = this.url;
  }

  /** @param {MessageEvent} event */
  #tell({ source, origin, data }) {
    if (source !== this.#frame.contentWindow || origin !== PAGE.origin || !EVENTS.includes(data?.type)) return;
    this.dispatchEvent(new CustomEvent(data.type, { detail: data.detail, bubbles: true, composed: true }));
  }
}

customElements.define('unpool-viewer', UnpoolViewer);
