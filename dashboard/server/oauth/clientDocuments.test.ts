import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { lanCertificate } from '../lanCertificate.ts';
import { asker } from './asker.ts';
import { ClientDocuments } from './clientDocuments.ts';
import { guardedFetch } from './guardedFetch.ts';

/** Over real https; what the API keeps is a map here, as `records.ts` there keeps it. */

const home = mkdtempSync(join(tmpdir(), 'lb-documents-'));
let server: ReturnType<typeof Bun.serve>;
let ca: string;
let asked: string[] = [];
let answer: () => Response | Promise<Response> = () => new Response();
/** What waits at the slow ones. */
let slow: (() => void)[] = [];
beforeAll(async () => {
  const pair = await lanCertificate(home, '127.0.0.1', systemClock.nowMs());
  ca = pair.certificate;
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: { cert: pair.certificate, key: pair.key },
    async fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (pathname.startsWith('/slow')) await new Promise<void>((resolve) => slow.push(resolve));
      return answer();
    },
  });
});
beforeEach(() => {
  asked = [];
  slow = [];
  answer = () => Response.json(good());
  nowMs += 60_000;
});
afterAll(async () => {
  await server.stop(true);
  rmSync(home, { recursive: true });
});

let nowMs = 0;
const clock = { ...systemClock, monotonicMs: () => nowMs };
const at = (path: string) => `https://localhost:${server.port}${path}`;
const url = () => at('/client.json');
const good = (more: object = {}) => ({ client_id: url(), token_endpoint_auth_method: 'none', ...more });

function documents(isApiAway = () => false) {
  const rows = new Map<string, object>();
  const ask = async <Value>(act: () => Value): Promise<Value> => {
    if (isApiAway()) throw new Fault('unavailable', 'The API did not answer.');
    return act();
  };
  const all = new ClientDocuments({
    clock,
    log: silentLog,
    fetch: (each) =>
      guardedFetch(each, {
        resolve: async (host) => (host === 'localhost' ? ['127.0.0.1'] : Promise.reject(new Error('no such name'))),
        allowLoopback: true,
        bytesMax: 1000,
        limitMs: 4000,
        ca,
      }),
    calls: {
      save: (_kind, name, { payload }) => ask(() => void rows.set(name, payload)),
      find: (_kind, name) =>
        ask(() =>
          rows.has(name) ? { payload: rows.get(name) as Record<string, unknown>, consumed: false } : undefined,
        ),
      forget: (_kind, name) => ask(() => void rows.delete(name)),
    },
  });
  const get = (name: string, { network = '203.0.113.1', mayTakeKept = false } = {}) =>
    asker.run({ network, mayTakeKept }, async () => (await all.get(name)).json());
  const mayUse = (mayTakeKept: boolean) => asker.run({ network: '203.0.113.1', mayTakeKept }, () => all.mayUse(url()));
  return { get, rows, mayUse };
}
const asToken = { mayTakeKept: true };

test('what was refused is not fetched again in the same breath, and is a moment later', async () => {
  const { get } = documents();
  answer = () => new Response('no', { status: 404 });
  for (let again = 0; again < 3; again += 1) await expect(get(url())).rejects.toThrow('answered 404');
  expect(asked).toHaveLength(1);
  nowMs += 2000;
  answer = () => Response.json(good());
  expect(await get(url())).toEqual(good());
  expect(asked).toHaveLength(2);
});

test.each<[string, () => Response]>([
  ['is broken', () => new Response('', { status: 500 })],
  ['is restarting', () => new Response('', { status: 503 })],
  ['is asked too often', () => new Response('', { status: 429 })],
])('while its host %s a client that was let in goes on with what was good last', async (_name, how) => {
  const { get } = documents();
  await get(url());
  nowMs += 2000;
  answer = how;
  // Who asks to be let in is looked at as they are now.
  await expect(get(url())).rejects.toThrow('answered');
  expect(await get(url(), asToken)).toEqual(good());
  nowMs += 2000;
  answer = () => Response.json(good({ client_name: 'By another name' }));
  expect(await get(url(), asToken)).toEqual(good({ client_name: 'By another name' }));
});

test('nor does it need a host that can be reached at all', async () => {
  const { get, rows } = documents();
  const gone = 'https://gone.example/client.json';
  rows.set(gone, { client_id: gone });
  expect(await get(gone, asToken)).toEqual({ client_id: gone });
  await expect(get('https://other.example/client.json', asToken)).rejects.toThrow('no such name');
  const dead = 'https://localhost:1/client.json';
  rows.set(dead, { client_id: dead });
  expect(await get(dead, asToken)).toEqual({ client_id: dead });
});

test('what stands in is not used by who asks to be let in, also not by way of what the library keeps', async () => {
  const { get, mayUse } = documents();
  await get(url());
  expect(mayUse(false)).toBe(true);
  nowMs += 2000;
  answer = () => new Response('', { status: 503 });
  await get(url(), asToken);
  expect([mayUse(true), mayUse(false)]).toEqual([true, false]);
  // Longer than the library keeps it.
  nowMs += 3_600_000;
  expect(mayUse(false)).toBe(false);
  answer = () => Response.json(good());
  await get(url());
  expect(mayUse(false)).toBe(true);
});

test.each<[string, () => Response]>([
  ['that there is none', () => new Response('', { status: 404 })],
  ['that it went elsewhere', () => Response.redirect('https://localhost/')],
  ['nothing that is JSON', () => new Response('<p>Moved.')],
  ['that it is of another client', () => Response.json({ ...good(), client_id: 'https://other.example/' })],
  ['that it has a secret', () => Response.json(good({ client_secret: 'x' }))],
])('a host that says %s is believed, also once it is away', async (_name, how) => {
  const { get, rows } = documents();
  await get(url());
  expect(rows.size).toBe(1);
  nowMs += 2000;
  answer = how;
  // Whatever the library makes of it, it is what the host says now.
  const said = await get(url(), asToken).catch((error: Error) => error);
  expect(said).not.toEqual(good());
  nowMs += 2000;
  answer = () => new Response('', { status: 503 });
  await expect(get(url(), asToken)).rejects.toThrow('answered 503');
});

test('an API that is away keeps nobody out whose document is good', async () => {
  let isAway = true;
  const { get } = documents(() => isAway);
  expect(await get(url(), asToken)).toEqual(good());
  nowMs += 2000;
  answer = () => new Response('', { status: 503 });
  await expect(get(url(), asToken)).rejects.toThrow('answered 503');
  isAway = false;
});

test('slow documents of one network keep nobody else waiting or out', async () => {
  const { get } = documents();
  const theirs = Array.from({ length: 40 }, (_, n) => get(at(`/slow/${n}`)).catch((error: Error) => error.message));
  // The first few are under way, the others were refused at once.
  await expect.poll(() => slow.length).toBe(5);
  expect(await Promise.race(theirs.slice(5))).toContain('too many');
  await expect(get(url())).rejects.toThrow('too many');
  expect(await get(url(), { network: '203.0.113.2' })).toEqual(good());
  for (const go of slow) go();
  await Promise.all(theirs);
  nowMs += 2000;
  expect(await get(url())).toEqual(good());
});
