import { toRfc3339 } from '@lebureau/kit/clock';
import type { Static } from '../http/schema.ts';
import type { AssignmentRow, DesktopRow, NodeRow } from '../db/tables.ts';
import type { Desktop } from './schema.ts';
import { type Status, type StatusFacts, allowedActionsOf, statusOf } from './status.ts';

/** A node that was not heard for this long says nothing any more about its desktops. */
export const nodeSilentMs = 30_000;

export const desktopColumns = [
  'id',
  'name',
  'size',
  'templateName',
  'labelsJson',
  'nodeSelectorJson',
  'timeZone',
  'ephemeral',
  'ttlSeconds',
  'expiresMs',
  'createdMs',
  'startedMs',
  'runningMs',
  'readyMs',
  'destroyedMs',
  'version',
  'assignmentId',
] as const satisfies readonly (keyof DesktopRow)[];

export const assignmentColumns = [
  'nodeId',
  'vmRef',
  'templateId',
  'vcpus',
  'memoryMiB',
  'diskGiB',
  'network',
  'desired',
  'desiredBoot',
  'generation',
  'observedGeneration',
  'cloneSeen',
  'holdsMemory',
  'presence',
  'power',
  'boot',
  'ready',
  'agentReady',
  'startMode',
  'ipAddress',
  'faultJson',
  'controlJson',
] as const satisfies readonly (keyof AssignmentRow)[];

/** What a desktop shows of its node. */
export type NodeSeen = Pick<NodeRow, 'heardMs' | 'guestAddress' | 'drainMs' | 'fencedMs' | 'decommissionedMs'>;

/** A desktop, its assignment and when its node was last heard, in one row. */
export type DesktopView = Pick<DesktopRow, (typeof desktopColumns)[number]> &
  Pick<AssignmentRow, (typeof assignmentColumns)[number]> &
  NodeSeen;

/** The same of rows that are at hand. */
export function joinView(of: { desktop: DesktopRow; assignment: AssignmentRow; node: NodeSeen }): DesktopView {
  const { heardMs, guestAddress, drainMs, fencedMs, decommissionedMs } = of.node;
  return { ...of.assignment, ...of.desktop, heardMs, guestAddress, drainMs, fencedMs, decommissionedMs };
}

export interface ObservedFault {
  code: string;
  message: string;
  class: 'retry' | 'fail' | 'operator';
}

/** Its node is not expected to be heard again: a person said that it is off, or gone for good. */
export function isAway(view: DesktopView, nowMs: number): boolean {
  return view.decommissionedMs !== null || (view.fencedMs !== null && !isHeard(view, nowMs));
}

function isHeard(view: DesktopView, nowMs: number): boolean {
  return nowMs - view.heardMs < nodeSilentMs;
}

const gone: ObservedFault = {
  code: 'vm_missing',
  message: 'Its node was decommissioned. Its disk was there; delete the desktop.',
  class: 'fail',
};
const fenced: ObservedFault = {
  code: 'node_fenced',
  message: 'A person declared its node off. It goes on when the node comes back; deleting it gives it up.',
  class: 'fail',
};

export function factsOf(view: DesktopView, nowMs: number): StatusFacts & { fault: ObservedFault | null } {
  const facts = observedFacts(view, nowMs);
  if (!isAway(view, nowMs)) return facts;
  const fault = view.decommissionedMs === null ? fenced : gone;
  return { ...facts, fault, observedGeneration: facts.generation, nodeHeard: true };
}

function observedFacts(view: DesktopView, nowMs: number): StatusFacts & { fault: ObservedFault | null } {
  return {
    desired: view.desired as StatusFacts['desired'],
    desiredBoot: view.desiredBoot,
    generation: view.generation,
    observedGeneration: view.observedGeneration,
    presence: view.presence as StatusFacts['presence'],
    power: view.power as StatusFacts['power'],
    boot: view.boot,
    cloneSeen: view.cloneSeen === 1,
    fault: view.faultJson === null ? null : (JSON.parse(view.faultJson) as ObservedFault),
    destroyed: view.destroyedMs !== null,
    nodeHeard: isHeard(view, nowMs),
  };
}

/** Ready is about this boot: whatever else was seen before does not count. */
export function isReady(view: DesktopView, status: Status): boolean {
  return status === 'running' && view.ready === 1;
}

export function statusOfView(view: DesktopView, nowMs: number): Status {
  return statusOf(factsOf(view, nowMs));
}

function controlOf({ controlJson }: DesktopView): Static<typeof Desktop>['control'] {
  return controlJson === null ? null : (JSON.parse(controlJson) as Static<typeof Desktop>['control']);
}

/** The wire shape. @param nowMs decides whether the node counts as heard. */
export function toWire(view: DesktopView, nowMs: number): Static<typeof Desktop> {
  const facts = factsOf(view, nowMs);
  const status = statusOf(facts);
  const size = view.size as Static<typeof Desktop>['size'];
  const time = (ms: number | null) => (ms === null ? null : toRfc3339(ms));
  const shown = facts.fault !== null && facts.observedGeneration === facts.generation ? facts.fault : null;
  return {
    id: view.id,
    name: view.name,
    status,
    ready: isReady(view, status),
    agentReady: isReady(view, status) && view.agentReady === 1,
    allowedActions: [...allowedActionsOf(status, facts)],
    tier: size,
    size,
    hardware: { vcpus: view.vcpus, memoryMiB: view.memoryMiB, diskGiB: view.diskGiB },
    template: { id: view.templateId, name: view.templateName },
    labels: JSON.parse(view.labelsJson) as Record<string, string>,
    nodeSelector: JSON.parse(view.nodeSelectorJson) as Record<string, string>,
    network: view.network as 'internet' | 'none',
    timeZone: view.timeZone,
    ipAddress: view.ipAddress,
    nodeId: view.nodeId,
    startMode: view.startMode as 'warm' | 'cold' | null,
    ephemeral: view.ephemeral === 1,
    ttlSeconds: view.ttlSeconds,
    expiresAt: time(view.expiresMs),
    keepAlive: view.ephemeral === 0,
    control: controlOf(view),
    error: shown && { code: shown.code, message: shown.message },
    createdAt: toRfc3339(view.createdMs),
    timings: {
      createdAt: toRfc3339(view.createdMs),
      startedAt: toRfc3339(view.startedMs),
      runningAt: time(view.runningMs),
      readyAt: time(view.readyMs),
      destroyedAt: time(view.destroyedMs),
    },
  };
}

export function etagOf(view: DesktopView): string {
  return `"${view.version}"`;
}
