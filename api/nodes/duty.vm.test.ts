import type { NodeDouble } from '@lebureau/test/doubles/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askTls, helloBody, joinOverTls } from '../testing/joiner.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { drainNodes } from './drainLoop.ts';

let api: TestApi;
let one: NodeDouble;
let two: NodeDouble;
beforeEach(async () => {
  api = await startTestApi();
  one = await api.node({ name: 'one' });
  two = await api.node({ name: 'two' });
});
afterEach(() => api.stop());

type Desktop = { id: string; nodeId: string; status: string; allowedActions: string[]; error: { code: string } | null };
type Node = {
  id: string;
  status: string;
  cordoned: boolean;
  name: string;
  reserved: object;
  drain: { drainedAt: string };
};

async function create(body: object = {}): Promise<Desktop> {
  const made = await api.expect<Desktop>('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body });
  const path = `/v1/desktops/${made.id}?waitFor=ready&timeoutSeconds=5`;
  return api.expect<Desktop>('getDesktop', 200, { method: 'GET', path });
}
const look = (id: string) => api.expect<Desktop>('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${id}` });
const post = (node: NodeDouble, action: string, wish: { body?: object; status?: number } = {}) =>
  api.expect<Node>(`${action}Node`, wish.status ?? 200, {
    method: 'POST',
    path: `/v1/nodes/${node.nodeId}/${action}`,
    body: wish.body,
  });
const nodeOf = (node: NodeDouble) =>
  api.expect<Node>('getNode', 200, { method: 'GET', path: `/v1/nodes/${node.nodeId}` });
const label = (node: NodeDouble, labels: object) =>
  api.expect('updateNode', 200, { method: 'PATCH', path: `/v1/nodes/${node.nodeId}`, body: { labels } });

/** Nothing was heard of it for a long time. */
async function silence(node: NodeDouble): Promise<void> {
  await node.stop();
  await api.api.services.database.write(({ db }) =>
    db.updateTable('nodes').set({ heardMs: 1 }).where('id', '=', node.nodeId).execute(),
  );
}

test('a cordoned node gets nothing new and keeps what it has', async () => {
  await label(one, { zone: 'a' });
  const wish = { nodeSelector: { zone: 'a' } };
  const kept = await create(wish);
  expect(kept).toMatchObject({ nodeId: one.nodeId, nodeSelector: wish.nodeSelector });
  expect(await post(one, 'cordon')).toMatchObject({ cordoned: true });
  await api.expect('createDesktop', 503, { method: 'POST', path: '/v1/desktops', body: wish });
  expect((await create()).nodeId).toBe(two.nodeId);
  expect((await look(kept.id)).status).toBe('running');
  await post(one, 'uncordon');
  expect((await create(wish)).nodeId).toBe(one.nodeId);
});

test('desktops with the same value of a label are kept apart', async () => {
  const wish = { labels: { team: 'lab' }, spreadBy: 'team' };
  const first = await create(wish);
  const second = await create(wish);
  expect(new Set([first.nodeId, second.nodeId]).size).toBe(2);
  await api.expect('createDesktop', 400, { method: 'POST', path: '/v1/desktops', body: { spreadBy: 'team' } });
});

test('a drain stops what runs after its grace, starts nothing, and says when it is over', async () => {
  await post(two, 'cordon');
  const desktop = await create();
  expect(await post(one, 'drain', { body: { graceSeconds: 0 } })).toMatchObject({
    cordoned: true,
    drain: { drainedAt: null },
  });
  await drainNodes(api.api.services);
  await expect.poll(async () => (await look(desktop.id)).status).toBe('stopped');
  await drainNodes(api.api.services);
  expect((await nodeOf(one)).drain.drainedAt).not.toBeNull();
  await api.expect('startDesktop', 503, { method: 'POST', path: `/v1/desktops/${desktop.id}/start` });
  await post(one, 'uncordon');
  await api.expect('startDesktop', 200, { method: 'POST', path: `/v1/desktops/${desktop.id}/start` });
});

test('a silent node makes its desktops unknown, and nothing takes their place', async () => {
  await post(two, 'cordon');
  const desktop = await create();
  await post(two, 'uncordon');
  await silence(one);
  expect(await look(desktop.id)).toMatchObject({ status: 'unknown', nodeId: one.nodeId });
  expect(two.orders()).toEqual([]);
});

test('only a silent node can be fenced; then deleting is final, and it goes on when it comes back', async () => {
  await post(two, 'cordon');
  const [given, kept] = [await create(), await create()];
  await post(one, 'fence', { status: 409 });
  await silence(one);
  expect(await post(one, 'fence')).toMatchObject({ status: 'fenced', cordoned: true });
  expect(await look(given.id)).toMatchObject({
    status: 'error',
    error: { code: 'node_fenced' },
    allowedActions: ['delete'],
  });
  const before = await nodeOf(one);
  await api.ask('DELETE', `/v1/desktops/${given.id}`);
  expect((await look(given.id)).status).toBe('destroyed');
  expect((await nodeOf(one)).reserved).not.toEqual(before.reserved);
  expect(two.orders()).toEqual([]);

  const old = await one.call('/node/v1/assignments').catch(() => undefined);
  expect(old?.ok ?? false).toBe(false);
  const back = await api.node({ name: 'one' });
  expect(back.nodeId).toBe(one.nodeId);
  await expect.poll(() => back.orders().map((order) => order.desktopId)).toEqual([kept.id]);
  await expect.poll(async () => (await look(kept.id)).status).toBe('running');
  expect(await nodeOf(back)).toMatchObject({ status: 'up', cordoned: true });
});

test('a node is decommissioned when it is empty, or by force: then what was there is lost and can be deleted', async () => {
  await post(two, 'cordon');
  const desktop = await create();
  expect(await post(one, 'decommission', { status: 409 })).toMatchObject({ detail: 'Desktops on this node: 1.' });
  const taken = await post(one, 'decommission', { body: { force: true } });
  expect(taken).toMatchObject({ status: 'decommissioned', name: `one.${one.nodeId}` });
  expect(await look(desktop.id)).toMatchObject({
    status: 'error',
    error: { code: 'vm_missing' },
    allowedActions: ['delete'],
  });
  await api.ask('DELETE', `/v1/desktops/${desktop.id}`);
  expect((await look(desktop.id)).status).toBe('destroyed');
  await post(one, 'uncordon', { status: 409 });
  await post(two, 'decommission');
  const { data } = await api.expect<{ data: Node[] }>('listNodes', 200, { method: 'GET', path: '/v1/nodes' });
  expect(data).toEqual([]);
});

test('the certificate of a decommissioned node opens nothing, and its name is free', async () => {
  const remote = await startTestApi({ config: { nodeListen: { tls: { hostname: '127.0.0.1', port: 0 } } } });
  try {
    const node = await joinOverTls(remote, 'gone');
    const hello = () => askTls(remote, '/node/v1/hello', { tls: node.tls, body: helloBody('gone') });
    const { epoch } = (await (await hello()).json()) as { epoch: number };
    const waiting = askTls(remote, `/node/v1/assignments?epoch=${epoch}&after=1&waitSeconds=30`, { tls: node.tls });
    await Bun.sleep(100);
    const path = `/v1/nodes/${node.nodeId}/decommission`;
    await remote.expect('decommissionNode', 200, { method: 'POST', path });
    expect((await waiting).status).toBe(409);
    const refused = await hello();
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'node_refused']);
    const again = await joinOverTls(remote, 'gone');
    expect(again.nodeId).not.toBe(node.nodeId);
  } finally {
    await remote.stop();
  }
});

test('who may only read nodes changes none', async () => {
  const made = await api.expect<{ secret: string }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'reader', capabilities: ['nodes:read'] },
  });
  const secret = made.secret;
  await api.expect('cordonNode', 403, { method: 'POST', path: `/v1/nodes/${one.nodeId}/cordon`, secret });
  await api.expect('createJoinToken', 403, { method: 'POST', path: '/v1/nodes/join-tokens', secret });
});
