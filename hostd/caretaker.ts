import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { backoffMs } from '@lebureau/kit/loop';
import { act, probe, type ActParts } from './act.ts';
import { identityMark } from './guest/init/channel.ts';
import { settled, within, type Slots } from './limit.ts';
import { MemberHealth } from './memberHealth.ts';
import { observationOf, observedFault, saysTheSame, unseenObservation } from './observe.ts';
import type { Assignment, Observation, ObservedFault } from './orders.ts';
import { isEffect, nextStep, type Effect, type Facts, type GuestFacts, type Seen, type Step } from './reconcile.ts';

export interface CaretakerParts extends ActParts {
  log: Log;
  clock: Clock;
  /** Bounds effects on the hypervisor over all VMs. */
  slots: Slots;
  /** Bounds how many guests of machines that wait are asked at once. */
  healthSlots: Slots;
  /** Hands an observation to the reporter; returns at once. */
  tell: (observation: Observation) => void;
  /** Resolves when the API accepted this very observation. @throws Fault when it refused it or cannot be asked. */
  confirm: (observation: Observation) => Promise<void>;
  /** Who holds control of its desktop; left out: nobody ever does. */
  controlOf?: (assignmentId: string) => Observation['control'];
  /** A guest that had to boot from its disk has come up. */
  coldStarted: (order: Assignment) => void;
  bootTimeoutMs: number;
  lookEveryMs: number;
}

const lookLimitMs = 10_000;
const retryMaxMs: Record<Effect['kind'], number> = {
  confirm: 5_000,
  clone: 30_000,
  start: 30_000,
  probe: 1_000,
  requestStop: 2_000,
  kill: 5_000,
  delete: 30_000,
  move: 60_000,
};
const operatorRetryMs = 60_000;

/**
 * Looks after one assignment: look, decide, one effect, look again. The only writer of its VM in this process.
 * `end` stops it without touching the VM.
 */
export class Caretaker {
  private readonly parts: CaretakerParts;
  private readonly over = new AbortController();
  private order: Assignment;
  private seen: Seen | undefined;
  private guest: GuestFacts = freshGuest(0);
  private cloneSeen = false;
  private removed = false;
  private startedBoot = 0;
  private confirmedAtMs: Facts['confirmedAtMs'];
  private justConfirmed = false;
  /** A desktop got the machine, and its guest is to be told at once. */
  private claimed = false;
  /** When `seen` was seen; undefined once something was done to the VM since. */
  private seenAtMs: number | undefined;
  private acting = false;
  private claimedAtMs: Facts['claimedAtMs'];
  private readonly health: MemberHealth;
  private stop: Facts['stop'];
  /** The power was cut, and nothing was seen since. */
  private cut = false;
  private trouble: Facts['trouble'];
  private lookFailures = 0;
  private last: Observation | undefined;
  private woken = false;
  private nap: AbortController | undefined;
  private probing: AbortController | undefined;
  readonly ended: Promise<void>;

  /** @param former the end of an earlier caretaker of the same VM, which may still be in the middle of an effect. */
  constructor(parts: CaretakerParts, order: Assignment, former: Promise<void> = Promise.resolve()) {
    this.parts = parts;
    this.order = order;
    this.health = new MemberHealth({ guests: parts.guests, clock: parts.clock, slots: parts.healthSlots });
    this.ended = former.then(() => this.tend());
  }

  get vmRef(): string {
    return this.order.vmRef;
  }

  /** The order as it stands, and whether the guest has been told who it is. */
  get now(): { order: Assignment; seen: Seen | undefined; identified: boolean } {
    return { order: this.order, seen: this.seen, identified: this.guest.identified };
  }

  /** Its VM is changing, or on its way to being ready. */
  get isBusy(): boolean {
    return this.acting || this.last?.power === 'booting';
  }

  /** Takes the newest order. An older one (a late packet) is ignored. */
  give(order: Assignment): void {
    if (order.generation < this.order.generation) return;
    const changed = order.generation > this.order.generation;
    // What it showed so far it showed as nobody's; only who it is now must be told.
    if (order.identityVersion !== this.order.identityVersion) {
      this.guest.identified = false;
      this.guest.runningSinceMs = this.parts.clock.monotonicMs();
      this.claimed = true;
    }
    if (this.order.desktopId === null && order.desktopId !== null) this.noteClaim();
    this.order = order;
    if (!changed) return;
    this.trouble = undefined;
    this.confirmedAtMs = undefined;
    this.probing?.abort(settled);
    this.wake();
  }

  private noteClaim(): void {
    this.claimedAtMs = this.parts.clock.monotonicMs();
    this.guest.silent = false;
    this.health.reset();
  }

  /** Something may have changed: look now. */
  wake(): void {
    this.woken = true;
    this.nap?.abort(settled);
  }

  /** The init channel broke; the guest may have rebooted. */
  doubtGuest(): void {
    this.guest.doubted = true;
    this.wake();
  }

  end(): void {
    this.over.abort(settled);
    this.probing?.abort(settled);
    this.nap?.abort(settled);
  }

  private async tend(): Promise<void> {
    while (!this.over.signal.aborted) {
      this.woken = false;
      const seen = this.justConfirmed || this.isClaimedAwake() ? this.seen : await this.look();
      this.justConfirmed = false;
      this.claimed = false;
      if (this.over.signal.aborted) return;
      if (seen === undefined) {
        await this.rest(this.parts.clock.monotonicMs() + backoffMs(this.lookFailures, 10_000));
        continue;
      }
      const step = nextStep(this.order, seen, this.facts());
      if (!this.isAdopting(step)) this.tell();
      if (isEffect(step)) await this.carryOut(step);
      else if (!(await this.askMember()))
        await this.rest(step.kind === 'wait' ? step.untilMs : this.parts.clock.monotonicMs() + this.parts.lookEveryMs);
    }
  }

  /** @returns whether something is to be thought about again */
  private async askMember(): Promise<boolean> {
    const { guest, health, order } = this;
    const isMember = order.desktopId === null && order.desired === 'running';
    if (!isMember || !guest.identified || !guest.frameTaken || !guest.commandAnswered) return false;
    const asking = new AbortController();
    this.probing = asking;
    const mark = identityMark({ owner: order.assignmentId, boot: guest.boot, version: order.identityVersion });
    const seen = await health.look(order, mark, asking.signal);
    this.probing = undefined;
    if (guest !== this.guest || order !== this.order) return true;
    if (seen === 'other') guest.doubted = true;
    const changed = seen === 'other' || guest.silent !== health.isSilent;
    guest.silent = health.isSilent;
    return changed;
  }

  /** Whoever got a machine that waits is not kept waiting by another look at it: if it is gone, it does not answer. */
  private isClaimedAwake(): boolean {
    if (!this.claimed || this.seen?.kind !== 'vm' || this.seen.vm.power !== 'running') return false;
    return this.seenAtMs !== undefined && this.parts.clock.monotonicMs() - this.seenAtMs <= this.parts.lookEveryMs;
  }

  private async look(): Promise<Seen | undefined> {
    const limit = {
      clock: this.parts.clock,
      limitMs: lookLimitMs,
      code: 'hypervisor_failed',
      doing: 'look at the virtual machine',
    };
    try {
      const vm = await within(this.parts.driver.look(this.order.vmRef), limit);
      this.lookFailures = 0;
      this.seenAtMs = this.parts.clock.monotonicMs();
      this.note(vm === undefined ? { kind: 'absent' } : { kind: 'vm', vm });
      return this.seen;
    } catch (error) {
      this.lookFailures += 1;
      this.parts.log.warn('look failed', {
        vmRef: this.order.vmRef,
        failures: this.lookFailures,
        error: describeError(error),
      });
      this.tellUnseen(observedFault(error, 'look at the virtual machine'));
      return undefined;
    }
  }

  /** Who waits for a desktop that was never seen is told why, where waiting does not help. Of others nothing new is known. */
  private tellUnseen(fault: ObservedFault): void {
    if (this.seen !== undefined || this.order.cloneSeen || fault.class !== 'operator') return;
    this.tellOnce(unseenObservation(this.order, fault, this.parts.clock.nowMs()));
  }

  private note(seen: Seen): void {
    this.seen = seen;
    const vm =
      seen.kind === 'vm' && seen.vm.owner === this.order.assignmentId && seen.vm.complete ? seen.vm : undefined;
    if (vm !== undefined) this.cloneSeen = true;
    if (vm?.power !== 'running') this.stop = undefined;
    this.noteCut(vm === undefined || vm.power === 'off');
    if (vm === undefined || vm.power === 'off' || vm.movedTo !== undefined)
      this.forgetGuest(vm?.boot ?? 0, vm?.movedTo === undefined ? undefined : 'moved');
    else if (vm.boot !== this.guest.boot) this.forgetGuest(vm.boot);
    if (vm?.power === 'running') this.guest.runningSinceMs ??= this.parts.clock.monotonicMs();
  }

  /** A cut that succeeded and changed nothing is a failure, or it would be tried again without a pause. */
  private noteCut(isOff: boolean): void {
    const inVain = this.cut && !isOff;
    this.cut = false;
    if (inVain) this.fail({ kind: 'kill' }, new Fault('hypervisor_failed', 'The power was cut, but it is not off.'));
    else if (isOff && this.trouble?.kind === 'kill') this.trouble = undefined;
  }

  private forgetGuest(boot: number, why?: 'moved'): void {
    const wasMet = this.guest.identified || this.guest.frameTaken || this.guest.commandAnswered;
    this.guest = freshGuest(boot);
    this.health.reset();
    this.claimedAtMs = undefined;
    if (wasMet) this.parts.guests.close(this.order, why);
  }

  private facts(): Facts {
    return {
      nowMs: this.parts.clock.monotonicMs(),
      wallMs: this.parts.clock.nowMs(),
      cloneSeen: this.cloneSeen || this.order.cloneSeen,
      removed: this.removed,
      claimedAtMs: this.claimedAtMs,
      confirmedAtMs: this.confirmedAtMs,
      guest: this.guest,
      stop: this.stop,
      trouble: this.trouble,
      bootTimeoutMs: this.parts.bootTimeoutMs,
    };
  }

  /**
   * A guest that ran before this process did is asked first and told of then, so that a restart of hostd does not make
   * ready desktops look unready.
   */
  private isAdopting(step: Step): boolean {
    const isStranger = this.last === undefined && this.startedBoot !== this.guest.boot;
    return isStranger && step.kind === 'probe' && this.trouble === undefined;
  }

  private tell(): void {
    if (this.seen === undefined) return;
    const control = this.parts.controlOf?.(this.order.assignmentId) ?? null;
    this.tellOnce({ ...observationOf(this.order, this.seen, this.facts()), control });
  }

  private tellOnce(observation: Observation): void {
    if (saysTheSame(this.last, observation)) return;
    this.last = observation;
    this.parts.tell(observation);
  }

  private async carryOut(effect: Effect): Promise<void> {
    const began = this.parts.clock.monotonicMs();
    const generation = this.order.generation;
    const fields = { vmRef: this.order.vmRef, effect: effect.kind };
    this.acting = true;
    this.seenAtMs = undefined;
    try {
      await this.effect(effect);
      // Whether a cut helped shows when it is looked at.
      if (this.trouble?.kind === effect.kind && effect.kind !== 'kill') this.trouble = undefined;
      this.parts.log.info('effect done', { ...fields, tookMs: Math.round(this.parts.clock.monotonicMs() - began) });
      if (effect.kind === 'probe') this.noteMet();
    } catch (error) {
      if (!this.over.signal.aborted && this.order.generation === generation) this.fail(effect, error);
    } finally {
      this.acting = false;
    }
  }

  private noteMet(): void {
    this.tell();
    const cold = this.seen?.kind === 'vm' && this.seen.vm.startMode === 'cold';
    if (cold && this.startedBoot === this.guest.boot) this.parts.coldStarted(this.order);
  }

  private async effect(effect: Effect): Promise<void> {
    const order = this.order;
    switch (effect.kind) {
      case 'confirm': {
        const seen = this.seen ?? { kind: 'absent' };
        await this.parts.confirm(observationOf(order, seen, this.facts()));
        if (this.order.generation !== order.generation) return;
        this.confirmedAtMs = this.parts.clock.monotonicMs();
        // It was looked at a moment ago, and nothing was done to it since.
        this.justConfirmed = true;
        return;
      }
      case 'probe':
        return this.meet(effect.lacks);
      case 'requestStop':
        this.stop ??= { sinceMs: this.parts.clock.monotonicMs(), asked: false };
        await this.inSlot(async () => {
          await act(this.parts, order, effect);
          if (this.stop !== undefined) this.stop.asked = true;
        });
        return;
      case 'start':
        return this.inSlot(async () => {
          const wasHalted = this.seen?.kind === 'vm' && this.seen.vm.power === 'paused';
          await act(this.parts, order, effect);
          // A guest that goes on may know who it is.
          this.startedBoot = wasHalted ? 0 : effect.boot;
          this.forgetGuest(effect.boot);
        });
      case 'clone':
        this.confirmedAtMs = undefined;
        return this.inSlot(() => act(this.parts, order, effect));
      case 'kill':
        return this.inSlot(async () => {
          await act(this.parts, order, effect);
          this.cut = true;
          this.claimedAtMs = undefined;
        });
      case 'delete':
        return this.inSlot(async () => {
          await act(this.parts, order, effect);
          this.removed = true;
        });
      case 'move':
        return this.inSlot(() => act(this.parts, order, effect));
    }
  }

  /** An order that changed while it waited for a slot is thought about again. */
  private async inSlot(work: () => Promise<void>): Promise<void> {
    const generation = this.order.generation;
    await this.parts.slots.run(async () => {
      if (this.over.signal.aborted || this.order.generation !== generation) return;
      await work();
    });
  }

  private async meet(lacks: readonly ('identity' | 'command' | 'frame')[]): Promise<void> {
    const { guest, order } = this;
    const probing = new AbortController();
    this.probing = probing;
    const gained = (part: (typeof lacks)[number]) => {
      // A desktop may have got the machine while its guest was told that it is nobody's.
      const isCurrent = order.identityVersion === this.order.identityVersion;
      if (part === 'identity') Object.assign(guest, { identified: isCurrent, doubted: false });
      if (part === 'identity' && isCurrent) this.claimedAtMs = undefined;
      if (part === 'command') guest.commandAnswered = true;
      if (part === 'frame') guest.frameTaken = true;
    };
    const mayBeIdentified = this.startedBoot !== guest.boot || guest.doubted;
    try {
      await probe(this.parts, {
        order,
        boot: guest.boot,
        lacks,
        kept: this.seen?.kind === 'vm' ? this.seen.vm.identity : undefined,
        mayBeIdentified,
        signal: probing.signal,
        gained,
      });
    } finally {
      this.probing = undefined;
    }
  }

  private fail(effect: Effect, error: unknown): void {
    const fault = observedFault(error, effect.kind);
    const failures = this.trouble?.kind === effect.kind ? this.trouble.failures + 1 : 1;
    const pauseMs = fault.class === 'operator' ? operatorRetryMs : backoffMs(failures, retryMaxMs[effect.kind]);
    this.trouble = { kind: effect.kind, fault, failures, retryAtMs: this.parts.clock.monotonicMs() + pauseMs };
    if (effect.kind === 'probe' && this.guest.doubted) Object.assign(this.guest, { identified: false, doubted: false });
    const level = effect.kind === 'probe' ? 'debug' : 'warn';
    this.parts.log[level]('effect failed', {
      vmRef: this.order.vmRef,
      effect: effect.kind,
      failures,
      error: describeError(error),
    });
  }

  private async rest(untilMs: number): Promise<void> {
    if (this.woken || this.over.signal.aborted) return;
    this.nap = new AbortController();
    await this.parts.clock.sleep(Math.max(1, untilMs - this.parts.clock.monotonicMs()), this.nap.signal);
    this.nap = undefined;
  }
}

function freshGuest(boot: number): GuestFacts {
  return { boot, identified: false, commandAnswered: false, frameTaken: false, doubted: false, silent: false };
}
