import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { changeDesktop } from '../desktops/store.ts';
import { record } from '../events/record.ts';
import type { Services } from '../services.ts';
import { countDesktop } from '../workspaces/store.ts';
import { freeMoveRoom, notMoving } from './moveRoom.ts';
import { addReservedDisk, releaseReserved } from './store.ts';

/**
 * Ends an order without hearing its node, which nobody expects to hear again. Should it come back after all, its VM is one
 * that nobody orders any more; it was entrusted once, so hostd shows it as a stranger and leaves its end to an operator.
 */
export async function closeOrder(services: Services, write: Write, order: AssignmentRow): Promise<void> {
  const nowMs = services.clock.nowMs();
  const { numUpdatedRows } = await write.db
    .updateTable('assignments')
    .set({
      ...notMoving,
      closedMs: nowMs,
      holdsMemory: 0,
      desired: 'deleted',
      presence: 'absent',
      power: 'off',
      ready: 0,
    })
    .where('id', '=', order.id)
    .where('closedMs', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return;
  if (order.holdsMemory === 1) await releaseReserved(write, order.nodeId, order);
  await addReservedDisk(write, order.nodeId, -order.diskGiB);
  await freeMoveRoom(write, order);
  if (order.desktopId === null) return;
  await countDesktop(write, order.workspaceId, { hardware: order, sign: -1 });
  await changeDesktop(write, { id: order.desktopId }, { destroyedMs: nowMs });
  write.wake(desktopTopic(order.desktopId));
  await record(write, services.clock, {
    type: 'desktop.destroyed',
    workspaceId: order.workspaceId,
    desktopId: order.desktopId,
    actor: { type: 'system' },
    data: { nodeId: order.nodeId, unheard: true },
  });
}
