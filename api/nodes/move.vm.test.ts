import type { ClusterDouble, NodeDouble, NodeDoubleOptions } from '@lebureau/test/doubles/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { drainNodes } from './drainLoop.ts';

let api: TestApi;
let cluster: ClusterDouble;
beforeEach(async () => {
  api = await startTestApi();
  cluster = { id: 'lab', machines: new Map() };
});
afterEach(() => api.stop());

type Desktop = { id: string; nodeId: string; status: string; ready: boolean };
type Node = {
  reserved: { vcpus: number; memoryMiB: number; diskGiB: number };
  drain: { drainedAt: string | null; move: string; desktops: { id: string; state: string; reason: string | null }[] };
};

const nothing = { vcpus: 0, memoryMiB: 0, diskGiB: 0 };
const member = (name: string, options: Partial<NodeDoubleOptions> = {}) => api.node({ name, cluster, ...options });

async function create(wish: object = {}): Promise<Desktop> {
  const body = { size: 'nano', ...wish };
  const made = await api.expect<Desktop>('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body });
  const path = `/v1/desktops/${made.id}?waitFor=ready&timeoutSeconds=5`;
  return api.expect<Desktop>('getDesktop', 200, { method: 'GET', path });
}
const look = (id: string) => api.expect<Desktop>('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${id}` });
const act = (id: string, action: 'stop' | 'start') =>
  api.expect<Desktop>(`${action}Desktop`, 200, { method: 'POST', path: `/v1/desktops/${id}/${action}` });
const nodeOf = ({ nodeId }: NodeDouble) =>
  api.expect<Node>('getNode', 200, { method: 'GET', path: `/v1/nodes/${nodeId}` });
const post = ({ nodeId }: NodeDouble, action: string, wish: { body?: object; status?: number } = {}) =>
  api.expect<Node & { detail: string; hint: string }>(`${action}Node`, wish.status ?? 200, {
    method: 'POST',
    path: `/v1/nodes/${nodeId}/${action}`,
    body: wish.body,
  });
const drain = (node: NodeDouble, body: object = {}) => post(node, 'drain', { body: { mode: 'move', ...body } });
const round = () => drainNodes(api.api.services);

/** Rounds of the loop, which a test does not wait for, until it is so. */
async function until(read: () => Promise<unknown>, wanted: unknown): Promise<void> {
  const again = async () => {
    await round();
    return read();
  };
  await expect.poll(again, { timeout: 5000 }).toEqual(wanted);
}

async function eventsOf(type: string): Promise<object[]> {
  const rows = await api.api.services.database.read
    .selectFrom('events')
    .select(['desktopId', 'dataJson'])
    .where('type', '=', type)
    .orderBy('position')
    .execute();
  return rows.map((row) => ({ desktopId: row.desktopId, ...(JSON.parse(row.dataJson) as object) }));
}

async function rowOf(desktopId: string) {
  const { database } = api.api.services;
  return database.read
    .selectFrom('assignments')
    .selectAll()
    .where('desktopId', '=', desktopId)
    .executeTakeFirstOrThrow();
}

test('a drain moves what runs and what is off, under their ids, and the room moves with them', async () => {
  const one = await member('one');
  const ids: string[] = [];
  for (let count = 0; count < 5; count++) ids.push((await create()).id);
  await act(ids[4]!, 'stop');
  await expect.poll(async () => (await look(ids[4]!)).status).toBe('stopped');
  const before = (await nodeOf(one)).reserved;
  const two = await member('two');
  expect((await drain(one)).drain).toMatchObject({ move: 'supported', drainedAt: null });
  await until(async () => (await nodeOf(one)).drain.drainedAt !== null, true);
  for (const id of ids) await expect.poll(async () => (await look(id)).nodeId).toBe(two.nodeId);
  for (const id of ids.slice(0, 4)) await expect.poll(() => look(id)).toMatchObject({ status: 'running', ready: true });
  expect(await look(ids[4]!)).toMatchObject({ status: 'stopped', nodeId: two.nodeId });
  expect((await nodeOf(one)).reserved).toEqual(nothing);
  expect((await nodeOf(two)).reserved).toEqual(before);
  expect(one.orders()).toEqual([]);
  for (const { identityVersion } of two.orders()) expect(identityVersion).toBe(1);
  const moved = { fromNodeId: one.nodeId, toNodeId: two.nodeId };
  expect(await eventsOf('desktop.moved')).toHaveLength(5);
  expect(await eventsOf('desktop.moved')).toContainEqual({ desktopId: ids[0], ...moved });
  await act(ids[4]!, 'start');
  await expect.poll(async () => (await look(ids[4]!)).status).toBe('running');
  expect((await api.ask('POST', `/v1/desktops/${ids[0]}/exec`, { body: { command: 'true' } })).status).toBe(200);
});

test('only so many move at once, and room is taken before anything moves', async () => {
  const one = await member('one', { moves: false });
  for (let count = 0; count < 4; count++) await create();
  const two = await member('two');
  await drain(one);
  await round();
  await round();
  const states = (await nodeOf(one)).drain.desktops.map(({ state }) => state);
  expect(states.toSorted()).toEqual(['moving', 'moving', 'waiting', 'waiting']);
  expect((await nodeOf(two)).reserved).toEqual({ vcpus: 2, memoryMiB: 2048, diskGiB: 16 });
  expect((await nodeOf(one)).reserved).toEqual({ vcpus: 4, memoryMiB: 4096, diskGiB: 32 });
});

test('uncordon calls off what has not begun, and gives its room back', async () => {
  const one = await member('one', { moves: false });
  const { id } = await create();
  const two = await member('two');
  await drain(one);
  await round();
  await expect.poll(() => one.orders()[0]?.move).toEqual({ to: 'two' });
  await post(one, 'uncordon');
  await expect.poll(async () => (await nodeOf(two)).reserved).toEqual(nothing);
  expect(one.orders()[0]?.move).toBeUndefined();
  expect(await look(id)).toMatchObject({ nodeId: one.nodeId, status: 'running', ready: true });
});

test('what arrived all the same stays there, counted', async () => {
  const one = await member('one', { moves: false });
  const { id } = await create();
  const two = await member('two');
  await drain(one);
  await round();
  await post(one, 'uncordon');
  await expect.poll(async () => (await nodeOf(two)).reserved).toEqual(nothing);
  cluster.machines.get((await rowOf(id)).id)!.home = 'two';
  await act(id, 'stop');
  await expect.poll(() => look(id)).toMatchObject({ nodeId: two.nodeId, status: 'stopped' });
  expect((await nodeOf(one)).reserved).toEqual(nothing);
  expect((await nodeOf(two)).reserved).toEqual({ vcpus: 0, memoryMiB: 0, diskGiB: 8 });
});

test('what arrives where the node was decommissioned meanwhile is that of whoever is there now', async () => {
  const one = await member('one', {
    moves: false,
    // On its way, as far as this node can tell: the move that was called off goes on.
    distort: (seen) => (seen.movedTo === undefined ? { ...seen, moving: true } : seen),
  });
  const { id } = await create();
  const two = await member('two');
  await drain(one);
  await round();
  await two.stop();
  await post(two, 'decommission', { body: { force: true } });
  const { id: owner, moveNodeId } = await rowOf(id);
  expect(moveNodeId).toBe(two.nodeId);
  const again = await member('two');
  cluster.machines.get(owner)!.home = 'two';
  await expect.poll(async () => (await rowOf(id)).nodeId).not.toBe(one.nodeId);
  expect((await rowOf(id)).nodeId).toBe(again.nodeId);
  expect((await nodeOf(two)).reserved).toEqual(nothing);
});

test('a node in no cluster moves nothing and says so', async () => {
  const lone = await api.node({ name: 'lone' });
  const refused = await drain(lone, {}).catch((error: Error) => error.message);
  expect(refused).toContain('409');
  expect(await post(lone, 'drain', { status: 409, body: { mode: 'move' } })).toMatchObject({
    detail: expect.stringContaining('unsupported'),
    hint: expect.stringContaining('`stop`'),
  });
  expect((await post(lone, 'drain')).drain.move).toBe('unsupported');
});

test('what has no place is stopped after the grace, or left when that is wished; either way it says why', async () => {
  const one = await member('one');
  const { id } = await create();
  await member('two', { hello: { cluster: { id: 'another', member: 'two' } } });
  await drain(one, { graceSeconds: 0, unmoved: 'leave' });
  await round();
  await round();
  expect(await look(id)).toMatchObject({ status: 'running', nodeId: one.nodeId });
  expect((await nodeOf(one)).drain.desktops).toEqual([
    { id, state: 'staying', toNodeId: null, reason: 'No other node of its cluster is up and takes desktops.' },
  ]);
  await drain(one, { graceSeconds: 0 });
  await until(async () => (await look(id)).status, 'stopped');
  expect((await look(id)).nodeId).toBe(one.nodeId);
  await until(async () => (await nodeOf(one)).drain.drainedAt !== null, true);
});

test('what the hypervisor refuses to move stays, with its reason, and keeps no room elsewhere', async () => {
  const moveFault = { code: 'move_refused', message: 'Its disk is a linked clone.', class: 'fail' } as const;
  const one = await member('one', {
    moves: false,
    distort: (seen, order) => (order.move === undefined ? seen : { ...seen, moveFault }),
  });
  const { id } = await create();
  const two = await member('two');
  await drain(one, { graceSeconds: 3600 });
  await until(async () => (await nodeOf(one)).drain.desktops[0]?.state, 'staying');
  expect((await nodeOf(one)).drain.desktops[0]?.reason).toBe('Its disk is a linked clone.');
  expect((await nodeOf(two)).reserved).toEqual(nothing);
  expect(await look(id)).toMatchObject({ status: 'running', ready: true, nodeId: one.nodeId });
  await round();
  expect(await eventsOf('desktop.unmoved')).toMatchObject([{ desktopId: id, code: 'move_refused' }]);
  expect(await eventsOf('desktop.moving')).toHaveLength(1);
});

test('a move that fails again and again ends with the grace', async () => {
  const moveFault = { code: 'hypervisor_failed', message: 'No route to host.', class: 'retry' } as const;
  const one = await member('one', {
    moves: false,
    distort: (seen, order) => (order.move === undefined ? seen : { ...seen, moveFault }),
  });
  const { id } = await create();
  const two = await member('two');
  await drain(one, { graceSeconds: 0 });
  await until(async () => (await look(id)).status, 'stopped');
  await post(one, 'uncordon');
  await expect.poll(async () => (await nodeOf(two)).reserved).toEqual(nothing);
});

test('a delete in the middle of a move ends both', async () => {
  const one = await member('one', { moves: false });
  const { id } = await create();
  const two = await member('two');
  await drain(one);
  await round();
  await api.ask('DELETE', `/v1/desktops/${id}`);
  await expect.poll(async () => (await look(id)).status).toBe('destroyed');
  expect([(await nodeOf(one)).reserved, (await nodeOf(two)).reserved]).toEqual([nothing, nothing]);
});

test('what arrived is taken over even when the node that sent it is gone, by the node that it was sent to only', async () => {
  const one = await member('one', { moves: false });
  const { id } = await create();
  await drain(one);
  const two = await member('two');
  await round();
  const { id: owner, vmRef } = await rowOf(id);
  await one.stop();
  const three = await member('three');
  const arrival = (node: NodeDouble) =>
    node.call('/node/v1/observations', {
      epoch: node.epoch,
      seq: 1_000_000,
      observations: [],
      strangers: [{ vmRef, owner }],
    });
  expect((await arrival(three)).status).toBe(200);
  expect((await rowOf(id)).nodeId).toBe(one.nodeId);
  cluster.machines.get(owner)!.home = 'two';
  expect((await arrival(two)).status).toBe(200);
  expect(await rowOf(id)).toMatchObject({ nodeId: two.nodeId, moveTo: null, moveNodeId: null });
  expect((await nodeOf(one)).reserved).toEqual(nothing);
});

test('a move ends control and every stream that leads to the node it left, and says so', async () => {
  const control = { kind: 'human', name: 'Ada', by: null, takenAt: '2026-01-01T00:00:00.000Z' } as const;
  const one = await member('one', { moves: false, distort: (seen) => ({ ...seen, control }) });
  const { id } = await create();
  expect(await look(id)).toMatchObject({ control: { name: 'Ada' } });
  const body = { kind: 'vnc' };
  const path = `/v1/desktops/${id}/streams`;
  const to = await api.expect<{ path: string; ticket: string }>('createStream', 201, { method: 'POST', path, body });
  const socket = new WebSocket(`${api.api.url.replace('http', 'ws')}${to.path}?ticket=${to.ticket}`);
  const end = new Promise<object>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }), { once: true });
  });
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  await drain(one);
  const two = await member('two');
  await round();
  const { id: owner, vmRef } = await rowOf(id);
  cluster.machines.get(owner)!.home = 'two';
  // The node that it leaves tells nobody anything.
  const strangers = [{ vmRef, owner }];
  await two.call('/node/v1/observations', { epoch: two.epoch, seq: 1, observations: [], strangers });
  expect(await end).toEqual({ code: 1012, reason: 'the desktop moved' });
  expect(await look(id)).toMatchObject({ nodeId: two.nodeId, control: null });
  expect(await eventsOf('desktop.control_released')).toEqual([{ desktopId: id, ...control, cause: 'move' }]);
});

test('recordings go after their desktop, of a node that had it and to the one that has it only', async () => {
  const one = await member('one', { hello: { recordings: 1 } });
  const { id } = await create();
  const [two, three] = [await member('two'), await member('three', { hello: { vcpus: 0 } })];
  const { id: owner } = await rowOf(id);
  const query = 'beganAt=5&offset=0&totalBytes=3&changedAtMs=7';
  const give = async (node: NodeDouble, at = owner, { bytes = Buffer.from('abc'), about = query } = {}) => {
    const path = `/node/v1/recordings/${at}/main?epoch=${node.epoch}&${about}`;
    const answer = await node.call(path, bytes);
    const { code, isWanted } = (await answer.json()) as { code?: string; isWanted?: boolean };
    return code ?? isWanted;
  };
  const taken: string[] = [];
  two.guest.answer = async (request) => {
    if (request.method !== 'PUT') return undefined;
    const { pathname, search } = new URL(request.url);
    taken.push(`${pathname}${search}: ${await request.text()}`);
    return new Response(null, { status: 204 });
  };
  expect(await give(one)).toBe('wrong_state');
  await drain(one);
  await until(async () => (await look(id)).nodeId, two.nodeId);
  expect(await give(one)).toBe(true);
  expect(taken).toEqual([`/guest/${owner}/terminals/main/recording?${query}: abc`]);
  const deleted = 'beganAt=5&offset=1&totalBytes=1&changedAtMs=7&deleted=true';
  expect(await give(one, owner, { bytes: Buffer.alloc(0), about: deleted })).toBe(true);
  expect(taken.splice(0).at(-1)).toBe(`/guest/${owner}/terminals/main/recording?${deleted}: `);
  expect(await give(three)).toBe('not_found');
  expect(await give(two)).toBe('wrong_state');
  expect(await give(one, `asg_${'0'.repeat(26)}`)).toBe('not_found');
  expect(await give(one, owner, { bytes: Buffer.alloc(4_194_305) })).toBe('payload_too_large');
  two.guest.answer = () => Response.json({ code: 'disk_full', detail: 'Full.' }, { status: 507 });
  expect(await give(one)).toBe('disk_full');
  await api.ask('DELETE', `/v1/desktops/${id}`);
  await expect.poll(async () => (await rowOf(id)).closedMs).not.toBeNull();
  expect(await give(one)).toBe(false);
  const refused = await post(one, 'decommission', { status: 409 });
  expect(refused.detail).toBe('Recordings of terminals that are on this node only: 1.');
  await post(one, 'decommission', { body: { force: true } });
});

test('what was deleted while it arrived is deleted by the node that has it, when the other is gone', async () => {
  const one = await member('one', { moves: false });
  const { id } = await create();
  await drain(one);
  const two = await member('two');
  await round();
  await one.stop();
  await api.ask('DELETE', `/v1/desktops/${id}`);
  const { id: owner, vmRef } = await rowOf(id);
  cluster.machines.get(owner)!.home = 'two';
  const observations: object[] = [];
  const claim = { epoch: two.epoch, seq: 1, observations, strangers: [{ vmRef, owner }] };
  expect((await two.call('/node/v1/observations', claim)).status).toBe(200);
  expect(await rowOf(id), 'as far as is known the other lives and deletes it itself').toMatchObject({
    nodeId: one.nodeId,
    closedMs: null,
  });
  const { database } = api.api.services;
  await database.write(({ db }) => db.updateTable('nodes').set({ heardMs: 0 }).where('id', '=', one.nodeId).execute());
  await two.call('/node/v1/observations', claim);
  await expect.poll(async () => (await rowOf(id)).closedMs).not.toBeNull();
  expect(cluster.machines.size).toBe(0);
  expect([(await nodeOf(one)).reserved, (await nodeOf(two)).reserved]).toEqual([nothing, nothing]);
});

test('a desktop goes only where it may be: labels, network, room', async () => {
  const one = await member('one');
  const label = (node: NodeDouble, zone: string) =>
    api.expect('updateNode', 200, { method: 'PATCH', path: `/v1/nodes/${node.nodeId}`, body: { labels: { zone } } });
  await label(one, 'a');
  const { id } = await create({ nodeSelector: { zone: 'a' } });
  await member('two');
  await member('small', { hello: { vcpus: 0 } }).then((node) => label(node, 'a'));
  await member('closed', { hello: { network: 'none' } }).then((node) => label(node, 'a'));
  await drain(one, { graceSeconds: 3600 });
  await round();
  expect((await nodeOf(one)).drain.desktops[0]?.reason).toBe('No other node of its cluster has room for it.');
  const four = await member('four');
  await label(four, 'a');
  await until(async () => (await look(id)).nodeId, four.nodeId);
});

test('of two nodes that claim one name in the cluster neither gets anything', async () => {
  const one = await member('one');
  await create();
  await member('two');
  await member('false', { hello: { cluster: { id: 'lab', member: 'two' } } });
  await drain(one, { graceSeconds: 3600 });
  await round();
  expect((await nodeOf(one)).drain.desktops[0]?.state).toBe('staying');
});

test('a node that desktops are on their way to is not taken out', async () => {
  const one = await member('one', { moves: false });
  await create();
  const two = await member('two');
  await drain(one);
  await round();
  await post(two, 'decommission', { status: 409 });
  await post(two, 'decommission', { body: { force: true } });
  await expect.poll(() => one.orders()[0]?.move).toBeUndefined();
});
