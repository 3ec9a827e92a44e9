/** How pictures are prepared for a network of the visitor's own, beside its prediction: the commonest silent mistake. */

import { number, t } from '../words.js';
import { el, find } from './dom.js';
import { PRESETS, presetOf } from './import-form.js';

let watched = false;

/** @param {import('../session.js').Session} session @param {(session: import('../session.js').Session, id: string, spec: Record<string, unknown>) => Promise<void>} change */
export function watchPreparation(session, change) {
  if (watched) return;
  watched = true;
  const box = el('div', { class: 'below preparation', hidden: true });
  find(document, '[data-answer]').after(box);
  const update = () => {
    const id = session.good.model;
    box.hidden = !id.includes('~') || !session.net;
    if (box.hidden || !session.net) return;
    const { input, broken, title, name } = session.net.info;
    const key = `${id} ${JSON.stringify(input)} ${document.documentElement.lang}`;
    if (box.dataset.for === key) return;
    box.dataset.for = key;
    const list = (/** @type {number[]} */ v, /** @type {string} */ none) =>
      v.length ? v.map((x) => number(x, { digits: x % 1 ? 1 : 0 })).join(', ') : none;
    const buttons = Object.entries(PRESETS).map(([name, preset]) => {
      const chosen = presetOf(input) === name;
      const button = el(
        'button',
        { type: 'button', class: 'link', 'aria-pressed': String(chosen) },
        t(`import.preset.${name}`),
      );
      button.addEventListener('click', () =>
        change(session, id, { input: preset }).catch((error) => session.report(error)),
      );
      return button;
    });
    const about = el('button', { type: 'button', class: 'link' }, t('import.report'));
    about.addEventListener('click', async () => (await import('./import.js')).show(session, id));
    box.replaceChildren(
      el('h3', {}, t('import.preparation')),
      el(
        'p',
        { class: 'sub num' },
        t('import.preparation.is', {
          order: input.order.toUpperCase(),
          mean: list(input.mean, '0'),
          std: list(input.std, '1'),
        }),
      ),
      el('p', { class: 'words' }, el('span', { class: 'sub' }, t('import.try')), ...buttons),
      about,
      ...(broken ? [el('p', { class: 'say is-wrong' }, t('import.broken', { n: broken, model: title || name }))] : []),
    );
  };
  session.addEventListener('change', update);
  document.addEventListener('unpool:redraw', update);
  update();
}
