/** The About dialog: what runs, whose network it is, whose photos these are. */

import { number, rich, t } from '../words.js';
import { el, find } from './dom.js';

/** Why this flavour runs, in the reader's language where its text has it. @param {import('../types.d.ts').Engine} engine */
export function reasonOf({ why, reason, threads }) {
  const key = `why.${why}`;
  const words = t(key, { n: threads });
  return words === key ? reason : words;
}

/** @param {import('../session.js').Session} session */
export function about({ engine, net, credits, trace }) {
  const dialog = /** @type {HTMLDialogElement} */ (find(document, '[data-dialog=about]'));
  const body = find(dialog, '[data-about]');
  /** @param {string} key @param {[string, string][]} rows */
  const part = (key, rows) =>
    el(
      'section',
      {},
      el('h3', {}, t(key)),
      el(
        'dl',
        { class: 'facts' },
        ...rows.flatMap(([name, value]) => (value ? [el('dt', {}, name), el('dd', {}, value)] : [])),
      ),
    );
  /** @type {HTMLElement[]} */
  const parts = [el('p', { class: 'say' }, ...rich('about.say')), el('p', { class: 'say' }, ...rich('about.honest'))];
  if (net) {
    const { title, name, licence, origin, notes, bytes, layers, input } = net.info;
    parts.push(
      part('about.model', [
        [t('about.name'), title || name],
        [t('about.licence'), licence],
        [t('about.origin'), origin],
        [t('about.notes'), notes],
        [
          t('about.size'),
          t('about.size.is', {
            layers: layers.length,
            size: `${input.shape[2]}×${input.shape[1]}`,
            mb: number(bytes / 1e6, { digits: 1 }),
          }),
        ],
      ]),
    );
  }
  if (engine) {
    parts.push(
      part('about.engine', [
        [t('about.flavour'), t(`flavour.${engine.flavour}`, { n: engine.threads })],
        [t('about.reason'), reasonOf(engine)],
        [t('about.time'), trace ? t('about.time.is', { ms: number(trace.milliseconds, { digits: 0 }) }) : ''],
      ]),
    );
  }
  parts.push(
    part(
      'about.photos',
      credits.map((one) => [t(`sample.${one.id}`), `${one.author}, ${one.licence} (${one.origin})`]),
    ),
  );
  const link = (/** @type {string} */ href, /** @type {string} */ name) => el('a', { href, target: '_blank' }, name);
  parts.push(
    el(
      'section',
      {},
      el('h3', {}, t('about.licences')),
      el(
        'p',
        { class: 'say' },
        `${t('about.licence.own')} `,
        link('LICENSE-MIT.txt', 'MIT'),
        ', ',
        link('LICENSE-APACHE.txt', 'Apache-2.0'),
        '. ',
        link('THIRD-PARTY.md', t('about.licence.others')),
        '.',
      ),
    ),
  );
  parts.push(el('p', { class: 'sub' }, t('about.fonts')));
  body.replaceChildren(...parts);
  dialog.showModal();
}
