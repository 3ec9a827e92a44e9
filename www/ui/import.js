/**
 * Networks from other tools: converts a file in a worker, says everything that was done and assumed, lets the visitor
 * supply what is missing, keeps the result. Fetched when such a file is opened.
 */

import { fail } from '../errors.js';
import { here, idOf, list, open, remove, save } from '../kept.js';
import { number, t } from '../words.js';
import { download, el, find } from './dom.js';
import { form } from './import-form.js';
import { watchPreparation } from './import-preparation.js';

/** @import { Session } from '../session.js' */
/** @import { ImportErrand, ImportLine, ImportNews, ImportReport, ImportTest } from '../types.d.ts' */

const RESET = { layer: '', map: '', at: '', step: '', channel: '' };
/** Reports of this visit, by network, with the test data that came with it. @type {Map<string, { report: ImportReport, file: string, kept: boolean, test?: ImportTest }>} */
const reports = new Map();
let styled = false;

function style() {
  if (styled) return;
  styled = true;
  document.head.append(el('link', { rel: 'stylesheet', href: new URL('import.css', import.meta.url).href }));
}

const megabytes = (/** @type {number} */ bytes) => number(bytes / 1e6, { digits: bytes < 1e7 ? 1 : 0 });
const ending = (/** @type {string} */ name) => name.slice(name.lastIndexOf('.') + 1).toLowerCase();

/** Ours goes to the engine as it is, another tool's is converted first. @param {Session} session @param {File[]} files */
export async function openFiles(session, files) {
  const [file] = files;
  if (files.length === 1 && (await isOurs(file))) {
    session.ownModel = file;
    session.store.set({ model: 'own', ...RESET });
    session.update();
  } else {
    const id = await converted(session, files);
    style();
    watchPreparation(session, change);
    session.store.set({ model: id, ...RESET });
    show(session, id);
  }
}

/** Whether a file is a network in our own format. @param {Blob} file */
export const isOurs = async (file) => /"format":"unpool"|"spec":/.test(await file.slice(8, 264).text());

/** Another tool's file, converted and at hand under the name that is returned. @param {Session} session @param {File[]} files @returns {Promise<string>} */
export function converted(session, files) {
  const since = performance.now();
  const progress = (/** @type {number} */ done, /** @type {number} */ total) => {
    session.progress = { done, total, since };
    session.dispatchEvent(new Event('change'));
  };
  // Each time anew: a step with an old key would not be done again.
  return session.step('import', {}, (signal) => receive(files, signal, progress));
}

/**
 * Converts the file; what belongs to it (a prototxt, class names, ONNX test data) may lie beside it.
 * @param {File[]} files @param {AbortSignal} signal @param {(done: number, total: number) => void} onprogress
 * @returns {Promise<string>} how it is called in the hash
 */
async function receive(files, signal, onprogress) {
  const main = files.find(({ name }) => !['prototxt', 'txt', 'json', 'pb'].includes(ending(name))) ?? files[0];
  const beside = (/** @type {string[]} */ ...kinds) =>
    files.find((file) => file !== main && kinds.includes(ending(file.name)));
  const memory = /** @type {{ deviceMemory?: number }} */ (navigator).deviceMemory ?? 4;
  // Twice the file to convert, then the network itself; half of the device is left to everything else.
  if (2.2 * main.size + 32e6 > memory * 0.5e9)
    throw fail('Limit', t('import.large', { mb: megabytes(main.size), gb: memory }));
  const options = {
    file_name: main.name,
    prototxt: await beside('prototxt')?.text(),
    labels: await beside('txt', 'json')?.text(),
  };
  const tests = ['input_0.pb', 'output_0.pb'].flatMap((name) => files.find((file) => file.name === name) ?? []);
  const work = { file: main, options, tests: tests.length === 2 ? tests : [] };
  const done = await errand(work, main.size, signal, onprogress);
  const { report, hash, file } = done;
  const name = main.name.replace(/\.[^.]*$/, '');
  const id = idOf(name, hash);
  here.set(id, file);
  reports.set(id, { report, file: main.name, kept: await save(id, file), test: done.test });
  return id;
}

/** @param {ImportErrand} work @param {number} total @param {AbortSignal} signal @param {(done: number, total: number) => void} onprogress */
function errand(work, total, signal, onprogress) {
  const worker = new Worker(new URL('../importer.js', import.meta.url), { type: 'module', name: 'unpool-import' });
  return /** @type {Promise<NonNullable<ImportNews['done']>>} */ (
    new Promise((done, failed) => {
      signal.addEventListener('abort', () => failed(fail('Aborted', 'The import was cancelled.')));
      worker.onerror = (event) => {
        event.preventDefault();
        failed(fail('Stopped', event.message || t('import.stopped')));
      };
      worker.onmessage = ({ data }) => {
        const news = /** @type {ImportNews} */ (data);
        if (news.progress) onprogress(news.progress, total);
        if (news.done) done(news.done);
        if (news.error) failed(Object.assign(new Error(news.error.message), { name: news.error.name }));
      };
      worker.postMessage(work);
    })
  ).finally(() => worker.terminate());
}

/** Another normalisation or other names: a new header before the same weights. @param {Session} session @param {string} id @param {Record<string, any>} spec what is different */
export async function change(session, id, spec) {
  const old = await open(id);
  const length = Number(new DataView(await old.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  const header = JSON.parse(await old.slice(8, 8 + length).text());
  const now = JSON.parse(header.__metadata__.spec);
  header.__metadata__.spec = JSON.stringify({ ...now, ...spec, input: { ...now.input, ...spec.input } });
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(32);
  padded.set(text);
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(padded.length), true);
  const file = new Blob([size, padded, old.slice(8 + length)]);
  here.set(id, file);
  await save(id, file);
  session.edition += 1;
  session.update();
}

/** The dialog, made once. @returns {HTMLDialogElement} */
function dialog() {
  const there = /** @type {HTMLDialogElement | null} */ (document.querySelector('[data-dialog=import]'));
  if (there) return there;
  const close = el('button', { type: 'submit', class: 'btn' }, t('close'));
  const box = el(
    'dialog',
    { class: 'dialog import', 'data-dialog': 'import', 'aria-labelledby': 'import-title' },
    el('h2', { class: 'title', id: 'import-title', tabindex: -1, autofocus: true }),
    el('div', { 'data-import': '' }),
    el('form', { method: 'dialog' }, close),
  );
  document.body.append(box);
  return box;
}

/** @param {string} key @param {ImportLine[]} lines @param {boolean} [folded] */
function part(key, lines, folded = false) {
  if (!lines.length) return [];
  const items = el(
    'ul',
    { class: 'lines' },
    ...lines.map(({ code, values }) => el('li', {}, t(`import.line.${code}`, values))),
  );
  if (!folded) return [el('section', { class: key.split('.')[1] }, el('h3', {}, t(key, { n: lines.length })), items)];
  return [el('details', {}, el('summary', {}, t(key, { n: lines.length })), items)];
}

/** What was read, what is assumed, what is missing. @param {Session} session @param {string} id */
export function show(session, id) {
  const entry = reports.get(id);
  const box = dialog();
  find(box, '.title').textContent = t('import.title', { name: id.split('~')[0] });
  const body = find(box, '[data-import]');
  const test = el('p', { class: 'say', 'data-test': '' }, t('import.test.wait'));
  const data = el('p', { class: 'say', 'data-test-data': '', hidden: !entry?.test });
  const facts = entry
    ? [
        el(
          'p',
          { class: 'say' },
          t('import.read', {
            format: entry.report.format,
            layers: entry.report.layers,
            parameters: entry.report.parameters,
          }),
          ' ',
          t(entry.kept ? 'import.kept' : 'import.transient'),
        ),
        ...part('import.suspect', entry.report.suspect),
        ...part('import.guesses', entry.report.guesses),
        ...part('import.missing', entry.report.missing),
      ]
    : [];
  const more = entry
    ? [
        ...part('import.folded', entry.report.folded, true),
        ...part('import.renamed', entry.report.renamed, true),
        ...part('import.skipped', entry.report.skipped, true),
        ...part('import.notes', entry.report.notes, true),
      ]
    : [];
  const supply = el('div');
  body.replaceChildren(
    ...facts,
    el('section', {}, el('h3', {}, t('import.test')), test, data),
    supply,
    ...more,
    el('section', { 'data-kept': '' }),
  );
  keptList(session, find(body, '[data-kept]'));
  if (!box.open) box.showModal();
  // What the form begins with is known when the network has been loaded.
  selfTest(session, id, test)
    .then(() => (entry?.test ? testData(session, id, entry.report.output, entry.test, data) : undefined))
    .catch((error) => session.report(error))
    .then(() => supply.replaceChildren(form(session, id, (spec) => change(session, id, spec))));
}

/** The five most probable classes of the present photo. @param {Session} session @param {string} id @param {HTMLElement} line */
async function selfTest(session, id, line) {
  const done = () => session.trace && session.net && session.good.model === id;
  while (!done() && !session.problem && session.store.state.model === id)
    await new Promise((next) => session.addEventListener('change', next, { once: true }));
  const { trace, net } = session;
  if (!done() || !trace || !net) {
    line.textContent = session.problem ? t(session.problem.key, session.problem.values) : '';
    return;
  }
  const last = net.info.layers.at(-1);
  if (last?.kind !== 'softmax') {
    line.textContent = t('import.test.none', { layer: last?.name ?? '' });
    return;
  }
  if (net.info.broken)
    line.textContent = t('import.broken', { n: net.info.broken, model: net.info.title || net.info.name });
  const top = await trace.top(5).catch((error) => {
    if (!net.info.broken) throw error;
    return undefined;
  });
  if (!top) return line.append(' ', t('import.broken.none'));
  line.textContent = top.map(({ label, p }) => `${label} ${number(100 * p, { digits: 1 })} %`).join(', ');
}

/** The network's answer to its own test data. @param {Session} session @param {string} id @param {string} output its layer @param {ImportTest} test @param {HTMLElement} line */
async function testData(session, id, output, test, line) {
  const net = session.good.model === id ? session.net : undefined;
  if (!net) return;
  const set = 'input_0.pb';
  line.textContent = t('import.test.wait');
  try {
    if ('refused' in test) throw new Error(test.refused);
    const { agreement } = await import('./import-test.js');
    const { n, off, largest } = await agreement(net, output || (net.info.layers.at(-1)?.name ?? ''), test);
    line.classList.toggle('is-wrong', off > 0);
    const values = { set, off, n, largest: largest.toExponential(1) };
    line.textContent = t(off ? 'import.line.test.failed' : 'import.line.test.passed', values);
  } catch (error) {
    line.textContent = t('import.line.test.none', { set, why: /** @type {Error} */ (error).message });
  }
}

/** @param {Session} session @param {HTMLElement} place */
async function keptList(session, place) {
  const all = await list();
  place.hidden = !all.length;
  const rows = all.map(({ id, size }) => {
    const act = (/** @type {string} */ key, /** @type {() => unknown} */ go) => {
      const button = el('button', { type: 'button', class: 'link' }, t(key));
      button.addEventListener('click', async () => {
        try {
          await go();
        } catch (error) {
          session.report(error);
        }
      });
      return button;
    };
    return el(
      'li',
      {},
      el('span', {}, `${id.replace('~', ' · ')}, ${t('mb', { mb: megabytes(size) })}`),
      act('import.open', () => {
        session.store.set({ model: id, ...RESET });
        show(session, id);
      }),
      act('import.export', async () =>
        download(await open(id), 'application/octet-stream', `${id.split('~')[0]}.safetensors`),
      ),
      act('import.remove', async () => {
        await remove(id);
        here.delete(id);
        keptList(session, place);
      }),
    );
  });
  place.replaceChildren(el('h3', {}, t('import.list')), el('ul', { class: 'lines kept' }, ...rows));
}

/** The list alone, for networks of earlier visits. @param {Session} session */
export function showKept(session) {
  style();
  const box = dialog();
  find(box, '.title').textContent = t('import.list');
  const place = el('section', { 'data-kept': '' });
  find(box, '[data-import]').replaceChildren(place);
  keptList(session, place);
  if (!box.open) box.showModal();
}

/** For a network that opens by its link. @param {Session} session @param {string} id @returns {Promise<Blob>} */
export function attend(session, id) {
  style();
  watchPreparation(session, change);
  return open(id);
}
