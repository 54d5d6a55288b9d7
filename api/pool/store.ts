import { sql } from 'kysely';
import type { Reader, Write } from '../db/database.ts';
import type { AssignmentRow, PoolDemandRow } from '../db/tables.ts';

export function listDemand(db: Reader): Promise<PoolDemandRow[]> {
  return db.selectFrom('poolDemand').selectAll().orderBy('lastMs', 'desc').limit(1000).execute();
}

export async function forgetDemand({ db }: Write, beforeMs: number): Promise<void> {
  await db.deleteFrom('poolDemand').where('lastMs', '<', beforeMs).execute();
}

/** Every machine that waits, ready or not. */
export function listMembers(db: Reader): Promise<AssignmentRow[]> {
  return db
    .selectFrom('assignments')
    .selectAll()
    .where('poolKey', 'is not', null)
    .where('desired', '=', 'running')
    .where('closedMs', 'is', null)
    .orderBy('id')
    .limit(1000)
    .execute();
}

/**
 * Nodes on which something is on its way to being ready, so that nothing else is made there meanwhile.
 * @param dropped what goes in this round, and holds nobody up
 */
export async function listBusyNodes(db: Reader, sinceMs: number, dropped: readonly string[]): Promise<Set<string>> {
  const going = new Set(dropped);
  const rows = await db
    .selectFrom('assignments')
    .select(['id', 'nodeId'])
    .where('closedMs', 'is', null)
    .where('desired', '=', 'running')
    .where('ready', '=', 0)
    .where((where) => where.or([where('observedMs', 'is', null), where('observedMs', '>', sinceMs)]))
    .execute();
  return new Set(rows.filter(({ id }) => !going.has(id)).map((row) => row.nodeId));
}

/** Members of this kind that can be claimed, oldest first. */
export function listReady(db: Reader, poolKey: string): Promise<{ id: string; nodeId: string }[]> {
  return db
    .selectFrom('assignments')
    .select(['id', 'nodeId'])
    .where('poolKey', '=', poolKey)
    .where('desired', '=', 'running')
    .where('ready', '=', 1)
    .where('closedMs', 'is', null)
    .orderBy('id')
    .limit(50)
    .execute();
}

/** Gives a machine to a desktop, if nobody was faster. What was seen of it so far was seen of nobody's. */
export function claimMember(
  { db }: Write,
  at: { id: string; poolKey: string },
  owner: Pick<AssignmentRow, 'desktopId' | 'workspaceId' | 'hostName' | 'timeZone' | 'configJson'>,
): Promise<AssignmentRow | undefined> {
  return db
    .updateTable('assignments')
    .set({
      ...owner,
      poolKey: null,
      identityVersion: sql<number>`"identityVersion" + 1`,
      generation: sql<number>`"generation" + 1`,
      power: 'booting',
      ready: 0,
      agentReady: 0,
    })
    .where('id', '=', at.id)
    .where('poolKey', '=', at.poolKey)
    .where('desired', '=', 'running')
    .where('ready', '=', 1)
    .where('closedMs', 'is', null)
    .returningAll()
    .executeTakeFirst();
}

/** Rounds of several replicas take turns: this row is locked until the transaction ends. */
export async function takeTurn({ db }: Write): Promise<void> {
  await db
    .insertInto('counters')
    .values({ name: 'poolRound', value: 1 })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: sql<number>`"counters"."value" + 1` }))
    .execute();
}
