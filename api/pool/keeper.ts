import { attempt } from '../db/attempt.ts';
import type { Reader, Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { newAssignment } from '../nodes/newAssignment.ts';
import { type PlacementNode, limitsOf, placeDesktop } from '../nodes/placement.ts';
import { placementNodes } from '../nodes/placementNodes.ts';
import { insertAssignment, reserveAll } from '../nodes/store.ts';
import type { Services } from '../services.ts';
import { dropMember } from './giveBack.ts';
import { type Demand, type Member, type PoolPlan, type PoolSettings, planPool } from './plan.ts';
import { listBusyNodes, listDemand, listMembers, takeTurn } from './store.ts';

/** A machine that is not ready after so long never will be. */
const unreadyMaxMs = 900_000;
/** What was on its way and was not heard of for so long holds nobody up. */
const busyMaxMs = 120_000;

/** One round: drops what is too much or spoilt, and orders at most one machine on each node. Safe on every replica. */
export async function keepPool(services: Services, settings: PoolSettings): Promise<void> {
  const { database, clock } = services;
  await services.demand.writeDown(database);
  // Looked at first without a transaction: most rounds change nothing.
  const { plan } = await lookAndPlan(services, settings, database.read);
  if (plan.add.length + plan.drop.length === 0) return;
  await database.write(async (write) => {
    const nowMs = clock.nowMs();
    await takeTurn(write);
    const { plan: now, nodes } = await lookAndPlan(services, settings, write.db);
    for (const { assignmentId, nodeId } of now.drop)
      await attempt(write, () => dropMember(write, { id: assignmentId, nodeId }));
    const busy = now.add.length === 0 ? undefined : await listBusyNodes(write.db, nowMs - busyMaxMs);
    let calm = nodes.filter((node) => node.heard && !node.cordoned && busy?.has(node.id) === false);
    for (const kind of now.add) {
      const nodeId = await orderMember(services, write, { kind, nodes: calm, nowMs });
      calm = calm.filter((node) => node.id !== nodeId);
    }
  });
}

async function lookAndPlan(
  services: Services,
  settings: PoolSettings,
  db: Reader,
): Promise<{ plan: PoolPlan; nodes: PlacementNode[] }> {
  const nowMs = services.clock.nowMs();
  const nodes = await placementNodes(db, nowMs);
  const used = nodes.filter((node) => !node.cordoned);
  const seen = {
    demand: (await listDemand(db)) as Demand[],
    members: (await listMembers(db)).map((row) => memberOf(row, nodes, nowMs)),
    memoryMiB: used.reduce((sum, node) => sum + limitsOf(node, services.placement.overcommit).memoryMiB, 0),
    templateIds: newestTemplates(used),
  };
  return { plan: planPool(settings, seen, nowMs), nodes };
}

function memberOf(row: AssignmentRow, nodes: readonly PlacementNode[], nowMs: number): Member {
  const fault = row.faultJson === null ? undefined : (JSON.parse(row.faultJson) as { class: string });
  const failed = fault !== undefined && fault.class !== 'retry';
  const isOff = row.presence === 'present' && row.power === 'off' && row.boot >= row.desiredBoot;
  const isLate = row.ready === 0 && row.observedMs !== null && nowMs - row.observedMs > unreadyMaxMs;
  const node = nodes.find((each) => each.id === row.nodeId);
  return {
    assignmentId: row.id,
    poolKey: row.poolKey!,
    nodeId: row.nodeId,
    memoryMiB: row.memoryMiB,
    ready: row.ready === 1,
    heard: node?.heard ?? false,
    spoilt: failed || isOff || isLate || node?.cordoned === true,
  };
}

/** Of each name the newest only: who asks for it by name gets that one. */
function newestTemplates(nodes: readonly PlacementNode[]): Set<string> {
  const newest = new Map<string, { id: string; builtAtMs: number }>();
  for (const template of nodes.flatMap((node) => node.templates)) {
    const known = newest.get(template.name);
    if (known === undefined || known.builtAtMs < template.builtAtMs) newest.set(template.name, template);
  }
  return new Set([...newest.values()].map((template) => template.id));
}

async function orderMember(
  services: Services,
  write: Write,
  wish: { kind: Demand; nodes: readonly PlacementNode[]; nowMs: number },
): Promise<string | undefined> {
  const { kind, nowMs } = wish;
  const places = placeDesktop({ ...kind, template: kind.templateId, nodeSelector: {} }, wish.nodes, {
    ...services.placement,
    turn: 0,
  });
  if ('none' in places) return undefined;
  for (const place of places) {
    if (place.network !== kind.network || !(await reserveAll(write, place, kind))) continue;
    const owner = { workspaceId: '', desktopId: null, hostName: 'waiting', timeZone: 'Etc/UTC', poolKey: kind.poolKey };
    await insertAssignment(write, newAssignment(place, kind, { ...owner, nowMs }));
    return place.nodeId;
  }
  return undefined;
}
