import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestPostgres, startTestPostgres } from '../testing/postgres.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { dropMember } from './giveBack.ts';
import { keepPool } from './keeper.ts';

/** Claims and drops of the same machines at the same time, by two replicas with real transactions between them. */

const membersCount = 32;
const nodesCount = 8;
const rounds = 3;

let postgres: TestPostgres;
const apis: TestApi[] = [];
beforeAll(async () => {
  postgres = await startTestPostgres();
  const databaseUrl = await postgres.newDatabase();
  for (let count = 0; count < 2; count++) apis.push(await startTestApi({ config: { databaseUrl } }));
  for (let at = 0; at < nodesCount; at++) await apis[at % 2]!.node({ name: `node-${at}` });
});
afterAll(async () => {
  for (const api of apis) await api.stop();
  await postgres.stop();
});

const rows = () => apis[0]!.api.services.database.read.selectFrom('assignments').selectAll().execute();
const waiting = async () =>
  (await rows()).filter((row) => row.poolKey !== null && row.desired === 'running' && row.closedMs === null);
const create = async (at: number): Promise<string> => {
  const wish = { method: 'POST', path: '/v1/desktops', body: {} };
  return (await apis[at % 2]!.expect<{ id: string }>('createDesktop', 201, wish)).id;
};
const settings = { membersMax: membersCount, memoryPercent: 100 };

/** Fills the pool: one machine a node and round. */
async function fill(): Promise<void> {
  const id = await create(0);
  const one = (await rows()).find((row) => row.desktopId === id)!;
  const kind = { ...one, network: one.network as 'internet' };
  const { templateId, vcpus, memoryMiB, diskGiB, network } = kind;
  const { database, demand } = apis[0]!.api.services;
  demand.note({ templateId, vcpus, memoryMiB, diskGiB, network }, membersCount * 5);
  await demand.writeDown(database);
  const ready = async () => {
    await keepPool(apis[0]!.api.services, settings);
    return (await waiting()).filter((row) => row.ready === 1).length;
  };
  await expect.poll(ready, { timeout: 60_000, interval: 50 }).toBe(membersCount);
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

test('no machine is claimed twice, and none that somebody has is dropped', { timeout: 180_000 }, async () => {
  let claimed = 0;
  let dropped = 0;
  for (let round = 0; round < rounds; round++) {
    await fill();
    const members = await waiting();
    const drops = shuffled(members)
      .slice(0, membersCount / 2)
      .map((member, at) => () => apis[at % 2]!.api.services.database.write((write) => dropMember(write, member)));
    const emptied = [0, 1].map((at) => () => keepPool(apis[at]!.api.services, { membersMax: 4, memoryPercent: 100 }));
    const made: string[] = [];
    const creates = Array.from({ length: membersCount }, (_, at) => async () => {
      made.push(await create(at));
    });
    await Promise.all(shuffled([...drops, ...emptied, ...creates]).map((work) => work()));

    const byId = new Map((await rows()).map((row) => [row.id, row]));
    const ids = new Set(members.map((member) => member.id));
    const owned = [...byId.values()].filter((row) => made.includes(row.desktopId ?? ''));
    expect(owned.length, 'each desktop has one machine').toBe(made.length);
    expect(new Set(owned.map((row) => row.desktopId)).size).toBe(made.length);
    for (const row of owned) expect(row, 'nobody drops what is somebody’s').toMatchObject({ desired: 'running' });
    const given = owned.filter((row) => ids.has(row.id));
    for (const row of given) expect(row).toMatchObject({ identityVersion: 1, poolKey: null });
    claimed += given.length;
    dropped += members.filter((member) => byId.get(member.id)!.desired === 'deleted').length;
    for (const id of made) {
      const path = `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=10`;
      expect(await apis[0]!.expect('getDesktop', 200, { method: 'GET', path })).toMatchObject({ status: 'running' });
    }
    await expectReservations();
  }
  expect(await deadlocksCount(), 'nobody waited for another who waited for him').toBe(0);
  // Else nothing has raced.
  expect(claimed).toBeGreaterThan(0);
  expect(dropped).toBeGreaterThan(0);
});

async function deadlocksCount(): Promise<number> {
  const query = sql<{ deadlocks: number }>`select deadlocks from pg_stat_database where datname = current_database()`;
  return (await query.execute(apis[0]!.api.services.database.read)).rows[0]!.deadlocks;
}

/** What nodes count as taken is what their machines have, once those that go are gone. */
async function expectReservations(): Promise<void> {
  const compare = async () => {
    const open = (await rows()).filter((row) => row.closedMs === null);
    const nodes = await apis[0]!.api.services.database.read.selectFrom('nodes').selectAll().execute();
    return nodes.filter((node) => {
      const here = open.filter((row) => row.nodeId === node.id);
      const memoryMiB = here.reduce((sum, row) => sum + (row.holdsMemory === 1 ? row.memoryMiB : 0), 0);
      const diskGiB = here.reduce((sum, row) => sum + row.diskGiB, 0);
      return node.reservedMemoryMiB !== memoryMiB || node.reservedDiskGiB !== diskGiB;
    });
  };
  await expect.poll(compare).toEqual([]);
}
