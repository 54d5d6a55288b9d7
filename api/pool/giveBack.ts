import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { changeOrder, orderChanged, releaseReserved } from '../nodes/store.ts';
import { listMembers } from './store.ts';

/**
 * Gives the room of one waiting machine on one of these nodes to somebody who asks. Its memory is promised again at once,
 * while the machine still ends. @returns whether there was one
 */
export async function giveBackMember(write: Write, nodeIds: ReadonlySet<string>): Promise<boolean> {
  const member = (await listMembers(write.db)).find((each) => nodeIds.has(each.nodeId));
  if (member === undefined) return false;
  await dropMember(write, member);
  if (member.holdsMemory === 0) return true;
  await releaseReserved(write, member.nodeId, member);
  await write.db.updateTable('assignments').set({ holdsMemory: 0 }).where('id', '=', member.id).execute();
  return true;
}

export async function dropMember(write: Write, member: Pick<AssignmentRow, 'id' | 'nodeId'>): Promise<void> {
  await changeOrder(write, member.id, { desired: 'deleted' });
  await orderChanged(write, member.nodeId);
}
