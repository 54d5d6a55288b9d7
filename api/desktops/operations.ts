import { Fault } from '@lebureau/kit/fault';
import { attempt } from '../db/attempt.ts';
import type { Write } from '../db/database.ts';
import { record } from '../events/record.ts';
import { decodeCursor, encodeCursor, limitDefault } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import { closeOrder } from '../nodes/closeOrder.ts';
import { limitsOf } from '../nodes/placement.ts';
import { placementNodes } from '../nodes/placementNodes.ts';
import { changeOrder, orderChanged, reserve } from '../nodes/store.ts';
import { giveBackMember } from '../pool/giveBack.ts';
import type { Services } from '../services.ts';
import type { ListAnswer } from './listCache.ts';
import type { ListDesktopsQuery, UpdateDesktop } from './schema.ts';
import { type Action, type Status, allowedActionsOf, statusOf } from './status.ts';
import {
  type DesktopFilter,
  type Scope,
  changeDesktop,
  findDesktop,
  listHeads,
  markExpired,
  replaceLabels,
} from './store.ts';
import { type DesktopView, etagOf, factsOf, isAway, nodeSilentMs } from './view.ts';
import { desktopTopic } from './topic.ts';
import type { DesktopHead, WireCache } from './wireCache.ts';

export interface Act {
  caller: Caller;
  /** Null: nobody asked; the system acts by itself. */
  requestId: string | null;
  desktopId: string;
  /** The If-Match header. */
  ifMatch?: string | null;
}

/** @throws Fault `not_found` for what is not there or not for this caller */
export async function getDesktop(services: Services, scope: Scope, desktopId: string): Promise<DesktopView> {
  const view = await findDesktop(services.database, scope, desktopId);
  if (view === undefined) throw notFound('desktop');
  return view;
}

const scannedMax = 1000;

/** One page. The status is computed, so its filter looks at rows until the page is full or enough were seen. */
export async function listDesktops(
  services: Services,
  caller: Caller,
  wish: { query: Static<typeof ListDesktopsQuery>; cache: WireCache },
): Promise<ListAnswer> {
  const { limit = limitDefault, cursor, ...rest } = wish.query;
  const wanted = rest.status === undefined ? undefined : new Set(rest.status.split(',') as Status[]);
  const filter: DesktopFilter = {
    name: rest.name,
    labels: labelsOf(rest.label),
    destroyed: wanted?.has('destroyed') ?? false,
  };
  const nowMs = services.clock.nowMs();
  const texts: string[] = [];
  let goodUntilMs = Number.POSITIVE_INFINITY;
  let before = decodeCursor(cursor, rest);
  const batchSize = wanted ? 200 : limit + 1;
  for (let scanned = 0; scanned < scannedMax;) {
    const heads = await listHeads(services.database, caller, { filter, before, limit: batchSize });
    goodUntilMs = Math.min(goodUntilMs, ...heads.map((head) => silentAt(head, nowMs)));
    const entries = await wish.cache.textsOf(services.database, caller, { heads, nowMs });
    for (const { id, status, text } of entries) {
      if (texts.length === limit) return { bytes: pageOf(texts, encodeCursor(before!, rest)), goodUntilMs };
      before = id;
      if (wanted === undefined || wanted.has(status)) texts.push(text);
    }
    scanned += heads.length;
    if (heads.length < batchSize) return { bytes: pageOf(texts, null), goodUntilMs };
    before = heads.at(-1)!.id;
  }
  return { bytes: pageOf(texts, encodeCursor(before!, rest)), goodUntilMs };
}

function pageOf(texts: readonly string[], nextCursor: string | null): ListAnswer['bytes'] {
  return Buffer.from(`{"data":[${texts.join(',')}],"nextCursor":${JSON.stringify(nextCursor)}}`);
}

/** When the node of this desktop falls silent if it is not heard again; one that is silent stays so until a commit. */
function silentAt(head: DesktopHead, nowMs: number): number {
  const atMs = head.heardMs + nodeSilentMs;
  return atMs > nowMs ? atMs : Number.POSITIVE_INFINITY;
}

function labelsOf(text: string | undefined): { name: string; value?: string }[] {
  return (text?.split(',') ?? []).map((part) => {
    const mark = part.indexOf('=');
    return mark < 0 ? { name: part } : { name: part.slice(0, mark), value: part.slice(mark + 1) };
  });
}

export async function updateDesktop(
  services: Services,
  write: Write,
  act: Act & { body: Static<typeof UpdateDesktop> },
): Promise<DesktopView> {
  const { caller, body } = act;
  const view = await lookForChange(write, act);
  if (view.desired === 'deleted')
    throw new Fault('wrong_state', 'The desktop is being destroyed.', { members: { allowedActions: [] } });
  const labels = body.labels && { ...body.labels, ...caller.restriction?.labels };
  const change = {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(labels ? { labelsJson: JSON.stringify(labels) } : {}),
  };
  if (!(await changeDesktop(write, { id: view.id, ifVersion: view.version }, change))) throw changed();
  if (labels) await replaceLabels(write, { id: view.id, workspaceId: caller.workspaceId }, labels);
  await tell(services, write, { act, type: 'desktop.updated', data: { ...body } });
  return again(write, act);
}

/** Start, stop or restart: writes down what is wanted now. */
export async function changeLife(
  services: Services,
  write: Write,
  act: Act & { action: 'start' | 'stop' | 'restart' },
): Promise<DesktopView> {
  const view = await lockForChange(services, write, act);
  const nowMs = services.clock.nowMs();
  demand(view, act.action, nowMs);
  const running = act.action !== 'stop';
  if (running && view.drainMs !== null)
    throw new Fault('no_capacity', 'The node of this desktop is being drained; nothing starts there now.');
  if (running && view.holdsMemory === 0) await holdMemory(services, write, view);
  await changeOrder(write, view.assignmentId, {
    desired: running ? 'running' : 'stopped',
    ...(running ? { desiredBoot: view.desiredBoot + 1, holdsMemory: 1 } : {}),
  });
  await changeDesktop(write, { id: view.id }, running ? { startedMs: nowMs, runningMs: null, readyMs: null } : {});
  await tell(services, write, {
    act,
    type: running ? 'desktop.starting' : 'desktop.stopping',
    data: { action: act.action },
  });
  return again(write, act);
}

/** Writes down that it shall be gone; from any status. */
export async function deleteDesktop(services: Services, write: Write, act: Act): Promise<DesktopView> {
  const view = await lockForChange(services, write, act);
  if (view.desired === 'deleted') return view;
  await destroy(services, write, { act, view });
  return again(write, act);
}

/** Deletes an ephemeral desktop, unless it was used since its time was seen to be over. @returns whether it did */
export async function expireDesktop(
  services: Services,
  write: Write,
  act: Act & { isUsed: () => boolean },
): Promise<boolean> {
  const view = await lockForChange(services, write, act);
  if (act.isUsed() || !(await markExpired(write, view.id, services.clock.nowMs()))) return false;
  await destroy(services, write, { act, view });
  return true;
}

async function destroy(services: Services, write: Write, of: { act: Act; view: DesktopView }): Promise<void> {
  const { act, view } = of;
  await changeOrder(write, view.assignmentId, { desired: 'deleted' });
  await changeDesktop(write, { id: view.id }, { deletedMs: services.clock.nowMs() });
  await tell(services, write, { act, type: 'desktop.destroying' });
  if (!isAway(view, services.clock.nowMs())) return;
  const order = await write.db
    .selectFrom('assignments')
    .selectAll()
    .where('id', '=', view.assignmentId)
    .executeTakeFirst();
  if (order !== undefined) await closeOrder(services, write, order);
}

async function lookForChange(write: Write, act: Act): Promise<DesktopView> {
  const view = await findDesktop(write, act.caller, act.desktopId);
  if (view === undefined) throw notFound('desktop');
  if (act.ifMatch && act.ifMatch !== '*' && act.ifMatch !== etagOf(view)) throw changed();
  return view;
}

/** Takes the node's row first, as every writer of its orders does, and looks again under that lock. */
async function lockForChange(services: Services, write: Write, act: Act): Promise<DesktopView> {
  for (let view = await lookForChange(write, act); ;) {
    if (services.database.flavour === 'sqlite') {
      await orderChanged(write, view.nodeId);
      return view;
    }
    let now = view;
    const locked = await attempt(write, async () => {
      await orderChanged(write, view.nodeId);
      now = await lookForChange(write, act);
      return now.nodeId === view.nodeId ? now : undefined;
    });
    if (locked !== undefined) return locked;
    // It went to another node just then.
    view = now;
  }
}

async function again(write: Write, act: Act): Promise<DesktopView> {
  const scope: Scope = { workspaceId: act.caller.workspaceId, restriction: null };
  return (await findDesktop(write, scope, act.desktopId))!;
}

function demand(view: DesktopView, action: Action, nowMs: number): void {
  const facts = factsOf(view, nowMs);
  const status = statusOf(facts);
  const allowedActions = allowedActionsOf(status, facts);
  if (!allowedActions.includes(action)) {
    throw new Fault('wrong_state', `A desktop that is ${status} cannot ${action}.`, {
      members: { desktopStatus: status, allowedActions },
    });
  }
}

async function holdMemory(services: Services, write: Write, view: DesktopView): Promise<void> {
  const { overcommit } = services.placement;
  for (;;) {
    const nodes = (await placementNodes(write.db, services.clock.nowMs())).filter((node) => node.id === view.nodeId);
    const limits = limitsOf(nodes[0]!, overcommit);
    if (await reserve(write, { nodeId: view.nodeId, limits }, view)) return;
    const need = { vcpus: view.vcpus, memoryMiB: view.memoryMiB, diskGiB: 0 };
    if ((await giveBackMember(write, { nodes, need, overcommit })) === undefined) break;
  }
  throw new Fault('no_capacity', 'The node of this desktop has no room to start it now.', { retryAfterSeconds: 5 });
}

async function tell(
  services: Services,
  write: Write,
  what: { act: Act; type: Parameters<typeof record>[2]['type']; data?: Record<string, unknown> },
): Promise<void> {
  const { caller, requestId, desktopId } = what.act;
  await record(write, services.clock, {
    type: what.type,
    workspaceId: caller.workspaceId,
    desktopId,
    actor: requestId === null ? { type: 'system' } : caller.actor,
    requestId,
    data: what.data,
  });
  write.wake(desktopTopic(desktopId));
}

function changed(): Fault {
  return new Fault('precondition_failed', 'The desktop was changed since it was read.');
}
