import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { changeDesktop } from '../desktops/store.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import { type Happening, record } from '../events/record.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { freeMoveRoom, notMoving } from './moveRoom.ts';
import type { Observation, ObservationReport } from './schema.ts';
import {
  addReservedDisk,
  findNode,
  helloOf,
  listNodeRows,
  orderChanged,
  releaseReserved,
  reserveAnyway,
} from './store.ts';

/** More moves than that within a week, for which recordings are kept, are none. */
const formerNodesMax = 50;

type Seen = Pick<Static<typeof Observation>, 'moving' | 'movedTo' | 'moveFault'>;

/** What an observation that was taken in means for the move of its desktop. */
export async function followMove(
  services: Services,
  write: Write,
  at: { order: AssignmentRow; seen: Seen },
): Promise<void> {
  const { order, seen } = at;
  if (order.desired === 'deleted') return;
  if (seen.movedTo !== undefined) {
    // A node gives away what it was seen to have, and nothing else.
    if (order.cloneSeen !== 1 || order.presence !== 'present') return;
    const nodeId = await memberOf(write, order, seen.movedTo);
    if (nodeId === undefined)
      services.log.warn('a desktop went to a node that is unknown', { vmRef: order.vmRef, ...seen });
    else await handOver(services, write, { order, nodeId });
    return;
  }
  if (order.moveNodeId === null || seen.moving === true) return;
  const { moveFault } = seen;
  if (order.moveTo === null) return stay(write, order, order.moveFaultJson);
  if (moveFault === undefined) return;
  const moveFaultJson = JSON.stringify(moveFault);
  if (moveFault.class === 'retry') return setMove(write, order, { moveFaultJson });
  await stay(write, order, moveFaultJson);
  await setMove(write, order, { generation: order.generation + 1 });
  await orderChanged(write, order.nodeId);
  await tell(services, write, { order, type: 'desktop.unmoved', data: { nodeId: order.nodeId, ...moveFault } });
}

/**
 * Machines that were to come to this node and are there, although the node that sent them has not told: it may be off, and
 * have died before it marked them as this one's. Only what was ordered to come here counts, for a node must not be able to
 * ask for another's desktops.
 */
export async function adoptArrivals(
  services: Services,
  write: Write,
  at: { nodeId: string; strangers: Static<typeof ObservationReport>['strangers'] },
): Promise<void> {
  const owners = at.strangers.flatMap(({ owner }) => owner ?? []);
  if (owners.length === 0) return;
  const expected = () =>
    write.db
      .selectFrom('assignments')
      .selectAll()
      .where('id', 'in', owners)
      .where('moveNodeId', '=', at.nodeId)
      .where('closedMs', 'is', null)
      .execute();
  for (const { nodeId } of await expected()) await orderChanged(write, nodeId);
  for (const order of await expected())
    if (order.desired !== 'deleted' || (await isSilent(services, write, order.nodeId)))
      await handOver(services, write, { order, nodeId: at.nodeId });
}

/** So is one that was fenced, until it comes back. One that lives deletes what it has to by itself; whoever claimed it could say that it is gone when it is not. */
async function isSilent({ clock }: Services, write: Write, nodeId: string): Promise<boolean> {
  const node = await findNode(write.db, nodeId);
  return node === undefined || clock.nowMs() - node.heardMs >= nodeSilentMs;
}

/** The node that has this name in the cluster: the one it was sent to, else whichever. */
async function memberOf(write: Write, order: AssignmentRow, member: string): Promise<string | undefined> {
  const target = order.moveNodeId === null ? undefined : await findNode(write.db, order.moveNodeId);
  const isThere = target !== undefined && target.decommissionedMs === null;
  if (isThere && helloOf(target)?.cluster?.member === member) return target.id;
  const nodes = await listNodeRows(write.db);
  const cluster = nodes.flatMap((node) => (node.id === order.nodeId ? (helloOf(node)?.cluster?.id ?? []) : []))[0];
  const found = nodes.find((node) => {
    const there = helloOf(node)?.cluster;
    return there !== undefined && there.id === cluster && there.member === member && node.id !== order.nodeId;
  });
  return found?.id;
}

/** The order is the other node's from now on; its guest is told anew who it is, by that node's own keys. */
async function handOver(services: Services, write: Write, at: { order: AssignmentRow; nodeId: string }): Promise<void> {
  const { order, nodeId } = at;
  await orderChanged(write, nodeId);
  await orderChanged(write, order.nodeId);
  const isKept = order.moveNodeId === nodeId;
  if (!isKept) {
    await freeMoveRoom(write, order);
    await addReservedDisk(write, nodeId, order.diskGiB);
  }
  // It is there whether or not there is room for it, so it counts; and it may have been stopped on the way.
  const holds = isKept && order.moveHolds === 1;
  if (order.holdsMemory === 1 && !holds) await reserveAnyway(write, nodeId, order);
  if (order.holdsMemory === 0 && holds) await releaseReserved(write, nodeId, order);
  if (order.holdsMemory === 1) await releaseReserved(write, order.nodeId, order);
  await addReservedDisk(write, order.nodeId, -order.diskGiB);
  await setMove(write, order, {
    ...notMoving,
    nodeId,
    moveFaultJson: null,
    ready: 0,
    agentReady: 0,
    controlJson: null,
    formerNodesJson: JSON.stringify([...formerNodesOf(order), order.nodeId].slice(-formerNodesMax)),
    generation: order.generation + 1,
    identityVersion: order.identityVersion + 1,
  });
  if (order.desktopId === null) return;
  await changeDesktop(write, { id: order.desktopId }, { nodeId });
  await endControl(services, write, order);
  await tell(services, write, { order, type: 'desktop.moved', data: { fromNodeId: order.nodeId, toNodeId: nodeId } });
}

/** The last one at the end. */
export function formerNodesOf({ formerNodesJson }: Pick<AssignmentRow, 'formerNodesJson'>): string[] {
  return formerNodesJson === null ? [] : (JSON.parse(formerNodesJson) as string[]);
}

/** Who held control held it of the node that the desktop left. */
async function endControl(services: Services, write: Write, order: AssignmentRow): Promise<void> {
  if (order.controlJson === null) return;
  const holder = JSON.parse(order.controlJson) as Record<string, unknown>;
  await tell(services, write, { order, type: 'desktop.control_released', data: { ...holder, cause: 'move' } });
}

async function stay(write: Write, order: AssignmentRow, moveFaultJson: string | null): Promise<void> {
  await freeMoveRoom(write, order);
  await setMove(write, order, { ...notMoving, moveFaultJson });
}

async function setMove({ db }: Write, order: AssignmentRow, change: Partial<AssignmentRow>): Promise<void> {
  await db.updateTable('assignments').set(change).where('id', '=', order.id).execute();
}

async function tell(
  services: Services,
  write: Write,
  what: { order: AssignmentRow; type: Happening['type']; data: Record<string, unknown> },
): Promise<void> {
  const { order, type, data } = what;
  if (order.desktopId === null) return;
  services.log.info(type, { desktopId: order.desktopId, ...data });
  write.wake(desktopTopic(order.desktopId));
  await record(write, services.clock, {
    type,
    workspaceId: order.workspaceId,
    desktopId: order.desktopId,
    actor: { type: 'system' },
    data,
  });
}
