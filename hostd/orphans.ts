import { idBody, isId } from '@lebureau/kit/id';
import type { VmSeen } from './hypervisor/driver.ts';
import type { Stranger } from './orders.ts';

/**
 * The most dangerous code here: it decides which VMs are removed without an order. Pure, so that every refusal can be
 * tested. A VM is reclaimed only when its name is in our range, its marker is an assignment's id and fits the name, no
 * order names it, and it was a stranger without a break for the whole quarantine.
 */
export interface Quarantine {
  /** Since when each stranger has been one, on a clock that never goes back. */
  sinceMs: ReadonlyMap<string, number>;
  /** Orders and VMs of the last good round. */
  ordersBefore: number;
  vmsBefore: number;
}

export const emptyQuarantine: Quarantine = { sinceMs: new Map(), ordersBefore: 0, vmsBefore: 0 };

export interface Round {
  nowMs: number;
  /** Undefined when the hypervisor's list failed. */
  vms: readonly VmSeen[] | undefined;
  /** Names in the orders; undefined when no list of the running epoch came lately. */
  ordered: ReadonlySet<string> | undefined;
  /** Orders of deleted desktops whose absence this process has told: these may leave the list. */
  goneForGood: number;
  reclaimAfterMs: number;
}

export interface Verdict {
  quarantine: Quarantine;
  strangers: Stranger[];
  /** May be deleted now. */
  reclaim: { vmRef: string; owner: string }[];
  /** Why nothing is reclaimed in this round, when that is so for all. */
  refused?: string;
  /** The lists were good, so orders that left were counted. */
  counted: boolean;
}

/** `lb-` and 26 characters: nothing else is ever ours. */
const ourRange = /^lb-[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const shrinkMax = 0.1;
/** That many strangers may outnumber the VMs with orders before it looks as if orders had been lost. */
const strangersAlways = 2;

export function reviewStrangers(before: Quarantine, round: Round): Verdict {
  if (round.vms === undefined) return refuse(before, 'the list of virtual machines failed');
  const ordered = round.ordered;
  if (ordered === undefined) return refuse(before, 'no fresh list of orders');
  const ours = round.vms.filter((vm) => ourRange.test(vm.vmRef));
  const unknown = ours.filter((vm) => !ordered.has(vm.vmRef));
  const strangers = unknown.map((vm) => ({ vmRef: vm.vmRef, owner: vm.owner ?? null }));
  const sizes = { ordersBefore: ordered.size, vmsBefore: ours.length };
  if (shrank(before.ordersBefore - round.goneForGood, ordered.size)) {
    return {
      quarantine: { ...begunAnew(unknown, round), ...sizes },
      strangers,
      reclaim: [],
      counted: true,
      refused: 'the list of orders shrank by more than a tenth',
    };
  }
  if (shrank(before.vmsBefore - round.goneForGood, ours.length)) {
    return {
      quarantine: { ...begunAnew(unknown, round), ...sizes },
      strangers,
      reclaim: [],
      counted: true,
      refused: 'the list of virtual machines shrank by more than a tenth',
    };
  }
  const sinceMs = new Map(unknown.map((vm) => [vm.vmRef, before.sinceMs.get(vm.vmRef) ?? round.nowMs]));
  const quarantine = { sinceMs, ...sizes };
  if (unknown.length > strangersAlways && unknown.length > ours.length - unknown.length) {
    return {
      quarantine,
      strangers,
      reclaim: [],
      counted: true,
      refused: 'strangers outnumber the virtual machines with orders, as if orders had been lost',
    };
  }
  const reclaim = unknown.flatMap((vm) => {
    const since = sinceMs.get(vm.vmRef) ?? round.nowMs;
    const owner = ownMarker(vm);
    return owner !== undefined && round.nowMs - since >= round.reclaimAfterMs ? [{ vmRef: vm.vmRef, owner }] : [];
  });
  return { quarantine, strangers, reclaim, counted: true };
}

function shrank(before: number, now: number): boolean {
  return now < before * (1 - shrinkMax);
}

function begunAnew(unknown: readonly VmSeen[], round: Round): { sinceMs: ReadonlyMap<string, number> } {
  return { sinceMs: new Map(unknown.map((vm) => [vm.vmRef, round.nowMs])) };
}

/** A round that cannot be trusted counts for nothing, and what was quarantined begins anew with the next good one. */
function refuse(before: Quarantine, refused: string): Verdict {
  return { quarantine: { ...before, sinceMs: new Map() }, strangers: [], reclaim: [], refused, counted: false };
}

/** The owner marker when it is one of ours and belongs to this very name. */
function ownMarker(vm: VmSeen): string | undefined {
  const owner = vm.owner;
  if (owner === undefined || !isId('asg', owner)) return undefined;
  return vm.vmRef === `lb-${idBody(owner)}` ? owner : undefined;
}
