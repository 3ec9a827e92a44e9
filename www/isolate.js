/**
 * Threads need a cross-origin isolated page, which needs headers that many static hosts cannot send. The service
 * worker beside this file sends them instead, after one reload, and keeps the page's files for use without a network.
 */

/** In sessionStorage while a reload is under way: a page that is not isolated after it never will be. */
const GUARD = 'unpool-isolation-tried';
/** Milliseconds that a service worker may take to start before the page goes on without threads. */
const PATIENCE = 4000;
/** Milliseconds after the page has loaded at which the files not used yet are fetched: the first analysis goes first. */
const KEEP_AFTER = 5000;

/**
 * Call before starting the engine, and stop where the answer is `reloading`.
 * @returns {Promise<'isolated' | 'reloading' | 'unavailable'>} never rejects
 */
export async function isolate() {
  try {
    // Reading the property throws in a sandboxed frame; it is missing in an insecure context.
    const workers = navigator.serviceWorker;
    if (!workers) return state();
    const registration = await workers.register(new URL('./isolation-sw.js', import.meta.url), {
      updateViaCache: 'none',
    });
    // On a first visit it may take longer to start than that; where service workers are blocked from outside, it never does.
    setTimeout(async () => (await workers.ready).active?.postMessage('keep'), KEEP_AFTER);
    if (crossOriginIsolated) {
      sessionStorage.removeItem(GUARD);
      return 'isolated';
    }
    if (!worthReloading() || sessionStorage.getItem(GUARD)) return 'unavailable';
    if (!(await active(registration))) return 'unavailable';
    sessionStorage.setItem(GUARD, 'yes');
    location.reload();
    return 'reloading';
  } catch {
    // No service workers (private window, blocked storage, no file of that name): one thread does it too.
    return state();
  }
}

const state = () => (globalThis.crossOriginIsolated ? 'isolated' : 'unavailable');

/** In a foreign frame only Document-Isolation-Policy can isolate, and only Chromium has it. */
function worthReloading() {
  if (window.top === window) return true;
  const { userAgentData } = /** @type {{ userAgentData?: { brands: { brand: string }[] } }} */ (
    /** @type {unknown} */ (navigator)
  );
  return Boolean(userAgentData?.brands.some(({ brand }) => brand === 'Chromium'));
}

/** @param {ServiceWorkerRegistration} registration @returns {Promise<boolean>} whether the next load will go through it */
function active(registration) {
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  if (!worker) return Promise.resolve(false);
  return new Promise((done) => {
    const look = () => {
      if (worker.state === 'activated') done(true);
      if (worker.state === 'redundant') done(false);
    };
    worker.addEventListener('statechange', look);
    setTimeout(() => done(false), PATIENCE);
    look();
  });
}
