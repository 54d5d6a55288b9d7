import { sql } from 'kysely';
import { attempt } from '../db/attempt.ts';
import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { diskFloorMiB, type Overcommit, type PlacementNode, limitsOf } from '../nodes/placement.ts';
import { orderChanged, releaseReserved } from '../nodes/store.ts';
import { listMembers } from './store.ts';

interface Need {
  vcpus: number;
  memoryMiB: number;
  /** Disk that it has not yet; that of a waiting machine comes free only when it is gone. */
  diskGiB: number;
}

/**
 * Gives the room of one waiting machine to somebody who asks, on a node where that can be enough. Its memory is promised
 * again at once, while the machine still ends. @returns its node, whose row this transaction has from then on
 */
export async function giveBackMember(
  write: Write,
  wish: { nodes: readonly PlacementNode[]; need: Need; overcommit: Overcommit },
): Promise<string | undefined> {
  const members = Map.groupBy(await listMembers(write.db), (member) => member.nodeId);
  for (const node of wish.nodes) {
    const there = members.get(node.id) ?? [];
    if (!canBeEnough(node, there, wish)) continue;
    for (const { id, nodeId } of there) {
      const dropped = await attempt(write, () => dropMember(write, { id, nodeId }));
      if (dropped === undefined) continue;
      if (dropped.holdsMemory === 0) return nodeId;
      await releaseReserved(write, nodeId, dropped);
      await write.db.updateTable('assignments').set({ holdsMemory: 0 }).where('id', '=', id).execute();
      return nodeId;
    }
  }
  return undefined;
}

function canBeEnough(
  node: PlacementNode,
  members: readonly AssignmentRow[],
  wish: { need: Need; overcommit: Overcommit },
): boolean {
  const limits = limitsOf(node, wish.overcommit);
  const sum = (of: (member: AssignmentRow) => number) =>
    members.reduce((total, member) => total + (member.holdsMemory === 1 ? of(member) : 0), 0);
  return (
    node.reservedDiskGiB + wish.need.diskGiB <= limits.diskGiB &&
    (wish.need.diskGiB === 0 || node.diskFreeMiB >= diskFloorMiB) &&
    node.reservedVcpus - sum((member) => member.vcpus) + wish.need.vcpus <= limits.vcpus &&
    node.reservedMemoryMiB - sum((member) => member.memoryMiB) + wish.need.memoryMiB <= limits.memoryMiB
  );
}

/** Unless a desktop got it meanwhile. The node's row is taken first, as by every writer of its orders. */
export async function dropMember(
  write: Write,
  member: Pick<AssignmentRow, 'id' | 'nodeId'>,
): Promise<AssignmentRow | undefined> {
  await orderChanged(write, member.nodeId);
  return write.db
    .updateTable('assignments')
    .set({ desired: 'deleted', generation: sql<number>`"generation" + 1` })
    .where('id', '=', member.id)
    .where('poolKey', 'is not', null)
    .where('desired', '=', 'running')
    .where('closedMs', 'is', null)
    .returningAll()
    .executeTakeFirst();
}
