import { createHash, randomBytes } from 'node:crypto';
import { type Clock, toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { LeaseRecord } from './leaseRecord.ts';

type Schemas = components['schemas'];
export type Holder = Schemas['ControlHolder'];
export type Control = Schemas['Control'];

/** What is kept of a lease. The token itself is with its holder only. */
export interface Lease {
  holder: Holder;
  tokenHash: string;
  ttlMs: number;
  expiresMs: number;
  /** `identityVersion` of the order under which it was given: one of before a move counts nowhere, here neither. */
  version?: number;
}

export interface TakeWish {
  kind: Holder['kind'];
  name?: string | undefined;
  by: string | null;
  ttlSeconds?: number | undefined;
  takeOver?: boolean | undefined;
  leaseToken?: string | undefined;
}

export interface LeaseParts {
  clock: Clock;
  record: LeaseRecord;
  /** `identityVersion` of this assignment's order; undefined while the order is not known. */
  versionOf: (assignmentId: string) => number | undefined;
  /** Who holds control of this assignment is another now, or nobody. */
  onChange: (assignmentId: string) => void;
}

const ttlSecondsDefault = 120;
const leasesMax = 10_000;
/** The longest that a timer is set for; it looks again then. */
const napMaxMs = 60_000;

/**
 * Who may write on each desktop of this node: nobody in particular, one agent, or one person. This is the only place that
 * knows, and everything that writes asks here at the moment it writes. It is on the disk before it is answered, so that a
 * restart of hostd gives nobody's desktop away; time is that of the wall, because it counts while hostd is off.
 */
export class ControlLeases {
  readonly #parts: LeaseParts;
  readonly #leases: Map<string, Lease>;
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #savedMs = new Map<string, number>();

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.#leases = new Map(parts.record.read());
    for (const [assignmentId, lease] of this.#leases) {
      this.#savedMs.set(assignmentId, lease.expiresMs);
      this.#lapseLater(assignmentId, lease);
    }
  }

  of(assignmentId: string): Control {
    const lease = this.#current(assignmentId);
    return { holder: lease?.holder ?? null, expiresAt: lease ? toRfc3339(lease.expiresMs) : null };
  }

  /** The token of whoever holds it already renews it. @throws Fault `human_control`, `control_held` */
  take(assignmentId: string, wish: TakeWish): Schemas['ControlLease'] {
    const held = this.#current(assignmentId);
    const isMine = held !== undefined && wish.leaseToken !== undefined && matches(held, wish.leaseToken);
    if (held && !isMine && !mayTakeFrom(held, wish)) throw heldBy(held, wish.kind);
    if (!held && this.#leases.size >= leasesMax) throw new Fault('rate_limited', 'Too many desktops are held here.');
    const nowMs = this.#parts.clock.nowMs();
    const ttlMs = (wish.ttlSeconds ?? (isMine ? held.ttlMs / 1000 : ttlSecondsDefault)) * 1000;
    const leaseToken = isMine ? wish.leaseToken! : `lease_${randomBytes(32).toString('base64url')}`;
    const { kind, by, name = kind === 'human' ? 'a person' : 'an agent' } = wish;
    const holder = isMine ? held.holder : { kind, name, by, takenAt: toRfc3339(nowMs) };
    const version = this.#parts.versionOf(assignmentId);
    const lease = { holder, tokenHash: hashOf(leaseToken), ttlMs, expiresMs: nowMs + ttlMs, version };
    this.#put(assignmentId, lease);
    this.#lapseLater(assignmentId, lease);
    if (!isMine) this.#changed(assignmentId);
    return { holder, expiresAt: toRfc3339(lease.expiresMs), leaseToken };
  }

  /** Handing back what nobody holds is no error. @throws Fault `human_control`, `control_held` when it is another's */
  handBack(assignmentId: string, leaseToken: string | undefined): void {
    const held = this.#current(assignmentId);
    if (held === undefined) return;
    if (leaseToken === undefined || !matches(held, leaseToken)) throw heldBy(held, 'agent');
    this.#drop(assignmentId);
  }

  /** Whether this token is that of whoever holds control now. */
  holds(assignmentId: string, leaseToken: string | undefined): boolean {
    const held = this.#current(assignmentId);
    return held !== undefined && leaseToken !== undefined && matches(held, leaseToken);
  }

  /** It was used: it lapses later. */
  touch(assignmentId: string): void {
    const lease = this.#current(assignmentId);
    if (lease === undefined) return;
    lease.expiresMs = this.#parts.clock.nowMs() + lease.ttlMs;
    const savedMs = this.#savedMs.get(assignmentId) ?? 0;
    if (lease.expiresMs - savedMs > lease.ttlMs / 2) this.#put(assignmentId, lease);
  }

  /** What an agent asks before it writes. @throws Fault `human_control`, `control_held` */
  demandWriter(assignmentId: string, leaseToken: string | undefined): void {
    const held = this.#current(assignmentId);
    if (held === undefined) return;
    if (leaseToken === undefined || !matches(held, leaseToken)) throw heldBy(held, 'agent');
    this.touch(assignmentId);
  }

  /** Its desktop went to another node: what was held here counts no more, and is told. */
  end(assignmentId: string): void {
    if (!this.#leases.has(assignmentId)) return;
    try {
      this.#drop(assignmentId);
    } catch {
      // Its version keeps it from ever counting again.
      this.#forget(assignmentId);
    }
  }

  /** Called at each change of who holds it, until the answer is called. */
  watch(assignmentId: string, changed: () => void): () => void {
    const watchers = this.#watchers.get(assignmentId) ?? new Set();
    this.#watchers.set(assignmentId, watchers);
    watchers.add(changed);
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0) this.#watchers.delete(assignmentId);
    };
  }

  #current(assignmentId: string): Lease | undefined {
    const lease = this.#leases.get(assignmentId);
    if (lease === undefined) return undefined;
    const isOver = lease.expiresMs <= this.#parts.clock.nowMs() || this.#isOfBefore(assignmentId, lease);
    if (!isOver) return lease;
    // Its end is on the disk already: a full one must not keep hostd from going on.
    this.#forget(assignmentId);
    return undefined;
  }

  #isOfBefore(assignmentId: string, { version }: Lease): boolean {
    const now = this.#parts.versionOf(assignmentId);
    return now !== undefined && version !== undefined && version !== now;
  }

  #put(assignmentId: string, lease: Lease): void {
    this.#parts.record.write(new Map([...this.#leases, [assignmentId, lease]]));
    this.#leases.set(assignmentId, lease);
    this.#savedMs.set(assignmentId, lease.expiresMs);
  }

  #drop(assignmentId: string): void {
    const others = new Map(this.#leases);
    others.delete(assignmentId);
    this.#parts.record.write(others);
    this.#forget(assignmentId);
  }

  #forget(assignmentId: string): void {
    this.#leases.delete(assignmentId);
    this.#savedMs.delete(assignmentId);
    this.#changed(assignmentId);
  }

  #changed(assignmentId: string): void {
    for (const changed of this.#watchers.get(assignmentId) ?? []) changed();
    this.#parts.onChange(assignmentId);
  }

  /** Nobody may ask for a long time, and who holds it is told to others. */
  #lapseLater(assignmentId: string, lease: Lease): void {
    const { clock } = this.#parts;
    const napMs = Math.max(1, Math.min(napMaxMs, lease.expiresMs - clock.nowMs() + 1));
    void clock.sleep(napMs).then(() => {
      if (this.#leases.get(assignmentId) !== lease) return;
      if (this.#current(assignmentId) === lease) this.#lapseLater(assignmentId, lease);
    });
  }
}

/** A person takes it from any agent, and from another person on purpose; an agent takes it from nobody. */
function mayTakeFrom({ holder }: Lease, wish: TakeWish): boolean {
  return wish.kind === 'human' && (holder.kind === 'agent' || wish.takeOver === true);
}

function heldBy({ holder, expiresMs }: Lease, asker: Holder['kind']): Fault {
  const members = { holder, expiresAt: toRfc3339(expiresMs) };
  if (holder.kind === 'agent') return new Fault('control_held', `${holder.name} has control.`, { members });
  const hint = asker === 'human' ? 'Say `takeOver` to take it from this person.' : undefined;
  return new Fault('human_control', `${holder.name} has control.`, { members, ...(hint ? { hint } : {}) });
}

function matches(lease: Lease, leaseToken: string): boolean {
  return lease.tokenHash === hashOf(leaseToken);
}

function hashOf(leaseToken: string): string {
  return createHash('sha256').update(leaseToken).digest('hex');
}
