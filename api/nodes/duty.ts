import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { callOffMoves } from './moveRoom.ts';
import type { DrainNode } from './publicContract.ts';
import { helloOf, orderChanged } from './store.ts';
import { type NodeAct, tellNode } from './tellNode.ts';

const graceSecondsDefault = 60;

/** The node, under its lock: every writer of its orders takes that first. @throws Fault `not_found`, `wrong_state` */
export async function lockNode(write: Write, nodeId: string): Promise<NodeRow> {
  await orderChanged(write, nodeId);
  const node = await write.db.selectFrom('nodes').selectAll().where('id', '=', nodeId).executeTakeFirst();
  if (node === undefined) throw notFound('node');
  if (node.decommissionedMs !== null) throw new Fault('wrong_state', 'The node was decommissioned.');
  return node;
}

async function change(write: Write, node: NodeRow, to: Partial<NodeRow>): Promise<NodeRow> {
  await write.db.updateTable('nodes').set(to).where('id', '=', node.id).execute();
  return { ...node, ...to };
}

/** It gets no new desktops; those it has are left alone. */
export async function cordonNode(services: Services, write: Write, act: NodeAct): Promise<NodeRow> {
  const node = await lockNode(write, act.nodeId);
  if (node.cordoned === 1) return node;
  await tellNode(services, write, { act, node, type: 'node.cordoned' });
  return change(write, node, { cordoned: 1 });
}

/** It takes desktops again: a drain ends, and so does what a fence left. */
export async function uncordonNode(services: Services, write: Write, act: NodeAct): Promise<NodeRow> {
  const node = await lockNode(write, act.nodeId);
  if (node.cordoned === 0 && node.drainMs === null && node.fencedMs === null) return node;
  await endMoves(write, node.id);
  await tellNode(services, write, { act, node, type: 'node.uncordoned' });
  return change(write, node, { cordoned: 0, drainMs: null, drainedMs: null, fencedMs: null });
}

/**
 * Moves what is there to other nodes of its cluster, or lets it be. After the grace what still runs there is stopped, and
 * nothing starts there until it is uncordoned. @throws Fault `wrong_state` for a move where the hypervisor has none
 */
export async function drainNode(
  services: Services,
  write: Write,
  at: { act: NodeAct; wish: Static<typeof DrainNode> },
): Promise<NodeRow> {
  const { act, wish } = at;
  const { graceSeconds = graceSecondsDefault, mode = 'stop', unmoved = 'stop' } = wish;
  const node = await lockNode(write, act.nodeId);
  if (mode === 'move' && helloOf(node)?.cluster === undefined)
    throw new Fault('wrong_state', 'Moving is unsupported on this node: its hypervisor is in no cluster.', {
      hint: 'Drain it with mode `stop`. Nodes of one Proxmox VE cluster can move desktops to each other.',
    });
  await endMoves(write, node.id);
  const drainMs = services.clock.nowMs() + graceSeconds * 1000;
  await tellNode(services, write, { act, node, type: 'node.draining', data: { graceSeconds, mode, unmoved } });
  return change(write, node, { cordoned: 1, drainMs, drainedMs: null, drainMode: mode, drainUnmoved: unmoved });
}

/** What was ordered is called off, and what was refused may be asked again. */
async function endMoves(write: Write, nodeId: string): Promise<void> {
  await callOffMoves(write, { of: 'nodeId', nodeId });
  await write.db
    .updateTable('assignments')
    .set({ moveFaultJson: null })
    .where('nodeId', '=', nodeId)
    .where('moveFaultJson', 'is not', null)
    .execute();
}

export async function updateNode(
  services: Services,
  write: Write,
  at: { act: NodeAct; labels: Record<string, string> },
): Promise<NodeRow> {
  const { act, labels } = at;
  const node = await lockNode(write, act.nodeId);
  await tellNode(services, write, { act, node, type: 'node.updated', data: { labels } });
  return change(write, node, { labelsJson: JSON.stringify(labels) });
}
