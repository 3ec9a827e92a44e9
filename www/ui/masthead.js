/** The bar on top: which engine runs, which network, language, theme. */

import { MODELS, modelTitle } from '../models.js';
import { number, t } from '../words.js';
import { reasonOf } from './about.js';
import { el, find, isDark } from './dom.js';

export class Masthead {
  #store;
  #session;
  #model;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #quiet;

  /** @param {import('../state.js').Store} store @param {import('../session.js').Session} session */
  constructor(store, session) {
    this.#store = store;
    this.#session = session;
    this.#model = /** @type {HTMLSelectElement} */ (find(document, '[data-model]'));
    const file = /** @type {HTMLInputElement} */ (find(document, '[data-model-file]'));
    this.#model.addEventListener('change', () => {
      if (this.#model.value === 'open') {
        this.update();
        file.click();
      } else if (this.#model.value === 'kept') {
        this.update();
        import('./import.js').then(({ showKept }) => showKept(session));
      } else store.set({ model: this.#model.value, layer: '', map: '', at: '', step: '', channel: '' });
    });
    file.addEventListener('change', () => {
      if (file.files?.length) session.openModel([...file.files]);
      file.value = '';
    });
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('button[data-lang]'))) {
      button.addEventListener('click', () => store.set({ lang: button.dataset.lang ?? '' }));
    }
    find(document, '[data-engine]').addEventListener('click', () => find(document, '[data-act=about]').click());
    find(document, '[data-skip]').addEventListener('click', (event) => {
      // The hash belongs to the state.
      event.preventDefault();
      find(document, 'main > :not([hidden]) .photo').focus();
    });
    for (const source of [store, session]) source.addEventListener('change', () => this.update());
    document.addEventListener('unpool:redraw', () => this.update());
  }

  update() {
    const { state } = this.#store;
    const { engine, trace, net } = this.#session;
    const { lang } = document.documentElement;
    /** @type {string[][]} */
    const models = MODELS.map(([name, title, size]) => [name, size ? `${title} (${size})` : title]);
    if (state.model === 'own') models.push(['own', net?.info.title || net?.info.name || t('model.own')]);
    else if (!models.some(([name]) => name === state.model)) models.push([state.model, named(state.model)]);
    models.push(['open', t('model.open')]);
    if (localStorage.getItem('unpool.kept')) models.push(['kept', t('model.kept')]);
    if (this.#model.dataset.for !== `${models} ${lang}`) {
      this.#model.dataset.for = `${models} ${lang}`;
      this.#model.replaceChildren(...models.map(([value, name]) => el('option', { value }, name)));
    }
    this.#model.value = state.model;
    const button = find(document, '[data-engine]');
    const threads = engine ? t('threads', { n: engine.threads }) : '';
    button.textContent = trace
      ? `${t('ms', { ms: number(trace.milliseconds, { digits: trace.milliseconds < 10 ? 1 : 0 }) })}, ${threads}`
      : threads;
    button.title = engine ? reasonOf(engine) : '';
    button.hidden = !engine;
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('button[data-lang]')))
      one.setAttribute('aria-pressed', String(one.dataset.lang === lang));
    for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.views a'))) {
      if (link.dataset.view === state.view) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    find(document, '[data-act=theme]').textContent = t(isDark() ? 'theme.light' : 'theme.dark');
    find(document, '[data-embed-facts]').textContent = [
      net && (state.model === 'own' ? net.info.title : modelTitle(state.model)),
      threads,
    ]
      .filter(Boolean)
      .join(', ');
    find(document, '[data-embed-link]').setAttribute('href', this.#store.link.replace(/&?(embed|present)=1/g, ''));
  }

  /** A short word at the foot of the page. @param {string} words */
  say(words) {
    const toast = find(document, '[data-toast]');
    toast.textContent = words;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      toast.textContent = '';
    }, 4000);
  }
}

/** A network of the visitor's, or a checkpoint of a run. @param {string} model */
function named(model) {
  const [, run, epoch] = /^run\.(.+)-epoch-(\d+)$/.exec(model) ?? [];
  return run ? t('fil.ab.run', { run, epoch }) : model.replace(/^run\.|~.*/g, '');
}
