import { attempt } from '../db/attempt.ts';
import type { Reader, Write } from '../db/database.ts';
import type { AssignmentRow } from '../db/tables.ts';
import { newAssignment } from '../nodes/newAssignment.ts';
import { type Placement, type PlacementNode, limitsOf, placeDesktop } from '../nodes/placement.ts';
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
    const dropped = now.drop.map(({ assignmentId }) => assignmentId);
    const busy = now.add.length === 0 ? undefined : await listBusyNodes(write.db, nowMs - busyMaxMs, dropped);
    const calm = nodes.filter((node) => node.heard && !node.cordoned && busy?.has(node.id) === false);
    const drops = now.drop.map(({ assignmentId, nodeId }) => {
      const act = () => attempt(write, () => dropMember(write, { id: assignmentId, nodeId }));
      return { nodeId, act };
    });
    const adds = placesOf(services, now.add, calm).map(({ kind, place }) => {
      const act = () => orderMember(write, { kind, place, nowMs });
      return { nodeId: place.nodeId, act };
    });
    // Rows of nodes are taken in one order by everybody who takes several.
    for (const { act } of [...drops, ...adds].toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))) await act();
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

/** Where each could go, at most one on each node; what finds no place waits for another round. */
function placesOf(
  services: Services,
  kinds: readonly Demand[],
  nodes: readonly PlacementNode[],
): { kind: Demand; place: Placement }[] {
  const policy = { ...services.placement, turn: 0 };
  const found: { kind: Demand; place: Placement }[] = [];
  let free = nodes;
  for (const kind of kinds) {
    const places = placeDesktop({ ...kind, template: kind.templateId, nodeSelector: {} }, free, policy);
    const place = 'none' in places ? undefined : places.find((each) => each.network === kind.network);
    if (place === undefined) continue;
    found.push({ kind, place });
    free = free.filter((node) => node.id !== place.nodeId);
  }
  return found;
}

async function orderMember(write: Write, wish: { kind: Demand; place: Placement; nowMs: number }): Promise<void> {
  const { kind, place, nowMs } = wish;
  if (!(await reserveAll(write, place, kind))) return;
  const owner = { workspaceId: '', desktopId: null, hostName: 'waiting', timeZone: 'Etc/UTC', poolKey: kind.poolKey };
  await insertAssignment(write, newAssignment(place, kind, { ...owner, nowMs }));
}
