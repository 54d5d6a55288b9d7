import { sql } from 'kysely';
import type { Write } from '../db/database.ts';
import type { AssignmentRow, NodeRow } from '../db/tables.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { record } from '../events/record.ts';
import { giveBackMember } from '../pool/giveBack.ts';
import type { Services } from '../services.ts';
import { type MovePlace, placeMove } from './placeMove.ts';
import type { PlacementNode } from './placement.ts';
import { placementNodes } from './placementNodes.ts';
import { addReservedDisk, helloOf, orderChanged, releaseReserved, reserveAll } from './store.ts';

/** Places are looked for so often in one round. */
const triesMax = 20;

/** Orders so many moves, each with its room kept on the other node first. */
export async function moveOut(
  services: Services,
  write: Write,
  from: { node: NodeRow; orders: readonly AssignmentRow[]; free: number },
): Promise<void> {
  let { free } = from;
  if (from.orders.length === 0) return;
  const nodes = await placementNodes(write.db, services.clock.nowMs());
  for (const order of from.orders.slice(0, triesMax)) {
    if (free <= 0) return;
    if (await moveOne(services, write, { node: from.node, order, nodes })) free -= 1;
  }
}

interface Moving {
  node: NodeRow;
  order: AssignmentRow;
  nodes: readonly PlacementNode[];
}

async function moveOne(services: Services, write: Write, of: Moving): Promise<boolean> {
  const { node, order } = of;
  const place = await takePlace(services, write, of);
  if ('none' in place) {
    await noteFault(write, order, { code: 'no_capacity', message: place.none, class: 'retry' });
    return false;
  }
  const { numUpdatedRows } = await write.db
    .updateTable('assignments')
    .set({
      moveTo: place.member,
      moveNodeId: place.nodeId,
      moveHolds: order.holdsMemory,
      moveFaultJson: null,
      generation: sql<number>`"generation" + 1`,
    })
    .where('id', '=', order.id)
    .where('nodeId', '=', node.id)
    .where('generation', '=', order.generation)
    .where('holdsMemory', '=', order.holdsMemory)
    .where('closedMs', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) {
    const need = needOf(order);
    await releaseReserved(write, place.nodeId, need);
    await addReservedDisk(write, place.nodeId, -need.diskGiB);
    return false;
  }
  await orderChanged(write, node.id);
  write.wake(desktopTopic(order.desktopId!));
  await record(write, services.clock, {
    type: 'desktop.moving',
    workspaceId: order.workspaceId,
    desktopId: order.desktopId!,
    actor: { type: 'system' },
    data: { fromNodeId: node.id, toNodeId: place.nodeId, cause: 'drain' },
  });
  return true;
}

/** What is off needs room for its disk only. */
function needOf({ holdsMemory, vcpus, memoryMiB, diskGiB }: AssignmentRow) {
  return holdsMemory === 1 ? { vcpus, memoryMiB, diskGiB } : { vcpus: 0, memoryMiB: 0, diskGiB };
}

async function takePlace(
  services: Services,
  write: Write,
  { node, order, nodes }: Moving,
): Promise<MovePlace | { none: string }> {
  const cluster = helloOf(node)?.cluster;
  if (cluster === undefined) return { none: 'Its hypervisor moves no desktops.' };
  const need = needOf(order);
  const policy = { ...services.placement, turn: 0 };
  const wish = { ...need, network: order.network, nodeSelector: await selectorOf(write, order), cluster: cluster.id };
  const places = placeMove(wish, nodes, policy);
  for (const place of 'none' in places ? [] : places) if (await reserveAll(write, place, need)) return place;
  // Who has a desktop goes before what waits for somebody to ask; the next round finds the room.
  const others = nodes.filter((each) => each.cluster?.id === cluster.id && each.heard && !each.cordoned);
  await giveBackMember(write, { nodes: others, need, overcommit: policy.overcommit });
  return 'none' in places ? places : { none: 'Every other node filled up just now.' };
}

async function selectorOf({ db }: Write, order: AssignmentRow): Promise<Record<string, string>> {
  const row = await db
    .selectFrom('desktops')
    .select('nodeSelectorJson')
    .where('id', '=', order.desktopId)
    .executeTakeFirst();
  return JSON.parse(row?.nodeSelectorJson ?? '{}') as Record<string, string>;
}

async function noteFault(write: Write, order: AssignmentRow, fault: object): Promise<void> {
  const moveFaultJson = JSON.stringify(fault);
  if (order.moveFaultJson === moveFaultJson) return;
  await write.db.updateTable('assignments').set({ moveFaultJson }).where('id', '=', order.id).execute();
}
