import type { VmSeen } from './hypervisor/driver.ts';
import type { Assignment, ObservedFault } from './orders.ts';

/** What the hypervisor said last about one VM. */
export type Seen = { kind: 'absent' } | { kind: 'vm'; vm: VmSeen };

/**
 * What this process remembers of one assignment, as data. All of it may be lost at any moment (a restart of hostd) and
 * is then found again by looking; nothing durable depends on it.
 */
export interface Facts {
  /** Never goes back; every time below is on the same scale. */
  nowMs: number;
  /** The node's wall clock, only told to people. */
  wallMs: number;
  /** A complete clone was seen by this process, or reported by an earlier one. */
  cloneSeen: boolean;
  /** A delete of this VM succeeded in this process: what is not seen since is gone, not hidden. */
  removed: boolean;
  /** When the API last accepted the announcement of a clone for this very order. */
  confirmedAtMs?: number;
  /** What the guest has shown since `boot`. */
  guest: GuestFacts;
  /** When a desktop got this machine, which waited, while its guest has not been told: nobody has used it yet. */
  claimedAtMs?: number;
  /** The running stop: when it was first asked for, and whether the hypervisor took it. */
  stop?: { sinceMs: number; asked: boolean };
  /** The last failure of an effect, until one of the same kind succeeds or the order changes. */
  trouble?: Trouble;
  bootTimeoutMs: number;
}

export interface GuestFacts {
  boot: number;
  identified: boolean;
  commandAnswered: boolean;
  frameTaken: boolean;
  /** Since when this process sees this boot running. */
  runningSinceMs?: number;
  /** The channel broke: the guest may have rebooted by itself, so ask who it is. */
  doubted: boolean;
  /** It waits for a desktop and did not answer when it was asked. */
  silent: boolean;
}

export interface Trouble {
  kind: Effect['kind'];
  fault: ObservedFault;
  failures: number;
  retryAtMs: number;
}

export type GuestPart = 'identity' | 'command' | 'frame';

/** What changes the world; one at a time for each VM. */
export type Effect =
  | { kind: 'confirm' }
  | { kind: 'clone' }
  | { kind: 'start'; boot: number }
  | { kind: 'probe'; lacks: readonly GuestPart[] }
  | { kind: 'requestStop' }
  | { kind: 'kill' }
  | { kind: 'delete' }
  | { kind: 'move'; to: string };

export type Step =
  | Effect
  | { kind: 'wait'; untilMs: number; why: string }
  | { kind: 'done' }
  /** Nothing helps until the order or the world changes. */
  | { kind: 'rest'; fault: ObservedFault };

/** A clone is made only this long after the API accepted its announcement. */
const confirmationGoodMs = 10_000;
const stopPollMs = 200;
/** A VM that stays paused after this many tries to start it is cut and started anew. */
const pausedStartsMax = 3;
/** A machine that waited and does not take its new name within this is started anew: nobody has used it. */
const claimMaxMs = 60_000;

/** The next thing to do for one assignment. Pure: the same three values always give the same step. */
export function nextStep(order: Assignment, seen: Seen, facts: Facts): Step {
  const step = wantedStep(order, seen, facts);
  const trouble = facts.trouble;
  if (step.kind === 'done' && mayMoveLater(order, trouble))
    return { kind: 'wait', untilMs: trouble.retryAtMs, why: trouble.fault.message };
  if (!isEffect(step) || trouble === undefined || trouble.kind !== step.kind) return step;
  if (trouble.fault.class === 'fail' && step.kind !== 'delete') return { kind: 'rest', fault: trouble.fault };
  if (facts.nowMs < trouble.retryAtMs) return { kind: 'wait', untilMs: trouble.retryAtMs, why: trouble.fault.message };
  return step;
}

export function isEffect(step: Step): step is Effect {
  return step.kind !== 'wait' && step.kind !== 'done' && step.kind !== 'rest';
}

function wantedStep(order: Assignment, seen: Seen, facts: Facts): Step {
  if (seen.kind === 'absent') return stepWhenAbsent(order, facts);
  const vm = seen.vm;
  if (order.desired === 'deleted' && isStray(order, vm)) return { kind: 'delete' };
  if (vm.owner !== order.assignmentId) return { kind: 'rest', fault: notOurs(vm) };
  if (order.desired === 'deleted') return { kind: 'delete' };
  if (!vm.complete)
    return facts.cloneSeen ? { kind: 'rest', fault: vmMissing('is only half there') } : cloneStep(facts);
  // The API hears that and gives the order to the hostd there.
  if (vm.movedTo !== undefined) return { kind: 'done' };
  // Forward only: its disks are there, whatever was ordered since.
  if (vm.arrivedAt !== undefined) return { kind: 'move', to: vm.arrivedAt };
  if (order.move !== undefined && canMoveNow(order, vm, facts)) return { kind: 'move', to: order.move.to };
  return order.desired === 'stopped' ? stepToStopped(order, vm, facts) : stepToRunning(order, vm, facts);
}

/** A move that failed must not keep the desktop from its life; what is to be off is moved when it is. */
function canMoveNow(order: Assignment, vm: VmSeen, { trouble, nowMs }: Facts): boolean {
  const isPutOff = trouble?.kind === 'move' && (trouble.fault.class !== 'retry' || nowMs < trouble.retryAtMs);
  // A start that failed is owed first: at the other node it would look like a guest that switched itself off.
  const startIsOwed = order.desired === 'running' && vm.power === 'off' && vm.boot > 0 && vm.offBecause === undefined;
  if (isPutOff || vm.power === 'broken' || startIsOwed) return false;
  return order.desired === 'running' || vm.power === 'off';
}

function mayMoveLater(order: Assignment, trouble: Facts['trouble']): trouble is Trouble {
  return order.move !== undefined && trouble?.kind === 'move' && trouble.fault.class === 'retry';
}

/** Something of the deleted VM that outlived its marker. The driver refuses where a marker is there and cannot be read. */
function isStray(order: Assignment, vm: VmSeen): boolean {
  return vm.owner === undefined && !vm.complete && vm.vmRef === order.vmRef;
}

function stepWhenAbsent(order: Assignment, facts: Facts): Step {
  // A clone that an earlier process ordered may still run, where the hypervisor does not show it yet.
  if (order.desired === 'deleted') return facts.removed ? { kind: 'done' } : { kind: 'delete' };
  if (facts.cloneSeen) return { kind: 'rest', fault: vmMissing('is gone') };
  return cloneStep(facts);
}

/** Announced first: an accepted announcement proves that this process still is the node's hostd and the order still holds. */
function cloneStep(facts: Facts): Step {
  const confirmed = facts.confirmedAtMs !== undefined && facts.nowMs - facts.confirmedAtMs <= confirmationGoodMs;
  return confirmed ? { kind: 'clone' } : { kind: 'confirm' };
}

function stepToStopped(order: Assignment, vm: VmSeen, facts: Facts): Step {
  return vm.power === 'off' ? { kind: 'done' } : stopStep(order, vm, facts);
}

function stepToRunning(order: Assignment, vm: VmSeen, facts: Facts): Step {
  const bootWanted = vm.boot < order.desiredBoot;
  switch (vm.power) {
    case 'off':
      return bootWanted ? { kind: 'start', boot: order.desiredBoot } : stepWhenOff(vm);
    case 'running':
      return bootWanted ? stopStep(order, vm, facts) : stepWhenRunning(facts);
    case 'paused': {
      const { trouble } = facts;
      const lacksDisk = vm.trouble !== undefined || trouble?.fault.code === 'disk_full';
      // A guest that waits for room has work in its memory, and cutting it makes no room.
      const startFailed = trouble?.kind === 'start' && trouble.failures >= pausedStartsMax && !lacksDisk;
      return bootWanted || startFailed ? { kind: 'kill' } : { kind: 'start', boot: vm.boot };
    }
    case 'broken':
      return bootWanted ? { kind: 'kill' } : { kind: 'rest', fault: broken(vm) };
  }
}

/** Off although this boot was carried out. Who switched it off decides; nothing is restarted behind a guest's back. */
function stepWhenOff(vm: VmSeen): Step {
  switch (vm.offBecause) {
    case 'requested':
    case undefined:
      return { kind: 'start', boot: vm.boot };
    case 'crashed':
      return {
        kind: 'rest',
        fault: { code: 'guest_crashed', class: 'fail', message: 'The virtual machine died. Start it again.' },
      };
    case 'guest':
      return { kind: 'done' };
  }
}

function stepWhenRunning(facts: Facts): Step {
  const { claimedAtMs } = facts;
  if (claimedAtMs !== undefined && facts.nowMs - claimedAtMs > claimMaxMs) return { kind: 'kill' };
  if (facts.guest.silent) return { kind: 'rest', fault: silentMember };
  const lacks: GuestPart[] = [];
  if (!facts.guest.identified || facts.guest.doubted) lacks.push('identity');
  if (!facts.guest.commandAnswered) lacks.push('command');
  if (!facts.guest.frameTaken) lacks.push('frame');
  return lacks.length === 0 ? { kind: 'done' } : { kind: 'probe', lacks };
}

/** Whoever keeps the pool puts another in its place. */
const silentMember: ObservedFault = {
  code: 'guest_unreachable',
  class: 'fail',
  message: 'The guest of this machine, which waits for a desktop, does not answer any more.',
};

/** Graceful first, then the power is cut. A VM that runs no guest code is cut at once. */
function stopStep(order: Assignment, vm: VmSeen, facts: Facts): Step {
  if (vm.power !== 'running') return { kind: 'kill' };
  if (facts.stop === undefined) return { kind: 'requestStop' };
  const deadlineMs = facts.stop.sinceMs + order.gracefulStopSeconds * 1000;
  if (facts.nowMs >= deadlineMs) return { kind: 'kill' };
  if (!facts.stop.asked) return { kind: 'requestStop' };
  return { kind: 'wait', untilMs: Math.min(deadlineMs, facts.nowMs + stopPollMs), why: 'the guest is powering off' };
}

/** It may come back by itself (a slow host), or hold work that only its user may give up: so it is told, not killed. */
function broken(vm: VmSeen): ObservedFault {
  return {
    code: 'hypervisor_failed',
    class: 'fail',
    message: vm.trouble ?? 'The virtual machine is broken. Restart it.',
  };
}

function vmMissing(how: string): ObservedFault {
  return {
    code: 'vm_missing',
    class: 'fail',
    message: `The virtual machine of this desktop ${how}. Nothing is cloned in its place, because its disk held the user's data.`,
  };
}

function notOurs(vm: VmSeen): ObservedFault {
  const owner = vm.owner === undefined ? 'carries no owner marker' : 'belongs to another owner';
  return {
    code: 'not_ours',
    class: 'operator',
    message: `The virtual machine ${vm.vmRef} ${owner}; it is left alone.`,
  };
}
