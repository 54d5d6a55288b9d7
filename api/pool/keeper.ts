import type { Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { newAssignment } from '../nodes/newAssignment.ts';
import { type PlacementNode, placeDesktop } from '../nodes/placement.ts';
import { placementNodes } from '../nodes/placementNodes.ts';
import { insertAssignment, orderChanged, reserveAll } from '../nodes/store.ts';
import type { Services } from '../services.ts';
import { dropMember } from './giveBack.ts';
import { type Demand, type Member, type PoolSettings, planPool } from './plan.ts';
import { forgetDemand, listBusyNodes, listDemand, listMembers, takeTurn } from './store.ts';

/** A machine that is not ready after so long never will be. */
const unreadyMaxMs = 900_000;
/** What was on its way and was not heard of for so long holds nobody up. */
const busyMaxMs = 120_000;
const demandKeptMs = 86_400_000;

/** One round: drops what is too much or spoilt, and orders at most one machine of each kind. Safe on every replica. */
export async function keepPool(services: Services, settings: PoolSettings): Promise<void> {
  const { database } = services;
  const quiet = settings.membersMax === 0 && (await listMembers(database.read)).length === 0;
  if (!quiet) await database.write((write) => keepRound(services, write, settings));
}

async function keepRound(services: Services, write: Write, settings: PoolSettings): Promise<void> {
  const nowMs = services.clock.nowMs();
  await takeTurn(write);
  await forgetDemand(write, nowMs - demandKeptMs);
  const nodes = await placementNodes(write.db, nowMs);
  const rows = await listMembers(write.db);
  const up = nodes.filter((node) => node.heard && !node.cordoned);
  const seen = {
    demand: (await listDemand(write.db)) as Demand[],
    members: rows.map((row) => memberOf(row, nodes, nowMs)),
    memoryMiB: up.reduce((sum, node) => sum + node.memoryMiB * services.placement.overcommit.memory, 0),
    templateIds: newestTemplates(up),
  };
  const { add, drop } = planPool(settings, seen, nowMs);
  for (const { assignmentId, nodeId } of drop) await dropMember(write, { id: assignmentId, nodeId });
  if (add.length === 0) return;
  const busy = await listBusyNodes(write.db, nowMs - busyMaxMs);
  const calm = up.filter((node) => !busy.has(node.id));
  for (const kind of add) await orderMember(services, write, { kind, nodes: calm, nowMs });
}

function memberOf(row: AssignmentRow, nodes: readonly PlacementNode[], nowMs: number): Member {
  const fault = row.faultJson === null ? undefined : (JSON.parse(row.faultJson) as { class: string });
  const failed = fault !== undefined && fault.class !== 'retry';
  const isOff = row.presence === 'present' && row.power === 'off' && row.boot >= row.desiredBoot;
  const isLate = row.ready === 0 && row.observedMs !== null && nowMs - row.observedMs > unreadyMaxMs;
  const cordoned = nodes.find((node) => node.id === row.nodeId)?.cordoned ?? true;
  return {
    assignmentId: row.id,
    poolKey: row.poolKey!,
    nodeId: row.nodeId,
    memoryMiB: row.memoryMiB,
    ready: row.ready === 1,
    spoilt: failed || isOff || isLate || cordoned,
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
): Promise<void> {
  const { kind, nowMs } = wish;
  const places = placeDesktop({ ...kind, template: kind.templateId, nodeSelector: {} }, wish.nodes, {
    ...services.placement,
    turn: 0,
  });
  if ('none' in places) return;
  for (const place of places) {
    if (place.network !== kind.network || !(await reserveAll(write, place, kind))) continue;
    const owner = { workspaceId: '', desktopId: null, hostName: 'waiting', timeZone: 'Etc/UTC', poolKey: kind.poolKey };
    await insertAssignment(write, newAssignment(place, kind, { ...owner, nowMs }));
    await orderChanged(write, place.nodeId);
    return;
  }
}
