import { Fault } from '@lebureau/kit/fault';
import { sql } from 'kysely';
import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import type { Services } from '../services.ts';
import { closeOrder } from './closeOrder.ts';
import { lockNode } from './duty.ts';
import { callOffMoves } from './moveRoom.ts';
import { nextEpoch } from './newNode.ts';
import { helloOf } from './store.ts';
import { type NodeAct, tellNode } from './tellNode.ts';

/**
 * A person says that a silent node is off. Whoever still runs as its hostd is superseded; its desktops are `error` with
 * `node_fenced` and can be deleted for good without hearing it. Nothing is cloned in their place: their disks are there.
 * Comes the node back, it says hello anew, its desktops go on, and it gets no new ones until it is uncordoned.
 */
export async function fenceNode(services: Services, write: Write, act: NodeAct): Promise<NodeRow> {
  const node = await lockNode(write, act.nodeId);
  const nowMs = services.clock.nowMs();
  const silentMs = nowMs - node.heardMs;
  if (silentMs < nodeSilentMs)
    throw new Fault('wrong_state', `The node was heard ${Math.round(silentMs / 1000)} s ago: it is not off.`, {
      hint: 'Cut its power first; half a minute later it counts as silent.',
    });
  const change = { fencedMs: nowMs, cordoned: 1, epoch: await nextEpoch(write) };
  await write.db.updateTable('nodes').set(change).where('id', '=', node.id).execute();
  await callOffMoves(write, { of: 'moveNodeId', nodeId: node.id });
  await closeDeleted(services, write, node.id);
  await touchDesktops(write, node.id);
  await tellNode(services, write, { act, node, type: 'node.fenced' });
  return { ...node, ...change };
}

/**
 * Takes a node out of service for good: its certificates end, its name is free, and it never gets an order again. With
 * `force` also while there are desktops on it: they are `error` with `vm_missing` and can only be deleted.
 */
export async function decommissionNode(
  services: Services,
  write: Write,
  at: { act: NodeAct; force: boolean },
): Promise<NodeRow> {
  const { act, force } = at;
  const node = await lockNode(write, act.nodeId);
  const nowMs = services.clock.nowMs();
  const open = await openOrders(write, node.id);
  const coming = await openOrders(write, node.id, 'moveNodeId');
  if (open.length + coming.length > 0 && !force)
    throw new Fault('wrong_state', `Desktops on this node: ${open.length + coming.length}.`, {
      hint: 'Drain it and delete them, or say `force` if the machine is lost.',
    });
  const recordings = helloOf(node)?.recordings ?? 0;
  if (recordings > 0 && !force)
    throw new Fault('wrong_state', `Recordings of terminals that are on this node only: ${recordings}.`, {
      hint: 'hostd sends them after their desktops within seconds; `force` gives them up.',
    });
  // No node can be called so: the dot keeps the name apart from those that join later.
  const change = {
    decommissionedMs: nowMs,
    cordoned: 1,
    epoch: await nextEpoch(write),
    name: `${node.name}.${node.id}`,
    drainMs: null,
  };
  await write.db.updateTable('nodes').set(change).where('id', '=', node.id).execute();
  await write.db
    .updateTable('nodeCertificates')
    .set({ revokedMs: nowMs })
    .where('nodeId', '=', node.id)
    .where('revokedMs', 'is', null)
    .execute();
  await callOffMoves(write, { of: 'moveNodeId', nodeId: node.id });
  await write.db.deleteFrom('tunnels').where('nodeId', '=', node.id).execute();
  for (const order of open) if (order.desktopId === null) await closeOrder(services, write, order);
  await closeDeleted(services, write, node.id);
  await touchDesktops(write, node.id);
  await tellNode(services, write, { act, node, type: 'node.decommissioned', data: { force, desktops: open.length } });
  return { ...node, ...change };
}

function openOrders(write: Write, nodeId: string, of: 'nodeId' | 'moveNodeId' = 'nodeId') {
  return write.db.selectFrom('assignments').selectAll().where(of, '=', nodeId).where('closedMs', 'is', null).execute();
}

/** What was to be deleted waits for nobody any more. */
async function closeDeleted(services: Services, write: Write, nodeId: string): Promise<void> {
  for (const order of await openOrders(write, nodeId))
    if (order.desired === 'deleted') await closeOrder(services, write, order);
}

/** All desktops of the node look different now. */
async function touchDesktops(write: Write, nodeId: string): Promise<void> {
  const rows = await write.db
    .updateTable('desktops')
    .set({ version: sql<number>`"version" + 1` })
    .where('nodeId', '=', nodeId)
    .where('destroyedMs', 'is', null)
    .returning('id')
    .execute();
  for (const { id } of rows) write.wake(desktopTopic(id));
}
