import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { addReservedDisk, changeOrder, orderChanged, releaseReserved } from './store.ts';

/** Of an order that is at home on its node and stays. */
export const notMoving = { moveTo: null, moveNodeId: null, moveHolds: 0 } as const;

type Moving = Pick<AssignmentRow, 'moveNodeId' | 'moveHolds' | 'vcpus' | 'memoryMiB' | 'diskGiB'>;

/** Gives back what is kept for it on the node that it was to go to. */
export async function freeMoveRoom(write: Write, order: Moving): Promise<void> {
  const { moveNodeId, diskGiB } = order;
  if (moveNodeId === null) return;
  if (order.moveHolds === 1) await releaseReserved(write, moveNodeId, order);
  await addReservedDisk(write, moveNodeId, -diskGiB);
}

/**
 * Calls off the moves from or to a node. One may be running: what is kept for it is given back when its node says that it
 * is not on its way, and where it has arrived all the same, there it stays.
 */
export async function callOffMoves(write: Write, at: { of: 'nodeId' | 'moveNodeId'; nodeId: string }): Promise<void> {
  const rows = await write.db
    .selectFrom('assignments')
    .select(['id', 'nodeId'])
    .where(at.of, '=', at.nodeId)
    .where('moveTo', 'is not', null)
    .where('closedMs', 'is', null)
    .execute();
  for (const { id, nodeId } of rows) {
    if (at.of === 'moveNodeId') await orderChanged(write, nodeId);
    await changeOrder(write, id, { moveTo: null });
  }
}
