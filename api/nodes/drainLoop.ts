import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { changeDesktop } from '../desktops/store.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { record } from '../events/record.ts';
import type { Services } from '../services.ts';
import { firstWorkspace } from '../workspaces/store.ts';
import { planDrain } from './drainPlan.ts';
import { moveOut } from './moveOut.ts';
import { changeOrder, helloOf, listNodeRows, lockNodes, orderChanged } from './store.ts';

/** Stopped in one transaction; the next round takes the next. */
const batchMax = 50;

/** One round over the nodes that are drained: moves and stops what runs there, and says when nothing does any more. */
export async function drainNodes(services: Services): Promise<void> {
  const { database, clock } = services;
  const due = await database.read
    .selectFrom('nodes')
    .selectAll()
    .where((where) => where.or([where('drainMs', '<=', clock.nowMs()), where('drainMode', '=', 'move')]))
    .where('drainMs', 'is not', null)
    .where('drainedMs', 'is', null)
    .where('decommissionedMs', 'is', null)
    .execute();
  for (const node of due) await database.write((write) => drainOne(services, write, node));
}

async function drainOne(services: Services, write: Write, seen: NodeRow): Promise<void> {
  const open = await write.db
    .selectFrom('assignments')
    .selectAll()
    .where('nodeId', '=', seen.id)
    .where('closedMs', 'is', null)
    .where('desktopId', 'is not', null)
    .execute();
  const plan = planDrain(seen, open, services.clock.nowMs());
  const isQuiet = plan.stop.length + plan.callOff.length === 0 && !plan.isOver;
  if (isQuiet && plan.move.length === 0) return;
  if (plan.move.length > 0) await lockNodes(services, write, await clusterOf(write, seen));
  const node = await lockDrain(write, seen, isQuiet);
  if (node === undefined) return;
  if (plan.isOver) return finish(services, write, node);
  await moveOut(services, write, { node, orders: plan.move, free: plan.movesFree });
  for (const { id } of plan.callOff) await changeOrder(write, id, { moveTo: null });
  for (const { id, desktopId, workspaceId } of plan.stop.slice(0, batchMax)) {
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

/** The nodes that desktops can be moved between, this one among them. */
async function clusterOf({ db }: Write, node: NodeRow): Promise<string[]> {
  const clusterId = helloOf(node)?.cluster?.id;
  const nodes = clusterId === undefined ? [] : await listNodeRows(db);
  return nodes.filter((each) => helloOf(each)?.cluster?.id === clusterId).map(({ id }) => id);
}

/** Undefined when a person has ended the drain, or ordered another, since it was read. @param isQuiet nobody is woken */
async function lockDrain(write: Write, seen: NodeRow, isQuiet: boolean): Promise<NodeRow | undefined> {
  // Nothing changes but that its row is locked, as every writer of its orders has it.
  if (isQuiet)
    await write.db
      .updateTable('nodes')
      .set({ name: seen.name })
      .where('id', '=', seen.id)
      .where('name', '=', seen.name)
      .execute();
  else await orderChanged(write, seen.id);
  const node = await write.db.selectFrom('nodes').selectAll().where('id', '=', seen.id).executeTakeFirst();
  const isSame = node?.drainMs === seen.drainMs && node.drainMode === seen.drainMode && node.drainedMs === null;
  return isSame ? node : undefined;
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
