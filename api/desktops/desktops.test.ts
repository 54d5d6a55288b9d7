import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeDouble } from '@lebureau/test/doubles/node';
import { expireDesktops } from '../background/loops.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { renewExpiry } from './store.ts';

interface Desktop {
  id: string;
  name: string;
  status: string;
  ready: boolean;
  allowedActions: string[];
  startMode: string | null;
  error: { code: string } | null;
  labels: Record<string, string>;
  nodeId: string;
  template: object;
  hardware: object;
  timings: Record<string, string | null>;
  network: string;
  expiresAt: string | null;
}

let api: TestApi;
let node: NodeDouble;
beforeAll(async () => {
  api = await startTestApi();
  node = await api.node();
});
afterAll(() => api.stop());

const create = (body: unknown = {}, headers?: Record<string, string>) =>
  api.expect<Desktop>('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body, headers });
const wait = (id: string, target: string) =>
  api.expect<Desktop>('getDesktop', 200, {
    method: 'GET',
    path: `/v1/desktops/${id}?waitFor=${target}&timeoutSeconds=5`,
  });
const act = (id: string, action: string) =>
  api.expect<Desktop>(`${action}Desktop`, 200, { method: 'POST', path: `/v1/desktops/${id}/${action}` });

test('a desktop is created, becomes ready, stops, starts, restarts and is deleted', async () => {
  const created = await create({ name: 'My first — Désktop', size: 'nano', labels: { team: 'a' } });
  expect(created).toMatchObject({ status: 'pending', ready: false, labels: { team: 'a' }, network: 'internet' });
  const found = await wait(created.id, 'ready');
  expect(found).toMatchObject({ status: 'running', ready: true, startMode: 'warm' });
  expect(Object.keys(found), 'what is said of it at once has the same members').toEqual(Object.keys(created));
  expect(found).toMatchObject({ nodeId: created.nodeId, template: created.template, hardware: created.hardware });
  expect(node.orders().find((order) => order.desktopId === created.id)).toMatchObject({
    hostName: 'my-first-desktop',
    desired: 'running',
  });

  expect(await act(created.id, 'stop')).toMatchObject({ status: 'stopping' });
  expect(await wait(created.id, 'stopped')).toMatchObject({
    status: 'stopped',
    ready: false,
    allowedActions: ['start', 'delete'],
  });
  expect(await act(created.id, 'start')).toMatchObject({ status: 'booting', timings: { runningAt: null } });
  expect(await wait(created.id, 'ready')).toMatchObject({ status: 'running', startMode: 'cold' });
  expect(await act(created.id, 'restart')).toMatchObject({ status: 'stopping', ready: false });
  expect(await wait(created.id, 'ready')).toMatchObject({ status: 'running' });

  await api.expect('deleteDesktop', 202, { method: 'DELETE', path: `/v1/desktops/${created.id}` });
  expect(await wait(created.id, 'destroyed')).toMatchObject({ status: 'destroyed', allowedActions: [] });
  await api.expect('deleteDesktop', 204, { method: 'DELETE', path: `/v1/desktops/${created.id}` });
  const { reserved } = await api.expect<{ reserved: object }>('getNode', 200, {
    method: 'GET',
    path: `/v1/nodes/${node.nodeId}`,
  });
  expect(reserved).toEqual({ vcpus: 0, memoryMiB: 0, diskGiB: 0 });
});

test('what is not possible in a status is refused with what is', async () => {
  const { id } = await create();
  await wait(id, 'ready');
  const problem = await api.expect('startDesktop', 409, { method: 'POST', path: `/v1/desktops/${id}/start` });
  expect(problem).toMatchObject({ code: 'wrong_state', allowedActions: ['stop', 'restart', 'delete'] });
});

test('a guest that powers itself off is stopped; one that died is an error until it is started', async () => {
  const { id } = await create();
  await wait(id, 'ready');
  const { assignmentId } = node.orders().find((order) => order.desktopId === id)!;
  await node.turnOff(assignmentId);
  expect(await wait(id, 'stopped')).toMatchObject({ status: 'stopped', error: null });
  await act(id, 'start');
  await wait(id, 'ready');
  await node.turnOff(assignmentId, { code: 'guest_crashed', message: 'The hypervisor process died.', class: 'fail' });
  expect(await wait(id, 'stopped')).toMatchObject({ status: 'error', error: { code: 'guest_crashed' } });
  expect(await act(id, 'start')).toMatchObject({ status: 'booting', error: null });
  expect(await wait(id, 'ready')).toMatchObject({ status: 'running', error: null });
});

test('a list is filtered by status, name and labels, and read in pages', async () => {
  const ids: string[] = [];
  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5'])
    ids.unshift((await create({ name, labels: { set: 'pages', name } })).id);
  await wait(ids[0]!, 'ready');
  const list = (query: string) =>
    api.expect<{ data: Desktop[]; nextCursor: string | null }>('listDesktops', 200, {
      method: 'GET',
      path: `/v1/desktops?${query}`,
    });
  const first = await list('label=set=pages&limit=2');
  expect(first.data.map((each) => each.id)).toEqual(ids.slice(0, 2));
  const second = await list(`label=set=pages&limit=2&cursor=${first.nextCursor}`);
  const third = await list(`label=set=pages&limit=2&cursor=${second.nextCursor}`);
  expect([...second.data, ...third.data].map((each) => each.id)).toEqual(ids.slice(2));
  expect(third.nextCursor).toBeNull();
  await api.expect('listDesktops', 400, { method: 'GET', path: `/v1/desktops?limit=2&cursor=${first.nextCursor}` });
  expect((await list('label=set=pages,name=p3')).data.map((each) => each.name)).toEqual(['p3']);
  expect((await list('name=p4')).data).toHaveLength(1);
  await act(ids[4]!, 'stop');
  await wait(ids[4]!, 'stopped');
  expect((await list('status=stopped&label=set')).data.map((each) => each.id)).toEqual([ids[4]]);
  await api.ask('DELETE', `/v1/desktops/${ids[4]}`);
  await wait(ids[4]!, 'destroyed');
  expect((await list('label=set')).data).toHaveLength(4);
  expect((await list('label=set&status=destroyed')).data.map((each) => each.id)).toEqual([ids[4]]);
});

test('name and labels are changed only on the version that was read', async () => {
  const { id } = await create({ labels: { a: '1' } });
  await wait(id, 'ready');
  const path = `/v1/desktops/${id}`;
  const etag = (await api.ask('GET', path)).headers.get('etag')!;
  const changed = await api.expect<Desktop>('updateDesktop', 200, {
    method: 'PATCH',
    path,
    body: { name: 'new', labels: { b: '2' } },
    headers: { 'if-match': etag },
  });
  expect(changed).toMatchObject({ name: 'new', labels: { b: '2' } });
  await api.expect('updateDesktop', 412, {
    method: 'PATCH',
    path,
    body: { name: 'late' },
    headers: { 'if-match': etag },
  });
  await api.expect('updateDesktop', 400, { method: 'PATCH', path, body: {} });
});

test('a request with the same Idempotency-Key is carried out once', async () => {
  const headers = { 'idempotency-key': 'create-once' };
  const request = { method: 'POST', path: '/v1/desktops', body: { name: 'once' }, headers };
  const answers = await Promise.all(Array.from({ length: 5 }, () => api.ask(request.method, request.path, request)));
  const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as Desktop[];
  expect(new Set(bodies.map((body) => body.id)).size).toBe(1);
  expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === 'true')).toHaveLength(4);
  expect(await api.expect('createDesktop', 422, { ...request, body: { name: 'other' } })).toMatchObject({
    code: 'idempotency_mismatch',
  });
});

test('bad input is named', async () => {
  const refuse = (body: unknown, status = 400) =>
    api.expect('createDesktop', status, { method: 'POST', path: '/v1/desktops', body });
  expect(await refuse({ size: 'huge' })).toMatchObject({ errors: [{ pointer: '/size', code: 'not_one_of' }] });
  expect(await refuse({ foo: 1 })).toMatchObject({ errors: [{ pointer: '/foo', code: 'unknown_member' }] });
  expect(await refuse({ timeZone: 'Mars/Olympus' })).toMatchObject({ errors: [{ pointer: '/timeZone' }] });
  expect(await refuse({ ttlSeconds: 60 })).toMatchObject({ errors: [{ pointer: '/ttlSeconds' }] });
  expect(await refuse({ name: 'a\u0000b' })).toMatchObject({ errors: [{ pointer: '/name' }] });
  expect(await refuse({ labels: { a: 'b\u0000' } })).toMatchObject({ errors: [{ pointer: '/labels/a' }] });
  expect(await refuse({ template: 'nothing' }, 404)).toMatchObject({ code: 'not_found' });
  expect(await refuse({ name: 'x'.repeat(70_000) }, 413)).toMatchObject({ code: 'payload_too_large' });
  await api.expect('getDesktop', 400, { method: 'GET', path: '/v1/desktops/..%2f..' });
  await api.expect('getDesktop', 404, { method: 'GET', path: '/v1/desktops/dsk_01k9x3v6m8e9t2q4r6s8v0w2y4' });
  await api.expect('listDesktops', 400, { method: 'GET', path: '/v1/desktops?limit=1000' });
  await api.expect('listDesktops', 400, { method: 'GET', path: '/v1/desktops?nope=1' });
});

test('a quota counts desktops until they are destroyed', async () => {
  const small = await startTestApi({
    config: { quota: { desktopsMax: 2, vcpusMax: 100, memoryMiBMax: 3000, diskGiBMax: 100 } },
  });
  try {
    await small.node();
    const make = (status: number, body: unknown = {}) =>
      small.expect<Desktop>('createDesktop', status, { method: 'POST', path: '/v1/desktops', body });
    expect(await make(409, { size: 'free' })).toMatchObject({ code: 'quota_exceeded', quota: 'memoryMiB' });
    const { id } = await make(201);
    await make(201);
    expect(await make(409)).toMatchObject({ code: 'quota_exceeded', quota: 'desktops' });
    await small.ask('DELETE', `/v1/desktops/${id}`);
    await small.ask('GET', `/v1/desktops/${id}?waitFor=destroyed`);
    await make(201);
    const me = await small.expect('getMe', 200, { method: 'GET', path: '/v1/me' });
    expect(me).toMatchObject({ quota: { used: { desktops: 2, vcpus: 2, memoryMiB: 2048, diskGiB: 16 } } });
  } finally {
    await small.stop();
  }
});

test('an ephemeral desktop goes when it was not used for its time', async () => {
  const { id, expiresAt } = await create({ ephemeral: true, ttlSeconds: 60 });
  expect(expiresAt).not.toBeNull();
  await wait(id, 'ready');
  const { services, apps } = api.api;
  const later = (ms: number) => ({
    ...services,
    clock: { ...services.clock, nowMs: () => services.clock.nowMs() + ms },
  });
  const used = apps.usage.begin(id);
  await expireDesktops(later(61_000), apps.usage);
  expect(await wait(id, 'ready')).toMatchObject({ status: 'running' });
  used();
  await expireDesktops(later(125_000), apps.usage);
  apps.usage.take();
  await expireDesktops(later(190_000), apps.usage);
  expect(await wait(id, 'destroyed')).toMatchObject({ status: 'destroyed' });
  const told = await services.database.read
    .selectFrom('events')
    .select(['actorType', 'actorId', 'requestId'])
    .where('desktopId', '=', id)
    .where('type', '=', 'desktop.destroying')
    .executeTakeFirst();
  expect(told).toEqual({ actorType: 'system', actorId: null, requestId: null });
});

test('a use moves the end of an ephemeral desktop, in lists too, and is no change of what was read', async () => {
  const { id, expiresAt } = await create({ name: 'renewed', ephemeral: true, ttlSeconds: 60 });
  await wait(id, 'ready');
  const path = `/v1/desktops/${id}`;
  const listed = async () => {
    const { data } = await api.expect<{ data: Desktop[] }>('listDesktops', 200, {
      method: 'GET',
      path: '/v1/desktops?name=renewed',
    });
    return data[0]!.expiresAt;
  };
  const etag = (await api.ask('GET', path)).headers.get('etag')!;
  const { database, clock } = api.api.services;
  expect(await listed()).toBe(expiresAt);
  const usedMs = clock.nowMs() + 20_000;
  await database.write((write) => renewExpiry(write, [id], usedMs));
  const renewed = new Date(usedMs + 60_000).toISOString();
  expect(await wait(id, 'ready')).toMatchObject({ expiresAt: renewed });
  expect(await listed()).toBe(renewed);
  await api.expect('updateDesktop', 200, { method: 'PATCH', path, body: { name: 'x' }, headers: { 'if-match': etag } });
  await api.ask('DELETE', path);
});

test('an ephemeral desktop that is used after its time was seen to be over stays', async () => {
  const { id } = await create({ ephemeral: true, ttlSeconds: 60 });
  await wait(id, 'ready');
  const { services, apps } = api.api;
  const { database } = services;
  const clock = { ...services.clock, nowMs: () => services.clock.nowMs() + 61_000 };
  apps.usage.take();
  /** Something happens between the look and the transaction. */
  const expireAfter = (happen: () => Promise<void>) => {
    const write: typeof database.write = async (body) => {
      await happen();
      return database.write(body);
    };
    return expireDesktops({ ...services, clock, database: { ...database, write } }, apps.usage);
  };
  let end = () => {};
  await expireAfter(async () => void (end = apps.usage.begin(id)));
  expect(await wait(id, 'ready')).toMatchObject({ status: 'running' });
  end();
  apps.usage.take();
  await expireAfter(async () => void (await database.write((write) => renewExpiry(write, [id], clock.nowMs()))));
  expect(await wait(id, 'ready')).toMatchObject({ status: 'running' });
  await expireDesktops({ ...services, clock: { ...clock, nowMs: () => clock.nowMs() + 61_000 } }, apps.usage);
  expect(await wait(id, 'destroyed')).toMatchObject({ status: 'destroyed' });
});
