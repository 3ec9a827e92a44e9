/**
 * The service worker: adds the headers that isolate the page, so that it may use threads on any host, and keeps its
 * files so that it works without a network. The network goes first, so an update is seen at once; what is
 * kept belongs to one build and goes with it.
 */

const scope = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

// Both written by ./build.sh dist. As it stands here, nothing is kept: a developer's files change under it.
const BUILD = '';
/** @type {string[]} */
const FILES = [];

/** Caches are shared by all pages of an origin: the name holds the folder that this one is for. */
const OURS = `unpool ${scope.registration.scope} `;
const CACHE = OURS + BUILD;

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));

scope.addEventListener('activate', (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) if (name.startsWith(OURS) && name !== CACHE) await caches.delete(name);
    await scope.clients.claim();
  };
  event.waitUntil(tidy());
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const ours = request.url.startsWith(scope.registration.scope);
  // Devtools ask for what is only in the HTTP cache; parts of files would be kept as if they were whole ones.
  if (!ours || request.method !== 'GET' || request.headers.has('range')) return;
  if (request.cache === 'only-if-cached' && request.mode !== 'same-origin') return;
  event.respondWith(answer(event, request));
});

scope.addEventListener('message', (event) => {
  if (event.data === 'keep' && BUILD) event.waitUntil(keepAll());
});

/** @param {FetchEvent} event @param {Request} request @returns {Promise<Response>} */
async function answer(event, request) {
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(CACHE)).match(request, { ignoreSearch: true });
    if (kept) return isolated(kept);
    throw error;
  }
  if (response.status === 0 || response.type !== 'basic') return response;
  if (BUILD && response.status === 200) event.waitUntil(keep(request, response.clone()));
  return isolated(response);
}

/** @param {Response} response the same with headers that isolate whoever runs it */
function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'cross-origin');
  // Isolates a page in a foreign frame too, where the browser knows it.
  headers.set('Document-Isolation-Policy', 'isolate-and-require-corp');
  const { status, statusText } = response;
  const empty = status === 204 || status === 205 || status === 304;
  return new Response(empty ? null : response.body, { status, statusText, headers });
}

/** @param {Request | string} request @param {Response} response */
async function keep(request, response) {
  try {
    await (await caches.open(CACHE)).put(request, response);
  } catch {
    // No room: the page needs the network, as before.
  }
}

/** What this visit has not used yet but the next may need. */
async function keepAll() {
  const cache = await caches.open(CACHE);
  for (const file of FILES) {
    const url = new URL(file, scope.registration.scope).href;
    if (await cache.match(url, { ignoreSearch: true })) continue;
    const response = await fetch(url).catch(() => null);
    if (response?.status === 200) await keep(url, response);
  }
}
