import { lookup } from 'node:dns/promises';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Away } from './away.ts';
import { isLoopbackAddress, isPublicAddress } from './publicAddress.ts';

export interface Guard {
  /** All addresses of a host. */
  resolve: (host: string) => Promise<readonly string[]>;
  /** Also this machine, at any port: for clients under test. */
  allowLoopback: boolean;
  bytesMax: number;
  limitMs: number;
  /** Besides the authorities that everybody trusts, PEM. */
  ca?: string;
}

/** What is meant to be a document of a client, not any file or upload that a good host happens to show (draft, section 4). */
const jsonType = /^application\/(?:[\w.+-]+\+)?json[ \t]*(?:;|$)/i;

export async function resolveHost(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);
}

/**
 * GETs a small JSON document that a stranger named. The name is resolved once and every address of it looked at; the
 * connection goes to the address that was looked at, so a name that changes its mind (DNS rebinding) changes nothing.
 * Redirects are not followed. It is over with the limit, whatever the other side says or leaves out.
 * @throws Away when the host does not answer, or not for now; Error that says what was refused
 */
export async function guardedFetch(url: string, guard: Guard): Promise<Response> {
  const limit = AbortSignal.timeout(guard.limitMs);
  const target = new URL(url);
  const address = await within(limit, addressOf(target, guard));
  return await within(limit, get(target, { address, limit, guard }));
}

/** @throws Error */
async function addressOf(url: URL, { resolve, allowLoopback }: Guard): Promise<string> {
  if (url.protocol !== 'https:') throw new Error('only https is fetched');
  if (url.username !== '' || url.password !== '') throw new Error('a URL with credentials is not fetched');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) === 0 ? await resolve(host).catch(asAway) : [host];
  const [first] = addresses;
  if (first === undefined) throw new Error(`${host} has no address`);
  if (allowLoopback && addresses.every(isLoopbackAddress)) return first;
  if (url.port !== '') throw new Error('only port 443 is fetched from');
  // One that is not public makes the others suspect, too.
  const inside = addresses.find((each) => !isPublicAddress(each));
  if (inside !== undefined) throw new Error(`${host} is no host of the internet`);
  return first;
}

function get(url: URL, at: { address: string; limit: AbortSignal; guard: Guard }): Promise<Response> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest({
      host: at.address,
      port: url.port || 443,
      // Whom the certificate must name; an address is no name.
      ...(isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 ? { servername: url.hostname } : {}),
      path: url.pathname + url.search,
      headers: { host: url.host, accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'lebureau' },
      ...(at.guard.ca === undefined ? {} : { ca: at.guard.ca }),
      agent: false,
      signal: at.limit,
    });
    outgoing.on('error', (error) => reject(away(error)));
    outgoing.on('upgrade', (_answer, socket) => {
      socket.destroy();
      reject(new Error('answered 101'));
    });
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= at.guard.bytesMax) return void chunks.push(chunk);
        reject(new Error('the document is too large'));
        outgoing.destroy();
      });
      incoming.on('error', (error) => reject(away(error)));
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 0;
        if (status >= 500 || status === 429) return reject(new Away(`answered ${status}`));
        // A redirect could lead anywhere.
        if (status !== 200) return reject(new Error(`answered ${status}`));
        if (!jsonType.test(incoming.headers['content-type'] ?? ''))
          return reject(new Error('its content type is not that of JSON'));
        const headers = { 'cache-control': String(incoming.headers['cache-control'] ?? '') };
        return resolve(new Response(Buffer.concat(chunks), { status, headers }));
      });
    });
    outgoing.end();
  });
}

async function within<Value>(limit: AbortSignal, work: Promise<Value>): Promise<Value> {
  const over = new Promise<never>((_, reject) => {
    limit.addEventListener('abort', () => reject(new Away('it took too long')), { once: true });
  });
  return Promise.race([work, over]);
}

function away(cause: unknown): Away {
  return new Away(cause instanceof Error ? cause.message : String(cause), { cause });
}

function asAway(cause: unknown): never {
  throw away(cause);
}
