import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { notFound } from '../http/problem.ts';
import type { Services } from '../services.ts';
import { orderChanged } from './store.ts';
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
  await tellNode(services, write, { act, node, type: 'node.uncordoned' });
  return change(write, node, { cordoned: 0, drainMs: null, drainedMs: null, fencedMs: null });
}

/** After the grace everything that runs there is stopped, and nothing starts there until it is uncordoned. */
export async function drainNode(
  services: Services,
  write: Write,
  at: { act: NodeAct; graceSeconds?: number },
): Promise<NodeRow> {
  const { act, graceSeconds = graceSecondsDefault } = at;
  const node = await lockNode(write, act.nodeId);
  const drainMs = services.clock.nowMs() + graceSeconds * 1000;
  await tellNode(services, write, { act, node, type: 'node.draining', data: { graceSeconds } });
  return change(write, node, { cordoned: 1, drainMs, drainedMs: null });
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
