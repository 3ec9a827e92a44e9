/** What went wrong, or was not as the link said, in a sentence; the same box in every view. */

import { rich, t } from '../words.js';
import { el } from './dom.js';

/** @param {HTMLElement} box @param {import('../session.js').Session} session */
export function showAlert(box, session) {
  const { problem, notices } = session;
  box.hidden = !problem && notices.length === 0;
  box.classList.toggle('is-notice', !problem);
  const again = el('button', { type: 'button', class: 'link', 'data-act': 'file' }, t('error.again'));
  const close = el('button', { type: 'button', class: 'link' }, t('error.dismiss'));
  close.addEventListener('click', () => session.dismiss());
  /** @type {Node[]} */
  const says = [];
  if (problem)
    says.push(
      el('b', {}, t(`${problem.key}.h`, problem.values)),
      el('p', { class: 'say' }, ...rich(problem.key, problem.values)),
    );
  else for (const { key, values } of notices) says.push(el('p', { class: 'say' }, ...rich(key, values)));
  box.replaceChildren(
    ...says,
    el('span', { class: 'acts' }, ...(problem?.kind === 'Photo' ? [again, close] : [close])),
  );
}
