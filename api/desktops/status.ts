import type { actions, statuses } from './schema.ts';

export type Status = (typeof statuses)[number];
export type Action = (typeof actions)[number];

/** What decides the status of a desktop: what is wanted, what was seen, and whether the node is heard. */
export interface StatusFacts {
  desired: 'running' | 'stopped' | 'deleted';
  desiredBoot: number;
  generation: number;
  observedGeneration: number;
  presence: 'absent' | 'cloning' | 'present';
  power: 'off' | 'booting' | 'running' | 'stopping' | 'paused';
  boot: number;
  cloneSeen: boolean;
  fault: { code: string; class: 'retry' | 'fail' | 'operator' } | null;
  destroyed: boolean;
  nodeHeard: boolean;
}

/** The one word that is shown. Computed whenever it is asked for, stored nowhere. */
export function statusOf(facts: StatusFacts): Status {
  if (facts.destroyed) return 'destroyed';
  if (facts.desired === 'deleted') return 'destroying';
  if (!facts.nodeHeard) return 'unknown';
  if (hasFailed(facts)) return 'error';
  return facts.desired === 'running' ? statusTowardsRunning(facts) : statusTowardsStopped(facts);
}

/** A fault of an older order says nothing about this one. */
function hasFailed(facts: StatusFacts): boolean {
  if (facts.fault === null || facts.fault.class === 'retry') return false;
  return facts.observedGeneration === facts.generation;
}

function statusTowardsRunning(facts: StatusFacts): Status {
  if (facts.presence !== 'present') return 'pending';
  const thisBoot = facts.boot >= facts.desiredBoot;
  switch (facts.power) {
    case 'off':
      return thisBoot ? 'stopped' : 'booting';
    case 'running':
      return thisBoot ? 'running' : 'stopping';
    case 'booting':
    case 'paused':
      return 'booting';
    case 'stopping':
      return 'stopping';
  }
}

function statusTowardsStopped(facts: StatusFacts): Status {
  return facts.presence === 'present' && facts.power === 'off' ? 'stopped' : 'stopping';
}

const table: Record<Status, readonly Action[]> = {
  pending: ['stop', 'delete'],
  booting: ['stop', 'restart', 'delete'],
  running: ['stop', 'restart', 'delete'],
  stopping: ['delete'],
  stopped: ['start', 'delete'],
  destroying: [],
  destroyed: [],
  error: ['start', 'restart', 'stop', 'delete'],
  unknown: ['delete'],
};
const lost: readonly Action[] = ['delete'];
/** Faults after which there is nothing to start. */
const lostCodes: ReadonlySet<string> = new Set(['vm_missing', 'node_fenced']);

export function allowedActionsOf(status: Status, facts: Pick<StatusFacts, 'fault'>): readonly Action[] {
  return status === 'error' && lostCodes.has(facts.fault?.code ?? '') ? lost : table[status];
}
