import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askTls, helloBody, joinOverTls, newRequest, newToken } from '../testing/joiner.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { openAuthority } from './authority.ts';
import { makeAuthority, signRequest } from './certificates.ts';
import { authorityNames } from './peer.ts';
import { seal, unseal } from './seal.ts';
import { readSealKeys } from './sealKey.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ config: { nodeListen: { tls: { hostname: '127.0.0.1', port: 0 } } } });
});
afterAll(() => api.stop());

const hello = (tls: object, body: object) => askTls(api, '/node/v1/hello', { tls, body });
const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code?: string }).code];
const joinWith = async (token: string, nodeName: string) =>
  askTls(api, '/node/v1/join', {
    body: { token, nodeName, certificateRequest: (await newRequest()).requestPem },
  });
const nodeNamed = async (name: string) => {
  const { data } = await api.expect<{ data: { name: string; status: string; driver: string | null }[] }>(
    'listNodes',
    200,
    { method: 'GET', path: '/v1/nodes' },
  );
  return data.find((node) => node.name === name);
};

test('a machine joins with a token and speaks as itself from then on', async () => {
  const node = await joinOverTls(api, 'first');
  expect(await nodeNamed('first')).toMatchObject({
    id: node.nodeId,
    status: 'silent',
    driver: null,
    lastHeardAt: null,
  });
  const welcome = await hello(node.tls, helloBody('first'));
  expect(await welcome.json()).toMatchObject({ nodeId: node.nodeId, protocol: 1 });
  expect(await nodeNamed('first')).toMatchObject({ status: 'up', driver: 'fake' });
});

test('a token works once, in time, and for the name it was made for', async () => {
  const once = await newToken(api);
  expect((await joinWith(once, 'once')).status).toBe(201);
  expect(await codeOf(await joinWith(once, 'twice'))).toEqual([403, 'join_refused']);
  expect(await codeOf(await joinWith(once, 'once'))).toEqual([403, 'join_refused']);

  const late = await newToken(api);
  const { database } = api.api.services;
  await database.write(({ db }) =>
    db.updateTable('joinTokens').set({ expiresMs: 1 }).where('usedMs', 'is', null).execute(),
  );
  expect(await codeOf(await joinWith(late, 'late'))).toEqual([403, 'join_refused']);

  const named = await newToken(api, { nodeName: 'named' });
  expect(await codeOf(await joinWith(named, 'other'))).toEqual([403, 'join_refused']);
  expect((await joinWith(named, 'named')).status, 'a refusal does not use it up').toBe(201);
  expect(await codeOf(await joinWith('lbj_made-up', 'made-up'))).toEqual([403, 'join_refused']);
});

test('of two that come with one token at once one is let in', async () => {
  const token = await newToken(api);
  const answers = await Promise.all(['race-1', 'race-2', 'race-3'].map((name) => joinWith(token, name)));
  expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([201, 403, 403]);
});

test('without a certificate one can join and nothing else; with a wrong one not even that', async () => {
  expect(await codeOf(await hello({}, helloBody('first')))).toEqual([403, 'node_refused']);
  expect(await codeOf(await askTls(api, '/node/v1/assignments?epoch=1'))).toEqual([403, 'node_refused']);
  const node = await joinOverTls(api, 'victim');
  const nowMs = Date.now();
  // Of the same name and for the very same node, but signed by somebody else.
  const forger = await makeAuthority(authorityNames.nodes, nowMs);
  const { requestPem, keyPem } = await newRequest();
  const forged = await signRequest(forger, { requestPem, commonName: node.nodeId, nowMs, days: 1 });
  const tls = { ca: node.tls.ca, cert: forged.certificatePem, key: keyPem };
  await expect(hello(tls, helloBody('victim'))).rejects.toThrow(/closed|reset|refused/i);
  await expect(askTls(api, '/node/v1/authority', { tls })).rejects.toThrow(/closed|reset|refused/i);
});

test('a node cannot take the name or the epoch of another', async () => {
  const [one, two] = [await joinOverTls(api, 'one'), await joinOverTls(api, 'two')];
  const { epoch } = (await (await hello(one.tls, helloBody('one'))).json()) as { epoch: number };
  expect(await codeOf(await hello(two.tls, helloBody('one')))).toEqual([403, 'node_refused']);
  expect(await codeOf(await hello(two.tls, helloBody('one', { epoch })))).toEqual([403, 'node_refused']);
  expect(await codeOf(await askTls(api, `/node/v1/assignments?epoch=${epoch}`, { tls: two.tls }))).toEqual([
    403,
    'node_refused',
  ]);
  const body = { epoch, seq: 1, observations: [], strangers: [] };
  expect(await codeOf(await askTls(api, '/node/v1/observations', { tls: two.tls, body }))).toEqual([
    403,
    'node_refused',
  ]);
  const metrics = { epoch, seq: 1, samples: [] };
  const tell = (tls: object) => askTls(api, '/node/v1/metrics', { tls, body: metrics });
  expect(await codeOf(await tell(two.tls))).toEqual([403, 'node_refused']);
  expect((await tell(one.tls)).status).toBe(200);
  expect(await codeOf(await tell(two.tls))).toEqual([403, 'node_refused']);
  expect((await askTls(api, `/node/v1/assignments?epoch=${epoch}`, { tls: one.tls })).status).toBe(200);
});

test('a node that joined names no file of this machine, and one of this machine no name that joined', async () => {
  const node = await joinOverTls(api, 'remote');
  const local = helloBody('remote', { guestAddress: 'unix:/run/secrets.sock' });
  expect(await codeOf(await hello(node.tls, local))).toEqual([403, 'node_refused']);
  const request = new Request('http://node/node/v1/hello', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(local),
  });
  expect(await codeOf(await api.api.apps.node(request, { kind: 'local' }))).toEqual([403, 'node_refused']);
});

test('a renewed certificate takes the place of the former once it was used', async () => {
  const node = await joinOverTls(api, 'renewed');
  const { requestPem, keyPem } = await newRequest();
  const answer = await askTls(api, '/node/v1/certificate', { tls: node.tls, body: { certificateRequest: requestPem } });
  const { certificate } = (await answer.json()) as { certificate: string };
  expect((await hello(node.tls, helloBody('renewed'))).status, 'the former still works').toBe(200);
  const newer = { ...node.tls, cert: certificate, key: keyPem };
  expect((await hello(newer, helloBody('renewed'))).status).toBe(200);
  expect(await codeOf(await hello(node.tls, helloBody('renewed')))).toEqual([403, 'node_refused']);
});

test('a node that lost its certificate comes back under its id, and what it had before is worth nothing', async () => {
  const node = await joinOverTls(api, 'lost');
  await hello(node.tls, helloBody('lost'));
  expect(await codeOf(await joinWith(await newToken(api), 'lost'))).toEqual([403, 'join_refused']);
  const again = await joinOverTls(api, 'lost', await newToken(api, { nodeId: node.nodeId }));
  expect(again.nodeId).toBe(node.nodeId);
  expect((await hello(again.tls, helloBody('lost'))).status).toBe(200);
  expect(await codeOf(await hello(node.tls, helloBody('lost')))).toEqual([403, 'node_refused']);
});

test('what lies in the database lets nobody in', async () => {
  const token = await newToken(api);
  const { read } = api.api.services.database;
  const rows = [
    await read.selectFrom('authorities').selectAll().execute(),
    await read.selectFrom('joinTokens').selectAll().execute(),
    await read.selectFrom('nodeCertificates').selectAll().execute(),
  ];
  const text = JSON.stringify(rows);
  expect(text).not.toContain('PRIVATE KEY');
  expect(text).not.toContain(token.slice(4, 40));
  const key = randomBytes(32);
  expect(unseal(key, 'nodes', seal(key, 'nodes', 'secret'))).toBe('secret');
  expect(() => unseal(key, 'replicas', seal(key, 'nodes', 'secret'))).toThrow(/authenticate|state|decrypt/i);
});

test('replicas share the authorities, and one with another key says so', async () => {
  const { database, clock, authority } = api.api.services;
  const at = { database, clock };
  const strange = { current: randomBytes(32) };
  await expect(openAuthority({ ...at, sealKeys: strange })).rejects.toThrow(/LEBUREAU_NODE_CA_KEY_FILE/);
  const again = await openAuthority({ ...at, sealKeys: readSealKeys(api.config.home, api.config) });
  expect(again.fingerprint).toBe(authority!.fingerprint);
});
