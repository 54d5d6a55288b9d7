import { describeError, isFault, Fault } from '@lebureau/kit/fault';
import { backoffMs, runLoop } from '@lebureau/kit/loop';
import { Caretaker, type CaretakerParts } from './caretaker.ts';
import { settled, Slots, within } from './limit.ts';
import { checkProtocol, protocols } from './protocol.ts';
import type { VmSeen } from './hypervisor/driver.ts';
import type { Assignment, AssignmentList, NodeHello, NodeWelcome, OrderDesk } from './orders.ts';
import { emptyQuarantine, entrustedOf, reviewStrangers, type Verdict } from './orphans.ts';
import { consentHint, type ReclaimRecord } from './reclaimrecord.ts';
import { Meter } from './metrics/meter.ts';
import { Reporter } from './reporter.ts';
import { Warmer, type WarmSize } from './warm.ts';
import { inTime, pollOrders, pollWaitSeconds } from './sync.ts';

export interface HostdParts extends Omit<CaretakerParts, 'slots' | 'healthSlots' | 'tell' | 'confirm' | 'coldStarted'> {
  desk: OrderDesk;
  nodeName: string;
  version: string;
  guestAddress: string;
  effectsMax: number;
  /** Makes the warm state of a size, in the background. Left out: nothing is warmed. */
  warm?: (size: WarmSize, signal: AbortSignal) => Promise<unknown>;
  /** How long a stop waits for effects that run. */
  drainMs: number;
  /** `dry-run`: what would be reclaimed is only logged. */
  reclaim: 'on' | 'dry-run';
  reclaimRecord: ReclaimRecord;
  /** How many recordings are kept here. Left out: none ever are. */
  recordingsCount?: () => number;
}

export type HostdEnd = 'stopped' | 'superseded';

const helloEveryMs = 10_000;
const pollSpreadSeconds = 5;
const callLimitMs = 10_000;
const ordersFreshMs = 60_000;
const strangersEveryMs = 30_000;
const listLimitMs = 30_000;
const reportDrainMs = 1_000;
const healthAsksMax = 3;

/** One run of hostd: takes orders, looks after their VMs, reports. Desktops outlive it. */
export class Hostd {
  private readonly parts: HostdParts;
  /** Ends loops and caretakers. */
  private readonly over = new AbortController();
  /** Ends reports, a little later. */
  private readonly silence = new AbortController();
  private readonly slots: Slots;
  private readonly healthSlots = new Slots(healthAsksMax);
  private readonly reporter: Reporter;
  private readonly meter: Meter;
  private readonly caretakers = new Map<string, Caretaker>();
  private readonly leaving = new Map<string, Promise<void>>();
  private welcome: NodeWelcome | undefined;
  private warmSizes: ReadonlyMap<string, readonly string[]> = new Map();
  private readonly warmer: Warmer | undefined;
  private ordersAtMs: number | undefined;
  private goneForGood = new Set<string>();
  private superseded = false;

  constructor(parts: HostdParts) {
    this.parts = parts;
    this.slots = new Slots(parts.effectsMax);
    const { warm, clock, log } = parts;
    if (warm !== undefined)
      this.warmer = new Warmer({ warm, isBusy: () => this.isBusy, clock, log, signal: this.over.signal });
    const fatal = (error: unknown) => this.isSuperseded(error);
    const { desk, driver } = parts;
    this.reporter = new Reporter({ desk, clock, log, signal: this.silence.signal, fatal });
    this.meter = new Meter({ desk, driver, clock, log, signal: this.over.signal, fatal, vms: () => this.ownRunning() });
  }

  /** Runs until `stop` aborts or another hostd takes over. */
  async run(stop: AbortSignal): Promise<HostdEnd> {
    const end = () => this.over.abort(settled);
    stop.addEventListener('abort', end, { once: true });
    if (stop.aborted) end();
    await this.takeOver();
    await Promise.all([this.renew(), this.followOrders(), this.watchStrangers()]);
    await Promise.all([this.drain(), this.warmer?.ended(), this.meter.ended()]);
    return this.superseded ? 'superseded' : 'stopped';
  }

  /** Effects that run are let end, so that little is left half-made; what was seen is told. */
  private async drain(): Promise<void> {
    const caretakers = [...this.caretakers.values()];
    for (const caretaker of caretakers) caretaker.end();
    const late = new AbortController();
    const ended = Promise.all(caretakers.map((one) => one.ended)).then(() => this.reporter.drain(reportDrainMs));
    if (!this.superseded) await Promise.race([ended, this.parts.clock.sleep(this.parts.drainMs, late.signal)]);
    late.abort(settled);
    this.silence.abort(settled);
  }

  /** The caretaker of an assignment that is in the orders. */
  caretaker(assignmentId: string): Caretaker | undefined {
    return this.caretakers.get(assignmentId);
  }

  /** What is known of an assignment, for those who reach into its guest. */
  find(assignmentId: string): { order: Assignment; vm: VmSeen | undefined; identified: boolean } | undefined {
    const now = this.caretakers.get(assignmentId)?.now;
    if (now === undefined) return undefined;
    return { order: now.order, vm: now.seen?.kind === 'vm' ? now.seen.vm : undefined, identified: now.identified };
  }

  /** Of this run, once it began. */
  get epoch(): number | undefined {
    return this.welcome?.epoch;
  }

  /** Whether a list of orders came, and not too long ago. */
  get knowsOrders(): boolean {
    return this.ordersAtMs !== undefined && this.parts.clock.monotonicMs() - this.ordersAtMs < ordersFreshMs;
  }

  /** Whether a desktop is on its way to being ready, or a machine is being changed. */
  get isBusy(): boolean {
    return [...this.caretakers.values()].some((one) => one.isBusy);
  }

  /** A hint of the driver: something about this VM changed. */
  wake(vmRef: string): void {
    for (const caretaker of this.caretakers.values()) if (caretaker.vmRef === vmRef) caretaker.wake();
  }

  private isSuperseded(error: unknown): boolean {
    if (!isFault(error, 'epoch_superseded')) return false;
    if (!this.superseded) this.parts.log.error('another hostd took over this node', {});
    this.superseded = true;
    this.over.abort(settled);
    this.silence.abort(settled);
    for (const caretaker of this.caretakers.values()) caretaker.end();
    return true;
  }

  /** Starts a new epoch; tried until it works. */
  private async takeOver(): Promise<void> {
    let lastWhy = '';
    for (let failures = 0; !this.over.signal.aborted; failures += 1) {
      try {
        this.welcome = await this.hello(undefined);
        this.reporter.beginEpoch(this.welcome.epoch);
        this.meter.want(this.welcome);
        this.parts.log.info('epoch begun', { epoch: this.welcome.epoch, nodeId: this.welcome.nodeId });
        return;
      } catch (error) {
        const why = describeError(error);
        if (why !== lastWhy || failures % 100 === 0) this.parts.log.warn('hello failed', { failures, error: why });
        lastWhy = why;
        await this.parts.clock.sleep(backoffMs(failures, failures < 50 ? 300 : 5_000), this.over.signal);
      }
    }
  }

  private async hello(epoch: number | undefined): Promise<NodeWelcome> {
    const { driver, clock } = this.parts;
    const limit = { clock, limitMs: callLimitMs, code: 'hypervisor_failed', doing: 'ask the hypervisor what it is' };
    const { diskHeldMiB, ...facts } = await within(driver.facts(), limit);
    this.warmSizes = new Map(facts.templates.map((template) => [template.id, template.warmSizes]));
    const hello: NodeHello = {
      nodeName: this.parts.nodeName,
      version: this.parts.version,
      protocols: [...protocols],
      guestAddress: this.parts.guestAddress,
      driver: driver.capabilities.name,
      ...facts,
      diskHeldMiB: this.sumHeld(diskHeldMiB),
      acceleratorReason: facts.acceleratorReason.slice(0, 500),
      networkReason: facts.networkReason.slice(0, 500),
      ...(epoch === undefined ? {} : { epoch }),
      recordings: this.parts.recordingsCount?.() ?? 0,
    };
    const patience = { clock, signal: this.over.signal };
    const welcome = await inTime(patience, callLimitMs, (signal) => this.parts.desk.hello(hello, signal));
    checkProtocol(welcome.protocol);
    return welcome;
  }

  /** A machine that nobody ordered holds its disk from others; before orders were read nobody knows which those are. */
  private sumHeld(held: Readonly<Record<string, number>>): number {
    const ordered = new Set([...this.caretakers.values()].map((one) => one.vmRef));
    const counted = Object.entries(held).filter(([vmRef]) => this.ordersAtMs === undefined || ordered.has(vmRef));
    return counted.reduce((sum, [, heldMiB]) => sum + heldMiB, 0);
  }

  private async renew(): Promise<void> {
    const options = { ...this.loop('hello'), intervalMs: helloEveryMs, backoffMaxMs: 5_000 };
    // At a moment of its own: where the API was away all nodes begin at once, and would speak at once for ever.
    await this.parts.clock.sleep(Math.random() * helloEveryMs, this.over.signal);
    await runLoop(options, async () => {
      try {
        this.welcome = await this.hello(this.welcome?.epoch);
        this.meter.want(this.welcome);
      } catch (error) {
        if (!this.isSuperseded(error)) throw error;
      }
    });
  }

  private async followOrders(): Promise<void> {
    let after: string | undefined;
    await runLoop({ ...this.loop('orders'), intervalMs: 0, backoffMaxMs: 2_000 }, async () => {
      const epoch = this.welcome?.epoch;
      if (epoch === undefined) throw new Fault('api_unreachable', 'No epoch yet.');
      try {
        const { desk, clock } = this.parts;
        const waitSeconds = after === undefined ? 0 : pollWaitSeconds - Math.floor(Math.random() * pollSpreadSeconds);
        const list = await pollOrders({ desk, clock, epoch, after, waitSeconds, signal: this.over.signal });
        this.take(list);
        after = list.revision;
      } catch (error) {
        after = undefined;
        if (!this.isSuperseded(error)) throw error;
      }
    });
  }

  private take(list: AssignmentList): void {
    if (this.over.signal.aborted || list.epoch !== this.welcome?.epoch) return;
    this.ordersAtMs = this.parts.clock.monotonicMs();
    const named = new Set<string>();
    for (const order of list.assignments) {
      named.add(order.assignmentId);
      const caretaker = this.caretakers.get(order.assignmentId);
      if (caretaker !== undefined) caretaker.give(order);
      else
        this.caretakers.set(
          order.assignmentId,
          new Caretaker(this.caretakerParts(), order, this.leaving.get(order.assignmentId)),
        );
    }
    for (const [assignmentId, caretaker] of this.caretakers) {
      if (named.has(assignmentId)) continue;
      if (caretaker.now.seen?.kind === 'absent') this.goneForGood.add(caretaker.vmRef);
      caretaker.end();
      const { order } = caretaker.now;
      this.parts.guests.close(order, order.desired === 'deleted' ? undefined : 'moved');
      this.caretakers.delete(assignmentId);
      this.leave(assignmentId, caretaker);
    }
  }

  /** A size that had to start cold is to start warm the next time. */
  private wantWarm(order: Assignment): void {
    const { vcpus, memoryMiB } = order.hardware;
    const isWarm = this.warmSizes.get(order.templateId)?.includes(`${vcpus}x${memoryMiB}`);
    if (isWarm !== true) this.warmer?.want({ templateId: order.templateId, vcpus, memoryMiB });
  }

  /** Should the order come back while an effect still runs, the next caretaker waits for its end. */
  private leave(assignmentId: string, caretaker: Caretaker): void {
    this.leaving.set(assignmentId, caretaker.ended);
    void caretaker.ended.then(() => {
      if (this.leaving.get(assignmentId) === caretaker.ended) this.leaving.delete(assignmentId);
    });
  }

  private caretakerParts(): CaretakerParts {
    const tell = this.reporter.tell.bind(this.reporter);
    const confirm = this.reporter.confirm.bind(this.reporter);
    return {
      ...this.parts,
      slots: this.slots,
      healthSlots: this.healthSlots,
      tell,
      confirm,
      coldStarted: (order) => this.wantWarm(order),
    };
  }

  /** The assignments of VMs that run and are theirs, by name. */
  private ownRunning(): Map<string, string> {
    const running = new Map<string, string>();
    for (const { now } of this.caretakers.values()) {
      const { order, seen } = now;
      const isOwn = seen?.kind === 'vm' && seen.vm.owner === order.assignmentId && seen.vm.complete;
      if (isOwn && seen.vm.power !== 'off') running.set(order.vmRef, order.assignmentId);
    }
    return running;
  }

  private async watchStrangers(): Promise<void> {
    let quarantine = { ...emptyQuarantine, ...this.parts.reclaimRecord.read() };
    await runLoop(
      { ...this.loop('strangers'), intervalMs: strangersEveryMs, backoffMaxMs: strangersEveryMs },
      async () => {
        const vms = await this.listVms();
        if (this.over.signal.aborted) return;
        const verdict = reviewStrangers(quarantine, {
          nowMs: this.parts.clock.monotonicMs(),
          vms,
          ordered: this.orderedNames(),
          nodeId: this.welcome?.nodeId,
          goneForGood: this.goneForGood,
          reclaimAfterMs: (this.welcome?.reclaimAfterSeconds ?? 600) * 1000,
        });
        quarantine = verdict.quarantine;
        // None after a round that failed: those of before may have left, and every report tells them again.
        this.reporter.tellStrangers(verdict.strangers);
        if (verdict.counted) {
          this.parts.reclaimRecord.write(entrustedOf(quarantine));
          this.goneForGood = new Set();
        }
        await this.reclaim(verdict);
      },
    );
  }

  private async listVms() {
    const limit = {
      clock: this.parts.clock,
      limitMs: listLimitMs,
      code: 'list_incomplete',
      doing: 'list the virtual machines',
    };
    return within(this.parts.driver.list(), limit).catch((error: unknown) => {
      this.parts.log.warn('list failed', { error: describeError(error) });
      return undefined;
    });
  }

  private orderedNames(): Set<string> | undefined {
    const ageMs = this.ordersAtMs === undefined ? Infinity : this.parts.clock.monotonicMs() - this.ordersAtMs;
    return ageMs > ordersFreshMs ? undefined : new Set([...this.caretakers.values()].map((one) => one.vmRef));
  }

  private async reclaim(verdict: Verdict): Promise<void> {
    if (verdict.refused !== undefined && verdict.strangers.length > 0)
      this.parts.log.warn('reclaim refused', { why: verdict.refused, hint: consentHint });
    if (verdict.kept.length > 0)
      this.parts.log.warn('strangers kept that an API may have lost', { vmRefs: verdict.kept, hint: consentHint });
    for (const { vmRef, owner } of verdict.reclaim) {
      this.parts.log.warn(this.parts.reclaim === 'on' ? 'stranger reclaimed' : 'stranger would be reclaimed', {
        vmRef,
        owner,
      });
      if (this.parts.reclaim !== 'on') continue;
      const limit = {
        clock: this.parts.clock,
        limitMs: 120_000,
        code: 'hypervisor_failed',
        doing: 'delete a stranger',
      };
      await this.slots.run(async () => {
        if (this.over.signal.aborted || this.caretakers.has(owner)) return;
        await within(this.parts.driver.delete(vmRef, owner), limit);
      });
    }
  }

  private loop(name: string) {
    return { name, clock: this.parts.clock, log: this.parts.log, signal: this.over.signal };
  }
}
