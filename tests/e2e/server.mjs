// A static host as strangers have them: with or without isolation headers, at the root or under a sub-path.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/** @type {Record<string, string>} */
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.webp': 'image/webp',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * @typedef {{ url: string, hits: string[], down: boolean, stop: () => Promise<void> }} Host
 *   `hits`: the paths asked for so far; `down`: set to true, every connection is cut.
 * @param {{ isolated?: boolean, base?: string, folder?: string, cors?: boolean }} [options] `cors`: other origins may use its scripts
 * @returns {Promise<Host>}
 */
export async function host({ isolated = false, base = '/', folder = dist, cors = false } = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (self.down) return void request.socket.destroy();
    self.hits.push(pathname);
    if (isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    if (cors) response.setHeader('Access-Control-Allow-Origin', '*');
    const inside = pathname.startsWith(base) ? decodeURIComponent(pathname.slice(base.length)) : '..';
    const path = join(folder, normalize(`/${inside || 'index.html'}`));
    const found = pathname.startsWith(base) ? await stat(path).catch(() => null) : null;
    if (!found?.isFile()) return void response.writeHead(404).end('not here');
    response.writeHead(200, {
      'Content-Type': types[extname(path)] ?? 'application/octet-stream',
      'Content-Length': found.size,
    });
    createReadStream(path).pipe(response);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  /** @type {Host} */
  const self = {
    // `localhost`, not 127.0.0.1: both are secure contexts, but this is what a person types.
    url: `http://localhost:${address.port}${base}`,
    hits: [],
    down: false,
    stop: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
  return self;
}
