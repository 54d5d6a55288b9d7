import { idBody, isId } from '@lebureau/kit/id';
import type { VmSeen } from './hypervisor/driver.ts';
import type { Stranger } from './orders.ts';

/**
 * The most dangerous code here: it decides which VMs are removed without an order. Pure, so that every refusal can be
 * tested. A VM is reclaimed only when its name is in our range, its marker is an assignment's id and fits the name, no
 * order names it, and it was a stranger without a break for the whole quarantine. A VM that an API once ordered and then
 * forgot, or that another node gave away, is kept: an API that lost its rows must not cost anybody a disk.
 */
export interface Quarantine extends Entrusted {
  /** Since when each stranger has been one, on a clock that never goes back. */
  sinceMs: ReadonlyMap<string, number>;
  /** Orders and VMs of the last good round. */
  ordersBefore: number;
  vmsBefore: number;
}

/** What outlives a restart of hostd. */
export interface Entrusted {
  /** Which API gives the orders: its id of this node. Undefined before the first good round. */
  nodeId: string | undefined;
  /** VMs that were there with an order, and whose absence was never told. */
  entrusted: ReadonlySet<string>;
  /** The newest name that was ever ordered: names sort by time. */
  newest: string;
}

export const emptyQuarantine: Quarantine = {
  nodeId: undefined,
  entrusted: new Set(),
  newest: '',
  sinceMs: new Map(),
  ordersBefore: 0,
  vmsBefore: 0,
};

export interface Round {
  nowMs: number;
  /** Undefined when the hypervisor's list failed. */
  vms: readonly VmSeen[] | undefined;
  /** Names in the orders; undefined when no list of the running epoch came lately. */
  ordered: ReadonlySet<string> | undefined;
  /** The id that the API has for this node. */
  nodeId: string | undefined;
  /** Names of deleted desktops whose absence this process has told: these may leave the list. */
  goneForGood: ReadonlySet<string>;
  reclaimAfterMs: number;
}

export interface Verdict {
  quarantine: Quarantine;
  strangers: Stranger[];
  /** May be deleted now. */
  reclaim: { vmRef: string; owner: string }[];
  /** Would be reclaimed, had it not been ordered once or were it not newer than all that was ordered. */
  kept: string[];
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
  const told = { strangers, reclaim: [], kept: [], counted: true };
  if (before.nodeId !== undefined && before.nodeId !== round.nodeId) {
    // Nothing of this API is remembered before the operator says that it is the right one.
    return {
      ...told,
      quarantine: { ...before, sinceMs: new Map() },
      refused: 'the API does not know this node any more',
    };
  }
  const vmsShrank = shrank(before.vmsBefore - round.goneForGood.size, ours.length);
  const memory = {
    ...remember(before, round, { ordered, there: new Set(ours.map((vm) => vm.vmRef)), vmsShrank }),
    ordersBefore: ordered.size,
    vmsBefore: ours.length,
  };
  const shrunk = shrank(before.ordersBefore - round.goneForGood.size, ordered.size)
    ? 'orders'
    : vmsShrank && 'virtual machines';
  if (shrunk) {
    const quarantine = { ...memory, ...begunAnew(unknown, round) };
    return { ...told, quarantine, refused: `the list of ${shrunk} shrank by more than a tenth` };
  }
  const sinceMs = new Map(unknown.map((vm) => [vm.vmRef, before.sinceMs.get(vm.vmRef) ?? round.nowMs]));
  const quarantine = { ...memory, sinceMs };
  if (ordered.size === 0) return { ...told, quarantine, refused: 'there is no order at all' };
  if (unknown.length > strangersAlways && unknown.length > ours.length - unknown.length) {
    const refused = 'strangers outnumber the virtual machines with orders, as if orders had been lost';
    return { ...told, quarantine, refused };
  }
  const ripe = unknown.flatMap((vm) => {
    const since = sinceMs.get(vm.vmRef) ?? round.nowMs;
    const owner = ownMarker(vm);
    return owner !== undefined && round.nowMs - since >= round.reclaimAfterMs ? [{ vmRef: vm.vmRef, owner }] : [];
  });
  // What came from another node had an order there, which may be on its way to this one.
  const moved = new Set(unknown.filter((vm) => (vm.identity ?? vm.arrivedAt) !== undefined).map((vm) => vm.vmRef));
  const isKept = (vmRef: string) => memory.entrusted.has(vmRef) || vmRef > memory.newest || moved.has(vmRef);
  const kept = ripe.filter((vm) => isKept(vm.vmRef)).map((vm) => vm.vmRef);
  return { ...told, quarantine, kept, reclaim: ripe.filter((vm) => !isKept(vm.vmRef)) };
}

function remember(
  before: Quarantine,
  round: Round,
  seen: { ordered: ReadonlySet<string>; there: ReadonlySet<string>; vmsShrank: boolean },
): Entrusted {
  const { ordered, there } = seen;
  const entrusted = new Set([...before.entrusted, ...[...ordered].filter((vmRef) => there.has(vmRef))]);
  for (const vmRef of entrusted) {
    const isOver = !ordered.has(vmRef) && !there.has(vmRef) && !seen.vmsShrank;
    if (isOver || round.goneForGood.has(vmRef)) entrusted.delete(vmRef);
  }
  let newest = before.newest;
  for (const vmRef of ordered) if (vmRef > newest) newest = vmRef;
  return { nodeId: round.nodeId, entrusted, newest };
}

export function entrustedOf({ nodeId, entrusted, newest }: Entrusted): Entrusted {
  return { nodeId, entrusted, newest };
}

function shrank(before: number, now: number): boolean {
  return now < before * (1 - shrinkMax);
}

function begunAnew(unknown: readonly VmSeen[], round: Round): { sinceMs: ReadonlyMap<string, number> } {
  return { sinceMs: new Map(unknown.map((vm) => [vm.vmRef, round.nowMs])) };
}

/** A round that cannot be trusted counts for nothing, and what was quarantined begins anew with the next good one. */
function refuse(before: Quarantine, refused: string): Verdict {
  return {
    quarantine: { ...before, sinceMs: new Map() },
    strangers: [],
    reclaim: [],
    kept: [],
    refused,
    counted: false,
  };
}

/** The owner marker when it is one of ours and belongs to this very name. */
function ownMarker(vm: VmSeen): string | undefined {
  const owner = vm.owner;
  if (owner === undefined || !isId('asg', owner)) return undefined;
  return vm.vmRef === `lb-${idBody(owner)}` ? owner : undefined;
}
