import { Fault } from '@lebureau/kit/fault';
import { idBody, newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { AssignmentRow, DesktopRow, WorkspaceRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import type { Static } from '../http/schema.ts';
import { invalid } from '../http/validate.ts';
import type { Caller } from '../keys/auth.ts';
import { type Placement, placeDesktop } from '../nodes/placement.ts';
import { candidatesFor } from '../nodes/candidates.ts';
import { orderChanged, reserveAll } from '../nodes/store.ts';
import type { Services } from '../services.ts';
import { countDesktop } from '../workspaces/store.ts';
import { hostNameOf } from './hostName.ts';
import type { CreateDesktop } from './schema.ts';
import { type SizeName, sizes } from './sizes.ts';
import { findDesktop, insertDesktop } from './store.ts';
import type { DesktopView } from './view.ts';

const ttlSecondsDefault = 3600;
const gracefulStopSeconds = 30;

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
  const wish = wishOf(from.body, caller);
  const place = await takePlace(services, write, { wish, workspaceId: caller.workspaceId });
  const { desktop, assignment } = rowsOf(wish, place, {
    workspaceId: caller.workspaceId,
    nowMs: services.clock.nowMs(),
  });
  await orderChanged(write, place.nodeId);
  await insertDesktop(write, { desktop, assignment, labels: wish.labels });
  checkQuota(await countDesktop(write, caller.workspaceId, { hardware: wish.hardware, sign: 1 }));
  await record(write, services.clock, {
    type: 'desktop.created',
    workspaceId: caller.workspaceId,
    desktopId: desktop.id,
    actor: { type: 'key', id: caller.keyId },
    requestId,
    data: { name: desktop.name, hardware: wish.hardware, templateId: place.template.id },
  });
  const view = await findDesktop(write, { workspaceId: caller.workspaceId, restriction: null }, desktop.id);
  return view!;
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

/** Chooses a node and takes its memory; the next best when another request was faster. */
async function takePlace(
  services: Services,
  write: Write,
  of: { wish: Wish; workspaceId: string },
): Promise<Placement> {
  const { wish, workspaceId } = of;
  const { template, network, nodeSelector = {}, spreadBy } = wish.body;
  const alike = spreadBy === undefined ? undefined : { name: spreadBy, value: wish.labels[spreadBy]! };
  const nodes = await candidatesFor(services, write.db, { workspaceId, alike });
  if (
    template !== undefined &&
    nodes.length > 0 &&
    !nodes.some((node) => node.templates.some((each) => each.id === template || each.name === template))
  ) {
    throw new Fault('not_found', `There is no template ${template}.`, { hint: 'List them with GET /v1/templates.' });
  }
  const policy = { ...services.placement, turn: Math.floor(Math.random() * 1_000_000) };
  const places = placeDesktop({ ...wish.hardware, template, network, nodeSelector }, nodes, policy);
  if ('none' in places) throw new Fault('no_capacity', places.none, { retryAfterSeconds: 5 });
  for (const place of places) if (await reserveAll(write, place, wish.hardware)) return place;
  throw new Fault('no_capacity', 'Every node filled up just now.', { retryAfterSeconds: 1 });
}

function rowsOf(
  wish: Wish,
  place: Placement,
  at: { workspaceId: string; nowMs: number },
): { desktop: DesktopRow; assignment: AssignmentRow } {
  const { workspaceId, nowMs } = at;
  const id = newId('dsk', nowMs);
  const assignmentId = newId('asg', nowMs);
  const name = wish.body.name ?? `desktop-${idBody(id).slice(-6)}`;
  const timeZone = wish.body.timeZone ?? 'Etc/UTC';
  const desktop: DesktopRow = {
    id,
    workspaceId,
    assignmentId,
    nodeId: place.nodeId,
    name,
    size: wish.size,
    templateName: place.template.name,
    labelsJson: JSON.stringify(wish.labels),
    timeZone,
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
  const assignment: AssignmentRow = {
    id: assignmentId,
    workspaceId,
    desktopId: id,
    nodeId: place.nodeId,
    vmRef: `lb-${idBody(assignmentId)}`,
    templateId: place.template.id,
    ...wish.hardware,
    network: place.network,
    hostName: hostNameOf(name, id),
    timeZone,
    configJson: '{}',
    gracefulStopSeconds,
    desired: 'running',
    desiredBoot: 1,
    generation: 1,
    cloneSeen: 0,
    holdsMemory: 1,
    observedGeneration: 0,
    presence: 'absent',
    power: 'off',
    boot: 0,
    ready: 0,
    agentReady: 0,
    startMode: null,
    ipAddress: null,
    faultJson: null,
    observedMs: null,
    closedMs: null,
  };
  return { desktop, assignment };
}
