import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { changeDesktop } from '../desktops/store.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { record } from '../events/record.ts';
import type { Services } from '../services.ts';
import { firstWorkspace } from '../workspaces/store.ts';
import { changeOrder, orderChanged } from './store.ts';

/** Stopped in one transaction; the next round takes the next. */
const batchMax = 50;

/** One round over the nodes whose grace is over: stops what runs there, and says when nothing does any more. */
export async function drainNodes(services: Services): Promise<void> {
  const { database, clock } = services;
  const due = await database.read
    .selectFrom('nodes')
    .selectAll()
    .where('drainMs', '<=', clock.nowMs())
    .where('drainedMs', 'is', null)
    .where('decommissionedMs', 'is', null)
    .execute();
  for (const node of due) await database.write((write) => drainOne(services, write, node));
}

async function drainOne(services: Services, write: Write, seen: NodeRow): Promise<void> {
  const open = await write.db
    .selectFrom('assignments')
    .select(['id', 'desktopId', 'workspaceId', 'desired', 'presence', 'power'])
    .where('nodeId', '=', seen.id)
    .where('closedMs', 'is', null)
    .where('desktopId', 'is not', null)
    .execute();
  const wanted = open.filter((order) => order.desired === 'running');
  const left = open.some((order) => order.presence !== 'absent' && order.power !== 'off');
  if (wanted.length === 0 && left) return;
  await orderChanged(write, seen.id);
  // A person may have ended the drain since it was read.
  const node = await write.db.selectFrom('nodes').selectAll().where('id', '=', seen.id).executeTakeFirst();
  if (node?.drainMs !== seen.drainMs || node?.drainedMs !== null) return;
  if (wanted.length === 0) return finish(services, write, node);
  for (const { id, desktopId, workspaceId } of wanted.slice(0, batchMax)) {
    await changeOrder(write, id, { desired: 'stopped' });
    await changeDesktop(write, { id: desktopId! }, {});
    write.wake(desktopTopic(desktopId!));
    await record(write, services.clock, {
      type: 'desktop.stopping',
      workspaceId,
      desktopId: desktopId!,
      actor: { type: 'system' },
      data: { action: 'stop', cause: 'drain', nodeId: node.id },
    });
  }
}

async function finish(services: Services, write: Write, node: NodeRow): Promise<void> {
  await write.db.updateTable('nodes').set({ drainedMs: services.clock.nowMs() }).where('id', '=', node.id).execute();
  services.log.info('node.drained', { node: node.name, nodeId: node.id });
  const workspace = await firstWorkspace(write.db);
  if (workspace === undefined) return;
  await record(write, services.clock, {
    type: 'node.drained',
    workspaceId: workspace.id,
    actor: { type: 'system' },
    data: { nodeId: node.id, name: node.name },
  });
}
