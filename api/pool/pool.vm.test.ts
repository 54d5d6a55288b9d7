import { systemClock } from '@lebureau/kit/clock';
import { afterEach, describe, expect, test } from 'vitest';
import { type NodeDouble, type NodeDoubleOptions, templateId } from '@lebureau/test/doubles/node';
import type { ApiConfig } from '../config.ts';
import { placementNodes } from '../nodes/placementNodes.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { claimReady } from './claim.ts';
import { dropMember } from './giveBack.ts';
import { keepPool } from './keeper.ts';

/** Machines that wait: ordered ahead of need, got by one desktop each, nobody's until then. */

interface Desktop {
  id: string;
  status: string;
  ready: boolean;
  startMode: string | null;
}

let api: TestApi;

const settings = { membersMax: 2, memoryPercent: 100 };
async function start(node: Partial<NodeDoubleOptions> = {}, config: Partial<ApiConfig> = {}): Promise<NodeDouble> {
  api = await startTestApi({ config });
  return api.node(node);
}
const create = (body: unknown = {}) =>
  api.expect<Desktop>('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body });
const wait = (id: string, target: string) =>
  api.expect<Desktop>('getDesktop', 200, {
    method: 'GET',
    path: `/v1/desktops/${id}?waitFor=${target}&timeoutSeconds=5`,
  });
const round = () => keepPool(api.api.services, settings);
const rows = () => api.api.services.database.read.selectFrom('assignments').selectAll().orderBy('id').execute();
const waiting = async () => (await rows()).filter((row) => row.poolKey !== null && row.desired === 'running');
const untilWaiting = (count: number) =>
  expect.poll(async () => (await waiting()).filter((row) => row.ready === 1).length).toBe(count);
const reserved = (nodeId: string) =>
  api.expect<{ reserved: object }>('getNode', 200, { method: 'GET', path: `/v1/nodes/${nodeId}` });

describe('the pool', () => {
  afterEach(() => api.stop());

  test('the second desktop of a kind gets a machine that is awake, told anew who it is', async () => {
    const node = await start();
    await wait((await create({ name: 'first' })).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    expect(member).toMatchObject({ desktopId: null, workspaceId: '', identityVersion: 0 });

    const second = await create({ name: 'second', timeZone: 'Europe/Paris' });
    expect(second).toMatchObject({ status: 'booting', ready: false });
    expect(await wait(second.id, 'ready')).toMatchObject({ status: 'running', ready: true, startMode: 'warm' });
    const order = node.orders().find((each) => each.desktopId === second.id);
    expect(order).toMatchObject({
      assignmentId: member!.id,
      vmRef: member!.vmRef,
      hostName: 'second',
      timeZone: 'Europe/Paris',
      identityVersion: 1,
      generation: 2,
    });
    const ofTwo = { vcpus: 2, memoryMiB: 2048, diskGiB: 16 };
    expect((await reserved(node.nodeId)).reserved).toEqual(ofTwo);
  });

  test('a create that looked before a node was cordoned gets nothing of it', async () => {
    const node = await start();
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    const { database } = api.api.services;
    const kind = { templateId, vcpus: 1, memoryMiB: 1024, diskGiB: 8, network: 'internet' } as const;
    const owner = { desktopId: null, workspaceId: '', hostName: 'late', timeZone: 'Etc/UTC' };
    const nodes = await placementNodes(database.read, systemClock.nowMs());
    const claim = () =>
      database.write(async (write) => (await claimReady(write, { kind, nodes, owner }))?.id).catch(String);
    const duty = (action: string) =>
      api.expect(`${action}Node`, 200, { method: 'POST', path: `/v1/nodes/${node.nodeId}/${action}` });
    await duty('cordon');
    expect(await claim()).toBeUndefined();
    await duty('uncordon');
    expect(await claim()).toBe(member!.id);
  });

  test('many creates at once get each machine once', async () => {
    const node = await start();
    for (let at = 0; at < 8; at++) await wait((await create()).id, 'ready');
    for (const count of [1, 2]) {
      await round();
      await untilWaiting(count);
    }
    const made = await Promise.all(Array.from({ length: 6 }, () => create()));
    await Promise.all(made.map(({ id }) => wait(id, 'ready')));
    const all = await rows();
    expect(new Set(all.map((row) => row.desktopId)).size).toBe(14);
    expect(all.filter((row) => row.identityVersion === 1)).toHaveLength(2);
    expect((await reserved(node.nodeId)).reserved).toEqual({ vcpus: 14, memoryMiB: 14 * 1024, diskGiB: 14 * 8 });
  });

  test('another size, network or template is not given, and what fails or is off is replaced', async () => {
    const node = await start();
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    for (const other of [{ network: 'none' }, { hardware: { vcpus: 2, memoryMiB: 1024, diskGiB: 8 } }])
      await create(other);
    expect(await waiting()).toHaveLength(1);
    await node.turnOff(member!.id);
    await expect.poll(async () => (await waiting())[0]?.power).toBe('off');
    const claimed = await create({ name: 'never-a-dead-one' });
    expect((await rows()).find((row) => row.desktopId === claimed.id)?.id).not.toBe(member!.id);
    await wait(claimed.id, 'ready');
    await expect
      .poll(async () => {
        await round();
        return (await waiting()).filter((row) => row.ready === 1 && row.id !== member!.id).length;
      })
      .toBeGreaterThan(0);
    await expect.poll(async () => (await rows()).find((row) => row.id === member!.id)?.closedMs).not.toBeNull();
  });

  test('when the nodes are short, what waits gives its room to who asks', async () => {
    const node = await start({ hello: { memoryMiB: 3072 } });
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const big = await create({ hardware: { vcpus: 1, memoryMiB: 2048, diskGiB: 8 } });
    await wait(big.id, 'ready');
    expect(await waiting()).toHaveLength(0);
    await expect
      .poll(async () => (await reserved(node.nodeId)).reserved)
      .toEqual({ vcpus: 2, memoryMiB: 3072, diskGiB: 16 });
    await api.expect('createDesktop', 503, { method: 'POST', path: '/v1/desktops', body: {} });
  });

  test('nobody’s room is taken on a node whose disk is full', async () => {
    const full = await start({ name: 'a-full', hello: { memoryMiB: 2048 } });
    const other = await api.node({ name: 'b-other', hello: { memoryMiB: 2048 } });
    await wait((await create()).id, 'ready');
    await wait((await create()).id, 'ready');
    const { database, demand } = api.api.services;
    demand.note({ templateId, vcpus: 1, memoryMiB: 1024, diskGiB: 8, network: 'internet' }, 20);
    await demand.writeDown(database);
    const filled = async () => {
      await round();
      return (await waiting()).filter((row) => row.ready === 1).length;
    };
    await expect.poll(filled).toBe(2);
    await database.write(({ db }) =>
      db.updateTable('nodes').set({ diskFreeMiB: 100 }).where('id', '=', full.nodeId).execute(),
    );
    const { id } = await create({ network: 'none' });
    expect((await rows()).find((row) => row.desktopId === id)).toMatchObject({ nodeId: other.nodeId });
    expect((await waiting()).map((row) => row.nodeId)).toEqual([full.nodeId]);
  });

  test('a pool that is switched off is given back', async () => {
    const node = await start();
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    await keepPool(api.api.services, { membersMax: 0, memoryPercent: 100 });
    await expect
      .poll(async () => (await reserved(node.nodeId)).reserved)
      .toEqual({ vcpus: 1, memoryMiB: 1024, diskGiB: 8 });
  });

  test('rounds of two replicas at once order no more than is wanted', async () => {
    await start({ stepMs: 200 });
    await wait((await create()).id, 'ready');
    await Promise.all([round(), round(), round()]);
    expect(await waiting()).toHaveLength(1);
  });

  test('a machine whose guest hangs is given to nobody and replaced', async () => {
    let silent: string | undefined;
    const node = await start({
      distort: (seen, order) =>
        order.assignmentId === silent && order.desktopId === null
          ? { ...seen, ready: false, fault: { code: 'guest_unreachable', class: 'fail', message: 'It hangs.' } }
          : seen,
    });
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    silent = member!.id;
    await node.turnOn(member!.id);
    await untilWaiting(0);
    const next = await create();
    expect((await rows()).find((row) => row.desktopId === next.id)?.id).not.toBe(member!.id);
    await wait(next.id, 'ready');
    await round();
    await expect
      .poll(async () => {
        await round();
        return (await waiting()).filter((row) => row.ready === 1 && row.id !== member!.id).length;
      })
      .toBe(1);
    await expect.poll(async () => (await rows()).find((row) => row.id === member!.id)?.closedMs).not.toBeNull();
  });

  test('a newer template of the same name empties the pool of the older one', async () => {
    const template = { name: 'double', warmSizes: ['1x1024'], diskMiB: 1 };
    const older = { ...template, id: `tpl_${'1'.repeat(26)}`, builtAtMs: 1 };
    const newer = { ...template, id: `tpl_${'2'.repeat(26)}`, builtAtMs: 2 };
    const templates = [older];
    await start({ hello: { templates } });
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    expect(member!.templateId).toBe(older.id);
    await round();
    expect(
      (await waiting()).map(({ id }) => id),
      'it is not replaced for nothing',
    ).toEqual([member!.id]);
    const nodes = await api.api.services.database.read.selectFrom('nodes').selectAll().execute();
    const helloJson = JSON.stringify({ ...JSON.parse(nodes[0]!.helloJson), templates: [older, newer] });
    await api.api.services.database.write(({ db }) => db.updateTable('nodes').set({ helloJson }).execute());
    await round();
    expect(await waiting(), 'the older one goes').toEqual([]);
    await wait((await create()).id, 'ready');
    await expect
      .poll(async () => {
        await round();
        return (await waiting()).map(({ templateId }) => templateId);
      })
      .toEqual([newer.id]);
  });

  test('a machine that somebody had is for nobody else, however it ended', async () => {
    await start();
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    const first = await create();
    expect((await rows()).find((row) => row.desktopId === first.id)?.id).toBe(member!.id);
    await wait(first.id, 'ready');
    await api.expect('stopDesktop', 200, { method: 'POST', path: `/v1/desktops/${first.id}/stop` });
    await wait(first.id, 'stopped');
    await api.expect('startDesktop', 200, { method: 'POST', path: `/v1/desktops/${first.id}/start` });
    await wait(first.id, 'ready');
    const beside = await create();
    await api.ask('DELETE', `/v1/desktops/${first.id}`);
    await wait(first.id, 'destroyed');
    await round();
    const after = await create();
    const row = (await rows()).find((each) => each.id === member!.id)!;
    expect(row).toMatchObject({ desktopId: first.id, poolKey: null, identityVersion: 1, desired: 'deleted' });
    for (const { id } of [beside, after])
      expect((await rows()).find((each) => each.desktopId === id)?.id).not.toBe(member!.id);
  });

  test('a machine that was claimed in the meantime is not dropped', async () => {
    await start();
    await wait((await create()).id, 'ready');
    await round();
    await untilWaiting(1);
    const [member] = await waiting();
    const claimed = await create();
    const { database } = api.api.services;
    expect(await database.write((write) => dropMember(write, member!))).toBeUndefined();
    expect(await wait(claimed.id, 'ready')).toMatchObject({ status: 'running' });
  });

  test('a stopped desktop that is started goes before what waits, too', async () => {
    const node = await start({ hello: { memoryMiB: 2048 } });
    const { id } = await create();
    await wait(id, 'ready');
    await api.expect('stopDesktop', 200, { method: 'POST', path: `/v1/desktops/${id}/stop` });
    await wait(id, 'stopped');
    for (const count of [1, 2]) {
      await keepPool(api.api.services, settings);
      await wait((await create()).id, 'ready').catch(() => undefined);
      await expect.poll(async () => (await rows()).length).toBeGreaterThan(count);
    }
    await round();
    await expect.poll(async () => (await reserved(node.nodeId)).reserved).toMatchObject({ memoryMiB: 2048 });
    const busy = (await rows()).filter((row) => row.desktopId !== null && row.desktopId !== id);
    await api.expect('deleteDesktop', 202, { method: 'DELETE', path: `/v1/desktops/${busy[0]!.desktopId}` });
    await wait(busy[0]!.desktopId!, 'destroyed');
    await round();
    await untilWaiting(1);
    await api.expect('startDesktop', 200, { method: 'POST', path: `/v1/desktops/${id}/start` });
    expect(await wait(id, 'ready')).toMatchObject({ status: 'running' });
    expect(await waiting()).toHaveLength(0);
  });
});
