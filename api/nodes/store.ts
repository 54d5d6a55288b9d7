import { sql } from 'kysely';
import { attempt } from '../db/attempt.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import type { Reader, Write } from '../db/database.ts';
import type { AssignmentRow, NodeRow } from '../db/tables.ts';
import type { Placement } from './placement.ts';
import type { NodeHello } from './schema.ts';

/** Nodes belong to the installation, not to a workspace. */

export function listNodeRows(db: Reader): Promise<NodeRow[]> {
  return db.selectFrom('nodes').selectAll().where('decommissionedMs', 'is', null).orderBy('name').limit(1000).execute();
}

export function findNode(db: Reader, nodeId: string): Promise<NodeRow | undefined> {
  return db.selectFrom('nodes').selectAll().where('id', '=', nodeId).executeTakeFirst();
}

/** What a node said last; undefined for one that joined and has not spoken yet. */
export function helloOf(row: Pick<NodeRow, 'helloJson'>): Static<typeof NodeHello> | undefined {
  return row.helloJson === '{}' ? undefined : (JSON.parse(row.helloJson) as Static<typeof NodeHello>);
}

export interface Hardware {
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
}

type Place = Pick<Placement, 'nodeId' | 'limits'>;

/** Takes processors and memory of a node if it still has them, for a desktop whose disk is there. @returns whether it had */
export function reserve(write: Write, place: Place, hardware: Omit<Hardware, 'diskGiB'>): Promise<boolean> {
  const { vcpus, memoryMiB } = hardware;
  return take(write, place, { vcpus, memoryMiB, diskGiB: 0 });
}

/**
 * Takes processors, memory and disk for a new order, if the node still has them and still takes any, and says that its orders
 * change. @returns whether it had
 */
export async function reserveAll(write: Write, place: Place, hardware: Hardware): Promise<boolean> {
  // One that was overtaken keeps the row that it waited for, or not, as Postgres likes.
  const isTaken = (await attempt(write, async () => (await take(write, place, hardware)) || undefined)) === true;
  if (isTaken) write.wake(orderTopic(place.nodeId));
  return isTaken;
}

/** By compare-and-set: whoever chose this node may have been overtaken since. */
async function take({ db }: Write, { nodeId, limits }: Place, { vcpus, memoryMiB, diskGiB }: Hardware) {
  let query = db
    .updateTable('nodes')
    .set({
      reservedVcpus: sql<number>`"reservedVcpus" + ${vcpus}`,
      reservedMemoryMiB: sql<number>`"reservedMemoryMiB" + ${memoryMiB}`,
      reservedDiskGiB: sql<number>`"reservedDiskGiB" + ${diskGiB}`,
      ...(diskGiB > 0 ? { revision: sql<number>`"revision" + 1` } : {}),
    })
    .where('id', '=', nodeId)
    .where('decommissionedMs', 'is', null)
    .where('reservedVcpus', '<=', limits.vcpus - vcpus)
    .where('reservedMemoryMiB', '<=', limits.memoryMiB - memoryMiB);
  if (diskGiB > 0) query = query.where('cordoned', '=', 0).where('reservedDiskGiB', '<=', limits.diskGiB - diskGiB);
  const { numUpdatedRows } = await query.executeTakeFirst();
  return numUpdatedRows === 1n;
}

export function releaseReserved(write: Write, nodeId: string, hardware: Omit<Hardware, 'diskGiB'>): Promise<void> {
  return reserveAnyway(write, nodeId, { vcpus: -hardware.vcpus, memoryMiB: -hardware.memoryMiB });
}

/** Counts processors and memory that are taken already. */
export async function reserveAnyway({ db }: Write, nodeId: string, hardware: Omit<Hardware, 'diskGiB'>): Promise<void> {
  await db
    .updateTable('nodes')
    .set({
      reservedVcpus: sql<number>`"reservedVcpus" + ${hardware.vcpus}`,
      reservedMemoryMiB: sql<number>`"reservedMemoryMiB" + ${hardware.memoryMiB}`,
    })
    .where('id', '=', nodeId)
    .execute();
}

export async function addReservedDisk({ db }: Write, nodeId: string, diskGiB: number): Promise<void> {
  await db
    .updateTable('nodes')
    .set({ reservedDiskGiB: sql<number>`"reservedDiskGiB" + ${diskGiB}` })
    .where('id', '=', nodeId)
    .execute();
}

export async function insertAssignment({ db }: Write, row: AssignmentRow): Promise<void> {
  await db.insertInto('assignments').values(row).execute();
}

/** Changes an order and raises its generation. */
export async function changeOrder({ db }: Write, assignmentId: string, change: Partial<AssignmentRow>): Promise<void> {
  await db
    .updateTable('assignments')
    .set({ ...change, generation: sql<number>`"generation" + 1` })
    .where('id', '=', assignmentId)
    .where('closedMs', 'is', null)
    .execute();
}

/** An order of this node changed: its long poll is woken when the transaction is committed. */
export async function orderChanged(write: Write, nodeId: string): Promise<void> {
  await write.db
    .updateTable('nodes')
    .set({ revision: sql<number>`"revision" + 1` })
    .where('id', '=', nodeId)
    .execute();
  write.wake(orderTopic(nodeId));
}

/**
 * Locks the rows of several nodes in the order that everybody takes who needs several, so that none of them waits for
 * another who waits for it. With SQLite one transaction writes at a time.
 */
export async function lockNodes(
  { database }: Pick<Services, 'database'>,
  { db }: Write,
  nodeIds: readonly string[],
): Promise<void> {
  if (database.flavour === 'sqlite' || nodeIds.length === 0) return;
  await db.selectFrom('nodes').select('id').where('id', 'in', nodeIds).orderBy('id').forUpdate().execute();
}

export function orderTopic(nodeId: string): string {
  return `orders ${nodeId}`;
}
