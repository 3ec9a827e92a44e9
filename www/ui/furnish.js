/** Markup and style of a view that is fetched when it is opened: `ui/NAME.html` and `ui/NAME.css`. */

import { apply } from '../words.js';
import { el } from './dom.js';

/** @param {HTMLElement} view @param {string} name */
export async function furnish(view, name) {
  const sheet = el('link', { rel: 'stylesheet', href: new URL(`${name}.css`, import.meta.url).href });
  const styled = new Promise((done, fail) => {
    sheet.onload = done;
    sheet.onerror = () => fail(new Error(`${name}.css did not arrive`));
  });
  document.head.append(sheet);
  const answer = await fetch(new URL(`${name}.html`, import.meta.url));
  if (!answer.ok) throw new Error(`${name}.html: ${answer.status}`);
  const markup = await answer.text();
  await styled;
  view.innerHTML = markup;
  apply(view);
}
