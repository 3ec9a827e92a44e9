/** Which photo: a sample, or the visitor's own. */

import { t } from '../words.js';
import { el, find } from './dom.js';

export class Photos {
  #scene;
  #pick;

  /** @param {import('./sparse.js').Scene} scene @param {HTMLElement} pick */
  constructor(scene, pick) {
    this.#scene = scene;
    this.#pick = /** @type {HTMLSelectElement} */ (pick);
    const { store } = scene;
    this.#pick.addEventListener('change', () => {
      if (this.#pick.value !== 'open') return store.set({ photo: this.#pick.value, at: '' });
      this.#pick.value = store.state.photo;
      find(document, '[data-photo-file]').click();
    });
  }

  update() {
    const { session, store } = this.#scene;
    const { photo } = session;
    const other = photo && !session.credits.some(({ id }) => id === photo.id) ? photo : undefined;
    const key = [session.credits.length, other?.name, document.documentElement.lang].join();
    if (this.#pick.dataset.for !== key) {
      this.#pick.dataset.for = key;
      this.#pick.replaceChildren(
        ...session.credits.map(({ id }) => el('option', { value: id }, t(`sample.${id}`))),
        ...(other ? [el('option', { value: other.id }, other.name)] : []),
        el('option', { value: 'open' }, t('occ.photo.open')),
      );
    }
    this.#pick.value = store.state.photo;
  }
}
