import type { Write } from '../db/database.ts';
import type { AssignmentRow, DesktopRow } from '../db/tables.ts';
import { desktopTopic } from '../desktops/topic.ts';
import { changeDesktop, findDesktop } from '../desktops/store.ts';
import { type DesktopView, factsOf, isReady } from '../desktops/view.ts';
import { type Status, statusOf } from '../desktops/status.ts';
import { type Happening, record } from '../events/record.ts';
import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { countDesktop } from '../workspaces/store.ts';
import { type NodePeer, demandOwn } from './admission.ts';
import { adoptArrivals, followMove } from './handOver.ts';
import { superseded } from './hello.ts';
import { freeMoveRoom, notMoving } from './moveRoom.ts';
import type { Observation, ObservationReceipt, ObservationReport } from './schema.ts';
import { addReservedDisk, lockNodes, orderChanged, releaseReserved, reserveAnyway } from './store.ts';

type Seen = Static<typeof Observation>;

/** Takes in what a node saw. A late report, an old process or the wrong node cannot write. */
export async function takeReport(
  services: Services,
  write: Write,
  from: { peer: NodePeer; report: Static<typeof ObservationReport> },
): Promise<Static<typeof ObservationReceipt>> {
  const { report } = from;
  await lockPartners(services, write, from);
  const node = await acceptReport(services, write, from);
  if (node === undefined)
    return { refused: report.observations.map(({ assignmentId }) => ({ assignmentId, reason: 'older_seq' })) };
  const refused: Static<typeof ObservationReceipt>['refused'] = [];
  await adoptArrivals(services, write, { nodeId: node.id, strangers: report.strangers });
  const orders = await ordersOf(write, report.observations);
  // Rows of workspaces are taken in one order by all nodes, each once the rows of nodes are.
  const workspaceOf = ({ assignmentId }: Seen) => orders.get(assignmentId)?.workspaceId ?? '';
  for (const seen of report.observations.toSorted((a, b) => (workspaceOf(a) < workspaceOf(b) ? -1 : 1))) {
    const at = { nodeId: node.id, seen, order: orders.get(seen.assignmentId) };
    const reason = await takeObservation(services, write, at);
    if (reason !== undefined) refused.push({ assignmentId: seen.assignmentId, reason });
  }
  return { refused };
}

/**
 * The rows of this node and of those to or from which it tells that desktops moved: both ends of a move report at the same
 * moment. Most reports tell of none.
 */
async function lockPartners(
  services: Services,
  write: Write,
  { peer, report }: { peer: NodePeer; report: Static<typeof ObservationReport> },
): Promise<void> {
  const told = report.observations.filter(
    (seen) => seen.movedTo !== undefined || seen.moveFault !== undefined || seen.presence === 'absent',
  );
  const owners = report.strangers.flatMap(({ owner }) => owner ?? []);
  if (told.length + owners.length === 0) return;
  const own = await write.db
    .selectFrom('nodes')
    .select(['id', 'joinedMs'])
    .where('epoch', '=', report.epoch)
    .executeTakeFirst();
  if (own === undefined) return;
  demandOwn(peer, own);
  const orders = await write.db
    .selectFrom('assignments')
    .select(['nodeId', 'moveNodeId'])
    .where('id', 'in', [...told.map(({ assignmentId }) => assignmentId), ...owners])
    .where('moveNodeId', 'is not', null)
    .where((where) => where.or([where('nodeId', '=', own.id), where('moveNodeId', '=', own.id)]))
    .where('closedMs', 'is', null)
    .execute();
  await lockNodes(
    services,
    write,
    orders.flatMap(({ nodeId, moveNodeId }) => [nodeId, moveNodeId!]),
  );
}

/** Nobody changes them meanwhile: who does takes the row of the node first, which this transaction has. */
async function ordersOf(write: Write, observations: readonly Seen[]): Promise<Map<string, AssignmentRow>> {
  if (observations.length === 0) return new Map();
  const ids = observations.map((seen) => seen.assignmentId);
  const rows = await write.db.selectFrom('assignments').selectAll().where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** @returns the node, or undefined when a newer report was accepted before. @throws Fault `epoch_superseded` */
async function acceptReport(
  services: Services,
  { db }: Write,
  from: { peer: NodePeer; report: Static<typeof ObservationReport> },
): Promise<{ id: string } | undefined> {
  const { peer, report } = from;
  const node = await db
    .updateTable('nodes')
    .set({ lastSeq: report.seq, heardMs: services.clock.nowMs(), strangersJson: JSON.stringify(report.strangers) })
    .where('epoch', '=', report.epoch)
    .where('lastSeq', '<=', report.seq)
    .returning(['id', 'joinedMs'])
    .executeTakeFirst();
  if (node !== undefined) {
    demandOwn(peer, node);
    return node;
  }
  const known = await db
    .selectFrom('nodes')
    .select(['id', 'joinedMs'])
    .where('epoch', '=', report.epoch)
    .executeTakeFirst();
  if (known === undefined) throw superseded(report.epoch);
  demandOwn(peer, known);
  return undefined;
}

/** @returns why it was refused, or undefined */
async function takeObservation(
  services: Services,
  write: Write,
  at: { nodeId: string; seen: Seen; order: AssignmentRow | undefined },
): Promise<string | undefined> {
  const { nodeId, seen, order } = at;
  if (order === undefined || order.closedMs !== null) return 'unknown_assignment';
  if (order.nodeId !== nodeId) return 'other_node';
  if (seen.generation < order.generation) return 'older_generation';
  if (seen.generation > order.generation) return 'unknown_generation';
  const closes = order.desired === 'deleted' && seen.presence === 'absent';
  const letsGo = order.holdsMemory === 1 && (closes || isOff(order, seen));
  const runsOn = order.desired !== 'deleted' && seen.presence === 'present' && seen.power !== 'off';
  const takesAgain = order.holdsMemory === 0 && runsOn;
  const holdsMemory = takesAgain || (order.holdsMemory === 1 && !letsGo) ? 1 : 0;
  const change = changeOf(order, seen, { holdsMemory, closes, nowMs: services.clock.nowMs() });
  // After a restart of hostd all is told again, of every node at once where the API was away.
  if (isKnown(order, change)) {
    await followMove(services, write, { order, seen });
    return undefined;
  }
  const before = await viewOf(write, order);
  await write.db.updateTable('assignments').set(change).where('id', '=', order.id).execute();
  if (letsGo) await releaseReserved(write, nodeId, order);
  // It runs whether or not the node has room for it, so it counts.
  if (takesAgain) await reserveAnyway(write, nodeId, order);
  if (closes) await addReservedDisk(write, nodeId, -order.diskGiB);
  if (closes) await freeMoveRoom(write, order);
  if (closes || (order.cloneSeen === 0 && seen.presence === 'present')) await orderChanged(write, nodeId);
  if (closes && before) await countDesktop(write, order.workspaceId, { hardware: order, sign: -1 });
  if (before) await desktopChanged(services, write, { before, now: { ...before, ...change }, order, closes });
  await followMove(services, write, { order: { ...order, ...change }, seen });
  return undefined;
}

function isOff(order: AssignmentRow, seen: Seen): boolean {
  if (seen.presence !== 'present' || seen.power !== 'off') return false;
  return order.desired !== 'running' || seen.boot >= order.desiredBoot;
}

function changeOf(
  order: AssignmentRow,
  seen: Seen,
  more: { holdsMemory: 0 | 1; closes: boolean; nowMs: number },
): Partial<AssignmentRow> {
  return {
    observedGeneration: seen.generation,
    presence: seen.presence,
    power: seen.power,
    boot: seen.boot,
    ready: seen.ready ? 1 : 0,
    agentReady: seen.agentReady ? 1 : 0,
    startMode: seen.startMode,
    ipAddress: seen.ipAddress,
    faultJson: seen.fault === null ? null : JSON.stringify(seen.fault),
    controlJson: seen.control ? JSON.stringify(seen.control) : null,
    observedMs: more.nowMs,
    cloneSeen: order.cloneSeen === 1 || seen.presence === 'present' ? 1 : 0,
    holdsMemory: more.holdsMemory,
    closedMs: more.closes ? more.nowMs : null,
    ...(more.closes ? notMoving : {}),
  };
}

/** Whether nothing of it is new but the time. */
function isKnown(order: AssignmentRow, change: Partial<AssignmentRow>): boolean {
  return (Object.keys(change) as (keyof AssignmentRow)[]).every(
    (name) => name === 'observedMs' || order[name] === change[name],
  );
}

async function viewOf(write: Write, order: AssignmentRow): Promise<DesktopView | undefined> {
  if (order.desktopId === null) return undefined;
  return findDesktop(write, { workspaceId: order.workspaceId, restriction: null }, order.desktopId);
}

/** Times, events and wake-ups that follow from what is different now. */
async function desktopChanged(
  services: Services,
  write: Write,
  it: { before: DesktopView; now: DesktopView; order: AssignmentRow; closes: boolean },
): Promise<void> {
  const { before, now, order } = it;
  const nowMs = services.clock.nowMs();
  const was = statusOf(factsOf(before, nowMs));
  const facts = factsOf(now, nowMs);
  const is = it.closes ? 'destroyed' : statusOf(facts);
  const readyNow = isReady(now, is);
  const change: Partial<DesktopRow> = {};
  if (is === 'running' && now.runningMs === null) change.runningMs = nowMs;
  if (readyNow && now.readyMs === null) change.readyMs = nowMs;
  if (it.closes) change.destroyedMs = nowMs;
  await changeDesktop(write, { id: now.id }, change);
  write.wake(desktopTopic(now.id));
  const types: Happening['type'][] = is === was ? [] : eventOf(is);
  if (readyNow && change.readyMs !== undefined) types.push('desktop.ready');
  await recordControl(services, write, { order, now });
  for (const type of types) {
    const data =
      type === 'desktop.error' && facts.fault
        ? { code: facts.fault.code, message: facts.fault.message }
        : { boot: now.boot, startMode: now.startMode };
    await record(write, services.clock, {
      type,
      workspaceId: order.workspaceId,
      desktopId: now.id,
      actor: { type: 'node', id: order.nodeId },
      data,
    });
  }
}

/** Somebody took control, or gave it up, or it lapsed. */
async function recordControl(
  services: Services,
  write: Write,
  it: { order: AssignmentRow; now: DesktopView },
): Promise<void> {
  const { order, now } = it;
  if (order.controlJson === now.controlJson) return;
  const taken = now.controlJson !== null;
  await record(write, services.clock, {
    type: taken ? 'desktop.control_taken' : 'desktop.control_released',
    workspaceId: order.workspaceId,
    desktopId: now.id,
    actor: { type: 'node', id: order.nodeId },
    data: JSON.parse(now.controlJson ?? order.controlJson!) as Record<string, unknown>,
  });
}

function eventOf(status: Status): Happening['type'][] {
  switch (status) {
    case 'running':
      return ['desktop.started'];
    case 'stopped':
      return ['desktop.stopped'];
    case 'error':
      return ['desktop.error'];
    case 'destroyed':
      return ['desktop.destroyed'];
    case 'pending':
    case 'booting':
    case 'stopping':
    case 'destroying':
    case 'unknown':
      return [];
  }
}
