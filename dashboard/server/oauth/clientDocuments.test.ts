import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { lanCertificate } from '../lanCertificate.ts';
import { asker } from './asker.ts';
import { authorizationServer } from './authorizationServer.ts';
import { ClientDocuments } from './clientDocuments.ts';
import { guardedFetch } from './guardedFetch.ts';
import type { OauthCalls } from './oauthCalls.ts';

/** Over real https; what the API keeps is a map here, as `records.ts` there keeps it. */

const home = mkdtempSync(join(tmpdir(), 'lb-documents-'));
let server: ReturnType<typeof Bun.serve>;
let ca: string;
let asked: string[] = [];
let answer: (path: string) => Response | Promise<Response> = () => new Response();
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
      return answer(pathname);
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
/** One that the library takes, as `fetchDocument` makes them. */
const whole = (more: object = {}) =>
  good({
    client_name: 'An agent',
    redirect_uris: ['https://client.example/back'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...more,
  });

function documents(isApiAway = () => false) {
  const rows = new Map<string, object>();
  const ask = async <Value>(act: () => Value): Promise<Value> => {
    if (isApiAway()) throw new Fault('unavailable', 'The API did not answer.');
    return act();
  };
  const calls: Pick<OauthCalls, 'save' | 'find' | 'forget'> = {
    save: (_kind, name, { payload }) => ask(() => void rows.set(name, payload)),
    find: (_kind, name) =>
      ask(() => (rows.has(name) ? { payload: rows.get(name) as Record<string, unknown>, consumed: false } : undefined)),
    forget: (_kind, name) => ask(() => void rows.delete(name)),
  };
  const all = new ClientDocuments({
    clock,
    log: silentLog,
    calls,
    fetch: (each) =>
      guardedFetch(each, {
        resolve: async (host) => (host === 'localhost' ? ['127.0.0.1'] : Promise.reject(new Error('no such name'))),
        allowLoopback: true,
        bytesMax: 1000,
        limitMs: 60_000,
        ca,
      }),
  });
  /** As the library is given it, or as the token endpoint is. */
  const get = (name: string, { network = '203.0.113.1', mayTakeKept = false } = {}) =>
    asker.run({ network, mayTakeKept }, async () => (await all.ofKnown(name)) ?? (await all.get(name)).json());
  return { get, rows, all, calls };
}

/** What the library makes of them. */
function clients() {
  const { all, calls, rows } = documents();
  const { Client } = authorizationServer({
    origin: 'https://office.example',
    resource: 'https://office.example/mcp',
    calls: {
      ...calls,
      // Nobody registered here; what is kept is documents.
      find: async (kind, name) => (kind === 'document' ? calls.find(kind, name) : undefined),
    } as OauthCalls,
    clock,
    documents: all,
    refused: () => Promise.reject(new Error('nobody is refused here')),
    broke: (error) => Promise.reject(error),
  });
  const find = (name: string, { network = '203.0.113.1', mayTakeKept = false } = {}) =>
    asker
      .run({ network, mayTakeKept }, () => Client.find(name))
      .then(
        (client) => client?.clientName ?? 'none',
        (error: Error) => error,
      );
  return { find, rows };
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
  rows.set(gone, good({ client_id: gone }));
  expect(await get(gone, asToken)).toEqual(good({ client_id: gone }));
  await expect(get('https://other.example/client.json', asToken)).rejects.toThrow('no such name');
  const dead = 'https://localhost:1/client.json';
  rows.set(dead, good({ client_id: dead }));
  expect(await get(dead, asToken)).toEqual(good({ client_id: dead }));
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
  await expect.poll(() => slow.length, { timeout: 10_000 }).toBe(5);
  expect(await Promise.race(theirs.slice(5))).toContain('too many');
  await expect(get(url())).rejects.toThrow('too many');
  expect(await get(url(), { network: '203.0.113.2' })).toEqual(good());
  for (const go of slow) go();
  await Promise.all(theirs);
  nowMs += 2000;
  expect(await get(url())).toEqual(good());
});

const another = { network: '203.0.113.2' };
/** Of a network all places of one kind, until it is let go. */
async function takePlaces(find: ReturnType<typeof clients>['find'], as: { network: string; mayTakeKept: boolean }) {
  const before = slow.length;
  const taken = Array.from({ length: 5 }, (_, n) => find(at(`/slow/${n}`), as));
  await expect.poll(() => slow.length - before, { timeout: 10_000 }).toBe(5);
  return () => {
    for (const go of slow) go();
    return Promise.all(taken);
  };
}

test.each([
  ['at the token endpoint', true],
  ['where one asks to be let in', false],
])('who has no place left %s keeps nobody else from a client whose host is well', async (_name, mayTakeKept) => {
  const { find, rows } = clients();
  answer = () => Response.json(whole(), { headers: { 'cache-control': 'max-age=3600' } });
  rows.set(url(), whole({ client_name: 'As it was' }));
  const stranger = { network: '198.51.100.66', mayTakeKept };
  const letGo = await takePlaces(find, stranger);
  expect(await find(url(), stranger)).toBeInstanceOf(Error);
  expect(await find(url(), another)).toBe('An agent');
  // Not even with all that the library keeps pushed out by documents of theirs.
  answer = (path) => Response.json(whole({ client_id: at(path) }));
  for (const half of [0, 110]) {
    const many = Array.from({ length: 110 }, (_, n) =>
      find(at(`/many/${half + n}`), { network: `192.0.2.${half + n}` }),
    );
    expect(new Set(await Promise.all(many))).toEqual(new Set(['An agent']));
  }
  nowMs += 2000;
  expect(await find(url(), stranger)).toBeInstanceOf(Error);
  expect(await find(url(), another)).toBe('An agent');
  await letGo();
});

test('having no place is not the host’s: nothing stands in for it, and the client is told to come again', async () => {
  const { find, rows } = clients();
  rows.set(url(), whole());
  const crowd = { network: '198.51.100.66', mayTakeKept: true };
  const letGo = await takePlaces(find, crowd);
  expect(await find(url(), crowd)).toMatchObject({ error: 'temporarily_unavailable', statusCode: 503 });
  // Who asks to be let in has places of its own.
  answer = () => Response.json(whole());
  expect(await find(url(), { ...crowd, mayTakeKept: false })).toBe('An agent');
  await letGo();
});

test('what stands in is there for who was let in alone, and is never in the way of what the host says', async () => {
  const { find, rows } = clients();
  rows.set(url(), whole({ client_name: 'As it was' }));
  answer = () => new Response('', { status: 503 });
  expect(await find(url(), asToken)).toBe('As it was');
  expect(await find(url(), another)).toBeInstanceOf(Error);
  nowMs += 2000;
  answer = () => Response.json(whole());
  expect(await find(url(), another)).toBe('An agent');
  expect(await find(url(), asToken)).toBe('An agent');
});

test('however many documents something stands in for, there is one for each', async () => {
  const { get, rows } = documents();
  const all = Array.from({ length: 1100 }, (_, n) => `https://gone-${n}.example/client.json`);
  for (const each of all) rows.set(each, good({ client_id: each }));
  for (const each of all) expect(await get(each, asToken)).toEqual(good({ client_id: each }));
});

test('a client that goes on while others wait for its host to let them in waits for itself', async () => {
  const { find, rows } = clients();
  const hanging = at('/slow/client.json');
  rows.set(hanging, whole({ client_id: hanging }));
  answer = () => new Response('', { status: 503 });
  const asks = find(hanging);
  await expect.poll(() => slow.length, { timeout: 10_000 }).toBe(1);
  // Many of one network, as behind one address, take one place.
  const refreshes = Array.from({ length: 8 }, () => find(hanging, asToken));
  await expect.poll(() => slow.length, { timeout: 10_000 }).toBe(2);
  for (const go of slow) go();
  expect(await Promise.all(refreshes)).toEqual(Array(8).fill('An agent'));
  expect(await asks).toBeInstanceOf(Error);
});

test.each<[string, () => object]>([
  ['of another client', () => whole({ client_id: 'https://other.example/' })],
  ['with a secret', () => whole({ client_secret: 'x' })],
  ['of a client that proves itself by a secret', () => whole({ token_endpoint_auth_method: 'client_secret_post' })],
  ['that leads nowhere', () => whole({ redirect_uris: [] })],
  ['of a client that wants tokens without a person', () => whole({ grant_types: ['client_credentials'] })],
])('a document %s is no more taken by who was let in than by who asks to be', async (_name, said) => {
  answer = () => Response.json(said());
  expect(await clients().find(url())).toBeInstanceOf(Error);
  expect(await clients().find(url(), asToken)).toBeInstanceOf(Error);
  // Nor does it stand in.
  const { find, rows } = clients();
  rows.set(url(), said());
  answer = () => new Response('', { status: 503 });
  expect(await find(url(), asToken)).toBeInstanceOf(Error);
});

test('nothing stands in for what is no URL of a document, or not the one spelling of it', async () => {
  const { find, rows } = clients();
  answer = () => new Response('', { status: 503 });
  const { host } = new URL(url());
  for (const odd of [
    `https://user@${host}/client.json`,
    `https://${host}/client.json#part`,
    `https://${host}/client.json#`,
    `https://${host}/x/../client.json`,
    `https://${host}/x/%2e%2E/client.json`,
    `HTTPS://${host}/client.json`,
    `http://${host}/client.json`,
    'cli_1',
  ]) {
    rows.set(odd, whole({ client_id: odd }));
    expect(await find(odd, asToken), odd).not.toBe('An agent');
  }
});
