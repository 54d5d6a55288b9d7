import type { ClusterDouble } from '@lebureau/test/doubles/node';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AssignmentRow, NodeRow } from '../db/tables.ts';
import { type TestPostgres, startTestPostgres } from '../testing/postgres.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { drainNodes } from './drainLoop.ts';
import { takeReport } from './observations.ts';

/** Both nodes of a move tell of it at the same moment, while others are drained: with real transactions. */

const movesMax = 6;

let postgres: TestPostgres;
let api: TestApi;
beforeAll(async () => {
  postgres = await startTestPostgres();
  api = await startTestApi({ config: { databaseUrl: await postgres.newDatabase() } });
});
afterAll(async () => {
  await api.stop();
  await postgres.stop();
});

const read = () => api.api.services.database.read;
const nodeRow = (id: string): Promise<NodeRow> =>
  read().selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const moving = (): Promise<AssignmentRow[]> =>
  read().selectFrom('assignments').selectAll().where('moveNodeId', 'is not', null).execute();

/** What `node` tells of: machines that left it, and such as it has and was not ordered to have. */
async function report(nodeId: string, told: { gone?: AssignmentRow; arrived?: AssignmentRow }): Promise<void> {
  const { database } = api.api.services;
  const { epoch, lastSeq } = await nodeRow(nodeId);
  const { gone, arrived } = told;
  const observations = gone && [
    {
      assignmentId: gone.id,
      generation: gone.generation,
      presence: 'present' as const,
      power: 'running' as const,
      boot: gone.boot,
      ready: true,
      agentReady: true,
      startMode: null,
      ipAddress: null,
      fault: null,
      movedTo: gone.moveTo!,
      atMs: 1,
    },
  ];
  const strangers = arrived ? [{ vmRef: arrived.vmRef, owner: arrived.id }] : [];
  const from = { epoch, seq: lastSeq + 1000, observations: observations ?? [], strangers };
  await database.write((write) => takeReport(api.api.services, write, { peer: { kind: 'local' }, report: from }));
}

test('they never wait for each other, and each desktop is moved once', { timeout: 60_000 }, async () => {
  const cluster: ClusterDouble = { id: 'lab', machines: new Map() };
  const one = await api.node({ name: 'one', cluster, moves: false });
  for (let count = 0; count < movesMax; count++) {
    const wish = { method: 'POST', path: '/v1/desktops', body: { size: 'nano' } };
    const { id } = await api.expect<{ id: string }>('createDesktop', 201, wish);
    await api.expect('getDesktop', 200, { method: 'GET', path: `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=5` });
  }
  const two = await api.node({ name: 'two', cluster, moves: false });
  await api.expect('drainNode', 200, {
    method: 'POST',
    path: `/v1/nodes/${one.nodeId}/drain`,
    body: { mode: 'move' },
  });
  for (let done = 0; done < movesMax;) {
    await drainNodes(api.api.services);
    const [row] = await moving();
    expect(row).toMatchObject({ nodeId: one.nodeId, moveNodeId: two.nodeId });
    const round = () => drainNodes(api.api.services);
    await Promise.all([report(one.nodeId, { gone: row! }), report(two.nodeId, { arrived: row! }), round()]);
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from events where type = 'desktop.moved'`.execute(read());
    expect(rows[0]!.count).toBe(++done);
  }
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(read());
  expect(rows[0]!.deadlocks).toBe(0);
  const { reservedVcpus, reservedMemoryMiB } = await nodeRow(one.nodeId);
  expect([reservedVcpus, reservedMemoryMiB]).toEqual([0, 0]);
});
