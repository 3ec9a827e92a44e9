/** Wiring only: the state decides what is shown, the session computes it, the views draw it. */

import { isolation, store } from './early.js';
import { fileOf, fromVideo } from './photo.js';
import { Session } from './session.js';
import { find, isDark } from './ui/dom.js';
import './ui/explore.js';
import { Masthead } from './ui/masthead.js';
import { apply, load, pickLanguage, t } from './words.js';

const root = document.documentElement;
const session = new Session(store);

/** Theme, language and frame of the page. */
async function dress() {
  const { lang, theme, present, embed, view } = store.state;
  root.dataset.theme = theme;
  root.toggleAttribute('data-stage', Boolean(present || embed));
  if (present || embed) root.dataset.stage = present ? 'present' : 'embed';
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('main > [data-view]')))
    section.hidden = section.dataset.view !== view;
  open(view);
  const wanted = pickLanguage(lang);
  if (root.dataset.words === wanted) return;
  await load(wanted);
  root.dataset.words = wanted;
  root.lang = wanted;
  apply(document);
  document.title = t('title');
  document.dispatchEvent(new Event('unpool:redraw'));
}

/** Views that are fetched when they are opened, so that nobody waits for them before: `ui/NAME.js` defines `unpool-NAME`. */
const later = new Set(['occlusion', 'gallery', 'filters', 'training', 'sparse']);

/** @param {string} view */
async function open(view) {
  if (!later.delete(view)) return;
  try {
    await import(`./ui/${view}.js`);
    await /** @type {any} */ (find(document, `unpool-${view}`)).connect(store, session);
  } catch (error) {
    later.add(view);
    session.report(error);
  }
}

/** @param {File | undefined} file */
const openPhoto = (file) => file && session.openPhoto(file, file.name || t('photo.pasted'));

/** Networks' files are told by their names, a photo by its bytes. */
const MODEL = /\.(safetensors|onnx|caffemodel|pth?|npz|pkl|t7)$/i;

/** @param {File[]} files @param {File | undefined} photo */
const openFiles = (files, photo) =>
  files.some(({ name }) => MODEL.test(name)) ? session.openModel(files) : openPhoto(photo);

async function takePhoto() {
  try {
    const { openCamera } = await import('./ui/camera.js');
    const video = await openCamera();
    if (video) session.usePhoto(await fromVideo(video));
  } catch (error) {
    session.report(error);
  } finally {
    const dialog = /** @type {HTMLDialogElement} */ (find(document, '[data-dialog=camera]'));
    const stream = /** @type {MediaStream | null} */ (
      /** @type {HTMLVideoElement} */ (find(dialog, 'video')).srcObject
    );
    for (const track of stream?.getTracks() ?? []) track.stop();
  }
}

function connectPhotos() {
  const input = /** @type {HTMLInputElement} */ (find(document, '[data-photo-file]'));
  input.addEventListener('change', () => {
    openFiles([...(input.files ?? [])], input.files?.[0]);
    input.value = '';
  });
  let depth = 0;
  const over = (/** @type {number} */ change) => {
    depth = Math.max(0, depth + change);
    root.toggleAttribute('data-dropping', depth > 0);
  };
  addEventListener('dragenter', () => over(1));
  addEventListener('dragleave', () => over(-1));
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    // A view may have taken it: the gallery takes folders.
    const taken = event.defaultPrevented;
    event.preventDefault();
    over(-depth);
    if (!taken) openFiles([...(event.dataTransfer?.files ?? [])], fileOf(event.dataTransfer));
  });
  addEventListener('paste', (event) => openPhoto(fileOf(event.clipboardData)));
}

/** Whoever has the page in a frame hears what happens in it: embed.js makes events of this. */
if (parent !== window)
  for (const type of ['unpool:ready', 'unpool:select', 'unpool:error'])
    document.addEventListener(type, (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      parent.postMessage({ type, detail }, '*');
    });

/** @type {Record<string, () => void>} */
const actions = {
  file: () => find(document, '[data-photo-file]').click(),
  camera: takePhoto,
  theme: () => store.set({ theme: isDark() ? 'light' : 'dark' }),
  present: () => store.set({ present: '1' }),
  leave: () => store.set({ present: '' }),
  link: async () => {
    const own = store.state.photo === 'own' ? 'link.own' : 'link.done';
    // Without a secure context there is no clipboard; the address bar holds the same link.
    const copied = await navigator.clipboard?.writeText(store.link).then(
      () => true,
      () => false,
    );
    masthead.say(t(copied ? own : 'link.failed'));
  },
  about: () =>
    import('./ui/about.js').then(
      ({ about }) => about(session),
      (error) => session.report(error),
    ),
};

document.addEventListener('click', (event) => {
  const action = /** @type {HTMLElement} */ (event.target).closest('[data-act]')?.getAttribute('data-act') ?? '';
  actions[action]?.();
  const view = /** @type {HTMLElement} */ (event.target).closest('.views a')?.getAttribute('data-view');
  if (!view || event.ctrlKey || event.metaKey || event.shiftKey) return;
  // The link alone would forget everything else that is chosen. A map was chosen in the layer that is shown.
  event.preventDefault();
  const { layer, map } = store.state;
  store.set({ view, layer: layer || (map && session.choice?.layer.name) || '' });
});
document.addEventListener('keydown', (event) => {
  const field = /** @type {HTMLElement} */ (event.target).closest('input, select, textarea, dialog');
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'p' || event.key === 'P') store.set({ present: store.state.present ? '' : '1' });
  if (event.key === 'd' || event.key === 'D') actions.theme();
  if (event.key === 'Escape' && store.state.present) store.set({ present: '' });
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
  document.dispatchEvent(new Event('unpool:redraw')),
);
store.addEventListener('change', dress);

// The engine goes on while the words are still on their way.
isolation.then((state) => {
  if (state !== 'reloading') session.update();
});
await dress();
const masthead = new Masthead(store, session);
connectPhotos();
/** @type {import('./ui/explore.js').Explore} */ (find(document, 'unpool-explore')).connect(store, session);
