import type { Reader, Write } from '../db/database.ts';
import type { AuthorityGenerationRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import type { Services } from '../services.ts';
import { firstWorkspace } from '../workspaces/store.ts';
import { authorityTopic } from './authorityRows.ts';
import { helloOf } from './store.ts';

/**
 * How the authorities are replaced. Each step is one compare-and-set, taken by any replica, so it can be cut off anywhere:
 *
 * 1. spreading: a new generation lies in the database; every replica reads it and trusts both.
 * 2. renewing: it signs; nodes are told to trust both and to renew. Replicas still show certificates of the old one.
 * 3. switching: every node did, or the deadline is over. Replicas show certificates of the new one.
 * 4. Every replica does: the old generation is dropped, with its keys and what it signed.
 */
export type RotationStep = 'spreading' | 'renewing' | 'switching';

export interface Rotation {
  row: AuthorityGenerationRow;
  step: RotationStep;
}

/** What the present step waits for. */
export interface Hindrances {
  replicas: number;
  joinTokens: number;
  nodeIds: string[];
}

/** The replacement that is on its way. */
export async function findRotation(db: Reader): Promise<Rotation | undefined> {
  const rows = await db
    .selectFrom('authorityGenerations')
    .selectAll()
    .where('droppedMs', 'is', null)
    .orderBy('generation', 'desc')
    .limit(2)
    .execute();
  const [row, older] = rows;
  if (row === undefined || older === undefined) return undefined;
  return { row, step: row.signsMs === null ? 'spreading' : row.shownMs === null ? 'renewing' : 'switching' };
}

export async function hindrancesOf(
  { replicas, clock }: Pick<Services, 'replicas' | 'clock'>,
  db: Reader,
  { row, step }: Rotation,
): Promise<Hindrances> {
  const { generation } = row;
  const none: Hindrances = { replicas: 0, joinTokens: 0, nodeIds: [] };
  const alive = await replicas.alive(db);
  if (step === 'spreading') return { ...none, replicas: alive.filter((each) => each.generation < generation).length };
  if (step === 'switching')
    return { ...none, replicas: alive.filter((each) => each.shownGeneration < generation).length };
  const tokens = await db
    .selectFrom('joinTokens')
    .select('id')
    .where('generation', '<', generation)
    .where('usedMs', 'is', null)
    .where('expiresMs', '>', clock.nowMs())
    .execute();
  return { ...none, joinTokens: tokens.length, nodeIds: await nodesBehind(db, generation) };
}

/** Those that would not know a replica of this generation, or could not be known by it. */
async function nodesBehind(db: Reader, generation: number): Promise<string[]> {
  const nodes = await db
    .selectFrom('nodes')
    .select(['id', 'helloJson'])
    .where('joinedMs', 'is not', null)
    .where('decommissionedMs', 'is', null)
    .orderBy('id')
    .execute();
  const older = await db
    .selectFrom('nodeCertificates')
    .select('nodeId')
    .distinct()
    .where('generation', '<', generation)
    .where('revokedMs', 'is', null)
    .execute();
  const behind = new Set(older.map((each) => each.nodeId));
  return nodes
    .filter((node) => behind.has(node.id) || (helloOf(node)?.authority?.generation ?? 0) < generation)
    .map((node) => node.id);
}

/** Takes the next step if nothing hinders it. A node that is late after the deadline hinders nothing any more. */
export async function advanceRotation(services: Services): Promise<void> {
  const { database, clock, log } = services;
  const rotation = await findRotation(database.read);
  if (rotation === undefined) return;
  const { row, step } = rotation;
  const { replicas, joinTokens, nodeIds } = await hindrancesOf(services, database.read, rotation);
  const isOver = step === 'renewing' && row.deadlineMs !== null && clock.nowMs() >= row.deadlineMs;
  if (replicas + joinTokens + nodeIds.length > 0 && !isOver) return;
  if (nodeIds.length > 0) log.warn('nodes are left behind by the new authority', { nodeIds });
  await database.write(async (write) => {
    if (step === 'switching') await drop(services, write, row.generation);
    else await stamp(write, row.generation, { step, nowMs: clock.nowMs() });
  });
}

async function stamp(
  write: Write,
  generation: number,
  at: { step: 'spreading' | 'renewing'; nowMs: number },
): Promise<void> {
  const column = at.step === 'spreading' ? 'signsMs' : 'shownMs';
  await write.db
    .updateTable('authorityGenerations')
    .set({ [column]: at.nowMs })
    .where('generation', '=', generation)
    .where(column, 'is', null)
    .execute();
  write.wake(authorityTopic);
}

async function drop(services: Services, write: Write, generation: number): Promise<void> {
  const nowMs = services.clock.nowMs();
  const { numUpdatedRows } = await write.db
    .updateTable('authorityGenerations')
    .set({ droppedMs: nowMs })
    .where('generation', '<', generation)
    .where('droppedMs', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return;
  await write.db.deleteFrom('authorities').where('generation', '<', generation).execute();
  await write.db
    .updateTable('nodeCertificates')
    .set({ revokedMs: nowMs })
    .where('generation', '<', generation)
    .where('revokedMs', 'is', null)
    .execute();
  await write.db.deleteFrom('joinTokens').where('generation', '<', generation).where('usedMs', 'is', null).execute();
  write.wake(authorityTopic);
  services.log.info('authority.rotated', { generation });
  const workspace = await firstWorkspace(write.db);
  if (workspace === undefined) return;
  await record(write, services.clock, {
    type: 'authority.rotated',
    workspaceId: workspace.id,
    actor: { type: 'system' },
    data: { generation },
  });
}
