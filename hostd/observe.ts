import { isFault } from '@lebureau/kit/fault';
import type { VmSeen } from './hypervisor/driver.ts';
import type { Assignment, Observation, ObservedFault } from './orders.ts';
import { nextStep, type Facts, type Seen, type Step } from './reconcile.ts';

/** What is told to the API about one assignment. Pure. */
export function observationOf(order: Assignment, seen: Seen, facts: Facts): Observation {
  const step = nextStep(order, seen, facts);
  const fault = faultToTell(facts, step) ?? haltedFault(order, seen);
  const base = {
    assignmentId: order.assignmentId,
    generation: order.generation,
    agentReady: false,
    ipAddress: null,
    fault,
    ...(seen.kind === 'vm' && seen.vm.moving === true ? { moving: true } : {}),
    ...(facts.trouble?.kind === 'move' ? { moveFault: facts.trouble.fault } : {}),
    atMs: facts.wallMs,
  };
  if (seen.kind === 'absent' || seen.vm.owner !== order.assignmentId || !seen.vm.complete) {
    return {
      ...base,
      presence: presenceToTell(order, { seen, step, facts }),
      power: 'off',
      boot: 0,
      ready: false,
      startMode: null,
    };
  }
  const vm = seen.vm;
  if (vm.movedTo !== undefined) return movedAway(base, vm);
  const power = powerToTell(order, seen, facts);
  const { commandAnswered, frameTaken, silent } = facts.guest;
  const ready = power === 'running' && commandAnswered && frameTaken && !silent;
  return {
    ...base,
    presence: 'present',
    power,
    boot: vm.boot,
    ready,
    agentReady: ready,
    startMode: vm.startMode ?? null,
    ipAddress: power === 'running' || power === 'booting' ? (vm.address ?? null) : null,
  };
}

/** Its guest is met again by the hostd there. */
function movedAway(
  base: Pick<Observation, 'assignmentId' | 'generation' | 'agentReady' | 'fault' | 'atMs'>,
  vm: VmSeen,
) {
  const { power, boot, startMode = null, movedTo } = vm;
  const told = power === 'broken' ? 'paused' : power;
  return {
    ...base,
    movedTo,
    presence: 'present',
    power: told,
    boot,
    ready: false,
    startMode,
    ipAddress: null,
  } as const;
}

/** `absent` is final for a deleted desktop, so it is said only of a name that nothing holds, and after a delete. */
function presenceToTell(
  order: Assignment,
  { seen, step, facts }: { seen: Seen; step: Step; facts: Facts },
): 'absent' | 'cloning' {
  if (order.desired === 'deleted' && !facts.removed) return 'cloning';
  return seen.kind === 'vm' || step.kind === 'confirm' || step.kind === 'clone' ? 'cloning' : 'absent';
}

function powerToTell(order: Assignment, seen: Seen & { kind: 'vm' }, facts: Facts): Observation['power'] {
  const vm = seen.vm;
  const isToStop = order.desired !== 'running' || vm.boot < order.desiredBoot;
  switch (vm.power) {
    case 'off':
      return 'off';
    case 'broken':
      // Its process may still hold its memory, so it is not off before it was cut.
      return isToStop ? 'stopping' : 'paused';
    case 'paused':
      if (isToStop) return 'stopping';
      return vm.trouble === undefined ? 'booting' : 'paused';
    case 'running':
      if (isToStop) return 'stopping';
      return facts.guest.identified ? 'running' : 'booting';
  }
}

/** It goes on by itself when there is room. */
function haltedFault(order: Assignment, seen: Seen): ObservedFault | null {
  if (seen.kind === 'absent' || seen.vm.power !== 'paused' || seen.vm.trouble === undefined) return null;
  if (order.desired !== 'running' || seen.vm.boot < order.desiredBoot) return null;
  return { code: 'disk_full', class: 'retry', message: seen.vm.trouble };
}

/** A guest that does not answer yet is booting, not failing, until the boot took too long. */
function faultToTell(facts: Facts, step: Step): ObservedFault | null {
  if (step.kind === 'rest') return step.fault;
  const since = facts.guest.runningSinceMs;
  const late = step.kind === 'probe' || (step.kind === 'wait' && facts.trouble?.kind === 'probe');
  if (late) {
    if (since === undefined || facts.nowMs - since < facts.bootTimeoutMs) return null;
    return {
      code: 'boot_timeout',
      class: 'retry',
      message: `The guest has not answered within ${facts.bootTimeoutMs / 1000} s of its start.`,
    };
  }
  const kind = facts.trouble?.kind;
  return facts.trouble === undefined || kind === 'confirm' || kind === 'move' ? null : facts.trouble.fault;
}

/** Nothing was ever seen of it, and only a person can change that. */
export function unseenObservation(order: Assignment, fault: ObservedFault, atMs: number): Observation {
  return {
    assignmentId: order.assignmentId,
    generation: order.generation,
    presence: 'cloning',
    power: 'off',
    boot: 0,
    ready: false,
    agentReady: false,
    startMode: null,
    ipAddress: null,
    fault,
    atMs,
  };
}

/** True when the API would learn nothing from `next`. */
export function saysTheSame(last: Observation | undefined, next: Observation): boolean {
  return last !== undefined && JSON.stringify({ ...last, atMs: 0 }) === JSON.stringify({ ...next, atMs: 0 });
}

/** The class of a failure: unknown means retry. */
export function observedFault(error: unknown, doing: string): ObservedFault {
  if (!isFault(error)) return { code: 'hypervisor_failed', class: 'retry', message: `It failed to ${doing}.` };
  const message = error.message.slice(0, 1000);
  switch (error.code) {
    case 'template_missing':
    case 'move_refused':
      return { code: error.code, class: 'fail', message };
    case 'not_ours':
    case 'needs_operator':
      return { code: error.code, class: 'operator', message };
    case 'disk_full':
    case 'memory_full':
    case 'vm_missing':
    case 'guest_unreachable':
      return { code: error.code, class: 'retry', message };
    default:
      return { code: 'hypervisor_failed', class: 'retry', message };
  }
}
