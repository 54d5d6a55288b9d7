import { Fault } from '@lebureau/kit/fault';
import { idBody, newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { AssignmentRow, DesktopRow, WorkspaceRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import type { Static } from '../http/schema.ts';
import { invalid } from '../http/validate.ts';
import type { Caller } from '../keys/auth.ts';
import { newAssignment } from '../nodes/newAssignment.ts';
import {
  type PlacementPolicy,
  type Placement,
  type PlacementNode,
  type PlacementWish,
  placeDesktop,
  suitableNodes,
} from '../nodes/placement.ts';
import { type Likeness, placementNodes } from '../nodes/placementNodes.ts';
import { insertAssignment, reserveAll } from '../nodes/store.ts';
import { claimReady } from '../pool/claim.ts';
import { giveBackMember } from '../pool/giveBack.ts';
import type { PoolKind } from '../pool/kind.ts';
import type { Services } from '../services.ts';
import { countDesktop } from '../workspaces/store.ts';
import { hostNameOf } from './hostName.ts';
import type { CreateDesktop } from './schema.ts';
import { type SizeName, sizes } from './sizes.ts';
import { insertDesktop } from './store.ts';
import { type DesktopView, type NodeSeen, joinView } from './view.ts';

const ttlSecondsDefault = 3600;

interface Wish {
  size: SizeName | null;
  hardware: { vcpus: number; memoryMiB: number; diskGiB: number };
  ttlSeconds: number | null;
  labels: Record<string, string>;
  body: Static<typeof CreateDesktop>;
}

/** Writes down that a desktop shall exist; the caller's transaction makes it so, or nothing of it. */
export async function createDesktop(
  services: Services,
  write: Write,
  from: { caller: Caller; requestId: string; body: Static<typeof CreateDesktop> },
): Promise<DesktopView> {
  const { caller, requestId } = from;
  const nowMs = services.clock.nowMs();
  const wish = wishOf(from.body, caller);
  const desktop = newDesktop(wish, { workspaceId: caller.workspaceId, nowMs });
  const { assignment, templateName, kind, node } = await machineFor(services, write, { wish, desktop });
  Object.assign(desktop, { assignmentId: assignment.id, nodeId: assignment.nodeId, templateName });
  await insertDesktop(write, desktop, wish.labels);
  await record(write, services.clock, {
    type: 'desktop.created',
    workspaceId: caller.workspaceId,
    desktopId: desktop.id,
    actor: caller.actor,
    requestId,
    data: { name: desktop.name, hardware: wish.hardware, templateId: assignment.templateId },
  });
  write.afterCommit(() => services.demand.note(kind));
  // Last, since every other create waits for this row until this one is committed.
  checkQuota(await countDesktop(write, caller.workspaceId, { hardware: wish.hardware, sign: 1 }));
  return joinView({ desktop, assignment, node });
}

function wishOf(body: Static<typeof CreateDesktop>, caller: Caller): Wish {
  const named = body.size ?? body.tier;
  if ((body.size && body.tier && body.size !== body.tier) || (named && body.hardware)) {
    throw invalid([{ pointer: '/size', code: 'conflict', message: 'give one of `size`, `tier` and `hardware`' }]);
  }
  if (body.ttlSeconds !== undefined && body.ephemeral !== true) {
    throw invalid([{ pointer: '/ttlSeconds', code: 'conflict', message: 'only an ephemeral desktop has it' }]);
  }
  if (body.timeZone !== undefined && !isTimeZone(body.timeZone)) {
    throw invalid([{ pointer: '/timeZone', code: 'invalid', message: 'wants an IANA time zone such as Europe/Paris' }]);
  }
  const labels = { ...body.labels, ...caller.restriction?.labels };
  if (body.spreadBy !== undefined && labels[body.spreadBy] === undefined) {
    throw invalid([{ pointer: '/spreadBy', code: 'not_one_of', message: 'wants the name of one of `labels`' }]);
  }
  if (caller.restriction?.desktopIds) {
    throw new Fault('capability_missing', 'This key is restricted to certain desktops and creates none.', {
      members: { capability: 'desktop:create' },
    });
  }
  const size = body.hardware ? null : (named ?? 'nano');
  return {
    size,
    hardware: body.hardware ?? sizes[size!],
    ttlSeconds: body.ephemeral ? (body.ttlSeconds ?? ttlSecondsDefault) : null,
    labels,
    body,
  };
}

function isTimeZone(name: string): boolean {
  try {
    return (
      new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '' &&
      /^[A-Za-z0-9_+/-]+$/.test(name)
    );
  } catch {
    return false;
  }
}

/** @throws Fault `quota_exceeded`, which undoes the count with the rest of the transaction */
function checkQuota(workspace: WorkspaceRow): void {
  const figures: [string, number, number][] = [
    ['desktops', workspace.usedDesktops, workspace.desktopsMax],
    ['vcpus', workspace.usedVcpus, workspace.vcpusMax],
    ['memoryMiB', workspace.usedMemoryMiB, workspace.memoryMiBMax],
    ['diskGiB', workspace.usedDiskGiB, workspace.diskGiBMax],
  ];
  const over = figures.find(([, wanted, limit]) => wanted > limit);
  if (over === undefined) return;
  const [quota, wanted, limit] = over;
  const detail = `The workspace would have ${wanted} ${quota} of at most ${limit}.`;
  throw new Fault('quota_exceeded', detail, { members: { quota, limit } });
}

interface Machine {
  assignment: AssignmentRow;
  templateName: string;
  /** What was asked for, as the pool counts it. */
  kind: PoolKind;
  node: NodeSeen;
}

/** One that waits in the pool, else a new one on the best node; the next best when another request was faster. */
async function machineFor(services: Services, write: Write, of: { wish: Wish; desktop: DesktopRow }): Promise<Machine> {
  const { wish, desktop } = of;
  const nowMs = services.clock.nowMs();
  const likeness = likenessOf(wish, desktop.workspaceId);
  const nodes = await placementNodes(write.db, nowMs, likeness);
  requireTemplate(wish.body.template, nodes);
  const { template, network, nodeSelector = {} } = wish.body;
  const asked = { ...wish.hardware, template, network, nodeSelector };
  const suitable = suitableNodes(asked, nodes);
  if ('none' in suitable) throw new Fault('no_capacity', suitable.none, { retryAfterSeconds: 5 });
  const owner = {
    workspaceId: desktop.workspaceId,
    desktopId: desktop.id,
    hostName: hostNameOf(desktop.name, desktop.id),
    timeZone: desktop.timeZone,
  };
  const kind = { ...wish.hardware, templateId: suitable.template.id, network: suitable.network };
  const waiting = await claimReady(write, { kind, nodes: leastAlike(suitable.nodes), owner });
  const nodeOf = (nodeId: string) => nodes.find((each) => each.id === nodeId)!;
  if (waiting !== undefined)
    return { assignment: waiting, templateName: suitable.template.name, kind, node: nodeOf(waiting.nodeId) };
  const place = await takePlace(services, write, { asked, nodes: suitable.nodes, likeness });
  const assignment = newAssignment(place, wish.hardware, { ...owner, poolKey: null, nowMs });
  await insertAssignment(write, assignment);
  return { assignment, templateName: place.template.name, kind, node: nodeOf(place.nodeId) };
}

function likenessOf(wish: Wish, workspaceId: string): Likeness | undefined {
  const name = wish.body.spreadBy;
  return name === undefined ? undefined : { workspaceId, name, value: wish.labels[name]! };
}

/** A machine that waits elsewhere would put those together that shall be kept apart. */
function leastAlike(nodes: readonly PlacementNode[]): PlacementNode[] {
  const least = Math.min(...nodes.map((node) => node.alike));
  return nodes.filter((node) => node.alike === least);
}

function requireTemplate(template: string | undefined, nodes: readonly PlacementNode[]): void {
  if (template === undefined || nodes.length === 0) return;
  if (nodes.some((node) => node.templates.some((each) => each.id === template || each.name === template))) return;
  throw new Fault('not_found', `There is no template ${template}.`, { hint: 'List them with GET /v1/templates.' });
}

async function takePlace(
  services: Services,
  write: Write,
  wish: { asked: PlacementWish; nodes: readonly PlacementNode[]; likeness: Likeness | undefined },
): Promise<Placement> {
  const { asked, likeness } = wish;
  const policy = { ...services.placement, turn: Math.floor(Math.random() * 1_000_000) };
  let { nodes } = wish;
  for (;;) {
    const places = placeDesktop(asked, nodes, policy);
    for (const place of 'none' in places ? [] : places) if (await reserveAll(write, place, asked)) return place;
    // Who asks for a desktop goes before what only waits for somebody to ask.
    const given = await giveBackMember(write, { nodes, need: asked, overcommit: policy.overcommit });
    if (given === undefined) {
      const detail = 'none' in places ? places.none : 'Every node filled up just now.';
      throw new Fault('no_capacity', detail, { retryAfterSeconds: 'none' in places ? 5 : 1 });
    }
    const still = new Set(nodes.map((node) => node.id));
    const now = await placementNodes(write.db, services.clock.nowMs(), likeness);
    // There first: who has the row of one node had better not wait for that of another.
    const there = now.filter((node) => node.id === given);
    nodes = canTake(asked, there, policy) ? there : now.filter((node) => still.has(node.id));
  }
}

function canTake(asked: PlacementWish, nodes: readonly PlacementNode[], policy: PlacementPolicy): boolean {
  return !('none' in placeDesktop(asked, nodes, policy));
}

function newDesktop(wish: Wish, at: { workspaceId: string; nowMs: number }): DesktopRow {
  const { workspaceId, nowMs } = at;
  const id = newId('dsk', nowMs);
  return {
    id,
    workspaceId,
    assignmentId: '',
    nodeId: '',
    name: wish.body.name ?? `desktop-${idBody(id).slice(-6)}`,
    size: wish.size,
    templateName: '',
    labelsJson: JSON.stringify(wish.labels),
    nodeSelectorJson: JSON.stringify(wish.body.nodeSelector ?? {}),
    timeZone: wish.body.timeZone ?? 'Etc/UTC',
    ephemeral: wish.ttlSeconds === null ? 0 : 1,
    ttlSeconds: wish.ttlSeconds,
    expiresMs: wish.ttlSeconds === null ? null : nowMs + wish.ttlSeconds * 1000,
    createdMs: nowMs,
    startedMs: nowMs,
    runningMs: null,
    readyMs: null,
    deletedMs: null,
    destroyedMs: null,
    version: 1,
  };
}
