import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import scalar from '@scalar/fastify-api-reference';

/**
 * The REST reference: a page to read in the frame of the documentation, made of the contract; and the viewer that tries
 * requests, whose script is put beside the other assets. Scalar's plugin for Fastify is the package that carries that script
 * whole; the viewer's own package brings some 280 others with it, for the same script.
 */

const dist = join(import.meta.dirname, 'dist');
const page = join(dist, 'reference', 'try', 'index.html');

interface Route {
  url: string;
  handler(request: unknown, reply: Reply): unknown;
}
interface Reply {
  header(): Reply;
  send(body: unknown): unknown;
}

const script = await viewerScript();
const name = `viewer-${createHash('sha256').update(script).digest('hex').slice(0, 12)}.js`;
writeFileSync(join(dist, 'assets', name), script);
copyFileSync(join(import.meta.dirname, '..', 'openapi', 'public.json'), join(dist, 'reference', 'openapi.json'));
writeFileSync(page, readFileSync(page, 'utf8').replace('%VIEWER%', `/assets/${name}`));

/** What the plugin would answer for the script's path, without a server around it. */
async function viewerScript(): Promise<string> {
  const routes: Route[] = [];
  const recorder = { route: (route: Route) => routes.push(route), hasPlugin: () => false, initialConfig: {} };
  const register = scalar as unknown as (to: typeof recorder, options: object, done: () => void) => void;
  await new Promise<void>((resolve) => register(recorder, { configuration: { content: {} } }, resolve));
  const reply: Reply = { header: () => reply, send: (body) => body };
  const body = await routes.find(({ url }) => url.endsWith('.js'))?.handler({}, reply);
  if (typeof body !== 'string') throw new Error('The package of the viewer carries no script.');
  return body;
}
