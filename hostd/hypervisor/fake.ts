import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { GuestDoor } from '../act.ts';
import { identityMark } from '../guest/init/channel.ts';
import type { Assignment } from '../orders.ts';
import type {
  Driver,
  DriverCapabilities,
  KeptIdentity,
  MoveSpec,
  NodeFacts,
  StartOptions,
  VmMetrics,
  VmSeen,
  VmSpec,
} from './driver.ts';

/**
 * A hypervisor in memory, for tests and for trying the API without a VM. It outlives the processes that use it: each
 * gets a client of its own, and `at` decides at every point of every effect whether that process goes on.
 */
export interface FakeOptions {
  clock: Clock;
  /** How long after a start the guest answers. */
  bootMs?: number;
  /** Deliberate faults of a driver, to see the crash matrix catch them. */
  flaw?:
    | 'markerAfterClone'
    | 'nameAfterClone'
    | 'homeBeforeMove'
    | 'movesTwice'
    | 'identityAfterMove'
    | 'settlesBlindly';
  /** Its cluster, where it has one: then its drivers say so and move VMs between members. */
  cluster?: string;
  /** How long a move takes, whether or not anybody waits. */
  moveMs?: number;
}

/** Called before and after each part of an effect. May throw (it failed), delay (late), or never end (the process died). */
export type FakePoint = (point: string, vmRef: string) => Promise<void>;

export interface FakeVm extends Omit<VmSeen, 'identity' | 'movedTo' | 'arrivedAt'> {
  vmRef: string;
  /** Where it is; and whose hostd looks after it. */
  node: string;
  home: string;
  kept?: KeptIdentity;
  /** Written before a move begins. */
  movingTo?: string;
  /** How often it was given away: who read it before must not write it after. */
  changes?: number;
  /** The member whose hostd told the guest last who it is. */
  metBy?: string;
  /** Distinguishes the disk of one clone from that of the next; 0 while there is none. */
  disk: number;
  startedAtMs: number;
  /** What init answers when asked who it is. */
  identity?: string;
  /** Never answers on any channel, and ignores the request to power off. */
  wedged?: boolean;
  /** Cutting its power succeeds and changes nothing. */
  unkillable?: boolean;
  /** In the place of what it makes up. */
  metrics?: Partial<VmMetrics>;
}

export class FakeHypervisor {
  readonly clock: Clock;
  readonly bootMs: number;
  readonly flaw: FakeOptions['flaw'];
  readonly cluster: string | undefined;
  readonly moveMs: number;
  /** Every move that was begun, as `${vmRef} ${to}`. */
  readonly moves: string[] = [];
  /** Two moves of one VM ran at once. */
  movedTwice = false;
  /** Raised by a power cut: moves of before end in nothing. */
  private powerCuts = 0;
  readonly vms = new Map<string, FakeVm>();
  private readonly durable = new Map<string, FakeVm>();
  /** Every disk ever made, in order: `${vmRef} ${owner}`. */
  readonly disksMade: string[] = [];
  /** Every VM ever removed. */
  readonly removed: string[] = [];
  readonly templates: NodeFacts['templates'] = [];

  constructor(options: FakeOptions) {
    this.clock = options.clock;
    this.bootMs = options.bootMs ?? 0;
    this.flaw = options.flaw;
    this.cluster = options.cluster;
    this.moveMs = options.moveMs ?? 0;
  }

  /** What was written is on the disk. */
  sync(vmRef: string): void {
    const vm = this.vms.get(vmRef);
    if (vm === undefined) this.durable.delete(vmRef);
    else this.durable.set(vmRef, { ...vm });
  }

  /** The node loses power: what was not synced is gone, and nothing runs. */
  losePower(): void {
    this.powerCuts += 1;
    this.vms.clear();
    for (const [vmRef, vm] of this.durable) {
      const died = vm.power === 'off' ? {} : { offBecause: 'crashed' as const };
      this.vms.set(vmRef, { ...vm, power: 'off', identity: undefined, moving: false, ...died });
    }
  }

  /** A move goes on whoever asked for it; refused while one runs. */
  beginMove(vm: FakeVm, to: string): void {
    if (vm.moving) {
      this.movedTwice = true;
      return;
    }
    vm.moving = true;
    this.moves.push(`${vm.vmRef} ${to}`);
    this.sync(vm.vmRef);
    const { powerCuts } = this;
    void this.clock.sleep(this.moveMs).then(() => {
      const now = this.vms.get(vm.vmRef);
      if (now?.moving !== true || powerCuts !== this.powerCuts) return;
      Object.assign(now, { moving: false, node: to });
      this.sync(vm.vmRef);
    });
  }

  /** The guest powers itself off, or its hypervisor process dies. */
  endGuest(vmRef: string, offBecause: 'guest' | 'crashed'): void {
    const vm = this.vms.get(vmRef);
    if (vm === undefined || vm.power === 'off') return;
    Object.assign(vm, { power: 'off', offBecause, identity: undefined });
    this.sync(vmRef);
  }

  /** A VM that somebody else made. */
  plant(vm: { vmRef: string; owner?: string }): void {
    const place = { node: loneMember, home: loneMember };
    this.vms.set(vm.vmRef, { ...vm, ...place, complete: true, power: 'running', boot: 1, disk: -1, startedAtMs: 0 });
    this.sync(vm.vmRef);
  }

  /** The driver of one process, on one member of the cluster. */
  driver(at: FakePoint = undisturbed, member = loneMember): Driver {
    return new FakeDriver({ world: this, at, member });
  }

  guests(at: FakePoint = undisturbed, member = loneMember): GuestDoor {
    return new FakeGuests({ world: this, at, member });
  }
}

const loneMember = 'node';
const movePollMs = 200;
const movePollsMax = 100;

interface Client {
  world: FakeHypervisor;
  at: FakePoint;
  member: string;
}

const undisturbed: FakePoint = () => Promise.resolve();

class FakeDriver implements Driver {
  readonly capabilities: DriverCapabilities;
  private readonly world: FakeHypervisor;
  private readonly at: FakePoint;
  private readonly member: string;

  constructor({ world, at, member }: Client) {
    this.world = world;
    this.at = at;
    this.member = member;
    const migration = world.cluster !== undefined;
    this.capabilities = { name: 'fake', warmStart: true, snapshotsWithMemory: false, migration };
  }

  async facts(): Promise<NodeFacts> {
    return {
      accelerator: 'none',
      acceleratorReason: 'The fake hypervisor runs nothing.',
      hypervisorVersion: 'fake',
      vcpus: 64,
      memoryMiB: 262_144,
      diskFreeMiB: 10_000_000,
      diskHeldMiB: {},
      network: 'none',
      networkReason: 'The fake hypervisor has no network.',
      templates: this.world.templates,
      ...(this.world.cluster === undefined ? {} : { cluster: { id: this.world.cluster, member: this.member } }),
    };
  }

  async list(): Promise<VmSeen[]> {
    await this.at('list', '');
    const vms = [...this.world.vms.values()].filter((vm) => vm.home === this.member || isArrival(vm, this.member));
    return vms.map((vm) => seen(vm, this.member));
  }

  async look(vmRef: string): Promise<VmSeen | undefined> {
    await this.at('look', vmRef);
    const vm = this.world.vms.get(vmRef);
    return vm === undefined ? undefined : seen(vm, this.member);
  }

  async clone(spec: VmSpec): Promise<void> {
    const { world } = this;
    await this.at('clone:before', spec.vmRef);
    const there = world.vms.get(spec.vmRef);
    if (there !== undefined && there.owner !== spec.owner) throw new Fault('not_ours', 'Another owner holds the name.');
    if (there?.complete) return;
    if (world.flaw !== undefined) return this.flawedClone(spec);
    world.vms.set(spec.vmRef, halfMade(spec, this.member));
    world.sync(spec.vmRef);
    await this.at('clone:marked', spec.vmRef);
    if (this.mustGet(spec.vmRef).complete) return;
    this.makeDisk(spec.vmRef, spec.owner);
    await this.at('clone:disk', spec.vmRef);
    this.mustGet(spec.vmRef).complete = true;
    world.sync(spec.vmRef);
    await this.at('clone:after', spec.vmRef);
  }

  /** The two ways not to do it: the disk before the marker, and a name that is only known afterwards. */
  private async flawedClone(spec: VmSpec): Promise<void> {
    const { world } = this;
    const name = world.flaw === 'nameAfterClone' ? `lb-draft-${world.disksMade.length}` : spec.vmRef;
    world.vms.set(name, {
      ...halfMade(spec, this.member),
      vmRef: name,
      owner: world.flaw === 'markerAfterClone' ? undefined : spec.owner,
    });
    this.makeDisk(name, spec.owner);
    world.sync(name);
    await this.at('clone:disk', spec.vmRef);
    const vm = this.mustGet(name);
    world.vms.delete(name);
    world.sync(name);
    world.vms.set(spec.vmRef, { ...vm, vmRef: spec.vmRef, owner: spec.owner, complete: true });
    world.sync(spec.vmRef);
    await this.at('clone:after', spec.vmRef);
  }

  private makeDisk(vmRef: string, owner: string): void {
    this.mustGet(vmRef).disk = this.world.disksMade.push(`${vmRef} ${owner}`);
  }

  async start(vmRef: string, start: StartOptions): Promise<void> {
    const { world } = this;
    await this.at('start:before', vmRef);
    const vm = this.mustGet(vmRef);
    if (vm.power === 'running') return;
    if (vm.power === 'paused' && vm.boot === start.boot) return this.resume(vm);
    const startMode = vm.boot === 0 ? 'warm' : 'cold';
    Object.assign(vm, { boot: start.boot, startMode, offBecause: undefined });
    world.sync(vmRef);
    await this.at('start:written', vmRef);
    Object.assign(this.mustGet(vmRef), { power: 'paused', offBecause: undefined });
    world.sync(vmRef);
    await this.at('start:paused', vmRef);
    Object.assign(this.mustGet(vmRef), { power: 'running', startedAtMs: world.clock.monotonicMs() });
    world.sync(vmRef);
    await this.at('start:after', vmRef);
  }

  /** A halted guest keeps its memory. */
  private async resume(vm: FakeVm): Promise<void> {
    if (vm.trouble !== undefined) throw new Fault('disk_full', vm.trouble);
    vm.power = 'running';
    this.world.sync(vm.vmRef);
    await this.at('start:after', vm.vmRef);
  }

  async requestStop(vmRef: string): Promise<void> {
    await this.at('requestStop:before', vmRef);
    const vm = this.mustGet(vmRef);
    if (vm.power === 'running' && !vm.wedged) this.switchOff(vmRef);
    await this.at('requestStop:after', vmRef);
  }

  async kill(vmRef: string): Promise<void> {
    await this.at('kill:before', vmRef);
    const vm = this.mustGet(vmRef);
    if (vm.power !== 'off' && !vm.unkillable) this.switchOff(vmRef);
    await this.at('kill:after', vmRef);
  }

  private switchOff(vmRef: string): void {
    Object.assign(this.mustGet(vmRef), { power: 'off', offBecause: 'requested', identity: undefined });
    this.world.sync(vmRef);
  }

  async delete(vmRef: string, owner: string): Promise<void> {
    const { world } = this;
    await this.at('delete:before', vmRef);
    const vm = world.vms.get(vmRef);
    if (vm === undefined) return;
    const isStray = vm.owner === undefined && !vm.complete;
    if (vm.owner !== owner && !isStray) throw new Fault('not_ours', 'Another owner holds the name.');
    Object.assign(vm, { power: 'off', complete: false, offBecause: 'requested' });
    world.sync(vmRef);
    await this.at('delete:off', vmRef);
    const still = world.vms.get(vmRef);
    if (still !== undefined) still.disk = 0;
    await this.at('delete:disk', vmRef);
    if (world.vms.delete(vmRef)) world.removed.push(vmRef);
    world.sync(vmRef);
    await this.at('delete:after', vmRef);
  }

  async migrate({ vmRef, owner, to, identity }: MoveSpec): Promise<void> {
    const { world } = this;
    await this.at('move:before', vmRef);
    if (this.mustGet(vmRef).owner !== owner) throw new Fault('not_ours', 'Another owner holds the name.');
    if (isArrival(this.mustGet(vmRef), this.member)) return this.settle(vmRef, { to, identity });
    if (this.isThere(vmRef, to)) return;
    this.demandHome(vmRef);
    if (world.flaw === 'homeBeforeMove') await this.settle(vmRef, { to, identity });
    const kept = world.flaw === 'identityAfterMove' ? undefined : identity;
    Object.assign(this.mustGet(vmRef), { movingTo: to, kept: this.mustGet(vmRef).kept ?? kept });
    world.sync(vmRef);
    const isOrdered = this.mustGet(vmRef).moving === true && world.flaw !== 'movesTwice';
    if (!isOrdered && this.mustGet(vmRef).node !== to) world.beginMove(this.mustGet(vmRef), to);
    await this.at('move:begun', vmRef);
    for (let polls = 0; this.mustGet(vmRef).moving && polls < movePollsMax; polls++)
      await world.clock.sleep(movePollMs);
    if (this.mustGet(vmRef).node !== to) throw new Fault('hypervisor_failed', 'The move was cut off.');
    const { changes } = this.mustGet(vmRef);
    await this.at('move:arrived', vmRef);
    if (this.mustGet(vmRef).changes !== changes && world.flaw !== 'settlesBlindly')
      throw new Fault('hypervisor_failed', 'Somebody else wrote meanwhile.');
    await this.settle(vmRef, { to, identity });
    await this.at('move:after', vmRef);
  }

  private isThere(vmRef: string, to: string): boolean {
    const { home, node } = this.mustGet(vmRef);
    return home === to && node === to;
  }

  private demandHome(vmRef: string): void {
    const { home } = this.mustGet(vmRef);
    if (home !== this.member) throw new Fault('not_ours', `The hostd of node ${home} looks after it.`);
  }

  private async settle(vmRef: string, { to: home, identity }: Pick<MoveSpec, 'to' | 'identity'>): Promise<void> {
    const vm = this.mustGet(vmRef);
    const changes = (vm.changes ?? 0) + 1;
    Object.assign(vm, { home, kept: vm.kept ?? identity, movingTo: undefined, changes });
    this.world.sync(vmRef);
    await this.at('move:settled', vmRef);
  }

  /** Every guest keeps a twentieth of a processor busy and writes a little. */
  async metrics(): Promise<VmMetrics[]> {
    const running = [...this.world.vms.values()].filter((vm) => vm.power === 'running');
    return running.map((vm) => {
      const upMs = Math.max(0, this.world.clock.monotonicMs() - vm.startedAtMs);
      return {
        vmRef: vm.vmRef,
        life: `${vm.boot}:${vm.startedAtMs}`,
        cpuMs: Math.floor(upMs / 20),
        memoryUsedKiB: 614_400,
        memoryHostKiB: 102_400,
        diskUsedKiB: 204_800 + Math.floor(upMs / 1000),
        diskReadBytes: Math.floor(upMs),
        diskWrittenBytes: Math.floor(upMs * 4),
        networkReceivedBytes: Math.floor(upMs / 2),
        networkSentBytes: Math.floor(upMs / 4),
        ...vm.metrics,
      };
    });
  }

  openInit(): Promise<never> {
    return Promise.reject(noChannel());
  }

  openDisplay(): Promise<never> {
    return Promise.reject(noChannel());
  }

  openPort(): Promise<never> {
    return Promise.reject(noChannel());
  }

  private mustGet(vmRef: string): FakeVm {
    const vm = this.world.vms.get(vmRef);
    if (vm === undefined) throw new Fault('vm_missing', `There is no virtual machine ${vmRef}.`);
    return vm;
  }
}

class FakeGuests implements GuestDoor {
  private readonly world: FakeHypervisor;
  private readonly at: FakePoint;
  private readonly member: string;

  constructor({ world, at, member }: Client) {
    this.world = world;
    this.at = at;
    this.member = member;
  }

  async identity(order: Assignment): Promise<string | undefined> {
    return (await this.reach('identity', order)).identity;
  }

  async identify(order: Assignment, identity: Parameters<GuestDoor['identify']>[1]): Promise<void> {
    const vm = await this.reach('identify:before', order);
    vm.identity = identityMark(identity);
    vm.metBy = this.member;
    await this.at('identify:after', order.vmRef);
  }

  async answerCommand(order: Assignment): Promise<void> {
    const vm = await this.reach('command', order);
    if (vm.identity === undefined) throw new Fault('guest_unreachable', 'The guest does not know who it is.');
  }

  async takeFrame(order: Assignment): Promise<void> {
    await this.reach('frame', order);
  }

  close(): void {}

  private async reach(point: string, order: Assignment): Promise<FakeVm> {
    await this.at(point, order.vmRef);
    const vm = this.world.vms.get(order.vmRef);
    const up =
      vm?.power === 'running' && !vm.wedged && this.world.clock.monotonicMs() >= vm.startedAtMs + this.world.bootMs;
    if (vm === undefined || !up || vm.node !== this.member) throw noChannel();
    return vm;
  }
}

function halfMade({ vmRef, owner }: VmSpec, node: string): FakeVm {
  return { vmRef, owner, node, home: node, complete: false, power: 'off', boot: 0, disk: 0, startedAtMs: 0 };
}

function seen(vm: FakeVm, member: string): VmSeen {
  const { vmRef, owner, complete, power, boot, startMode, offBecause, trouble, moving, kept: identity } = vm;
  const isHere = isArrival(vm, member);
  const movedTo = vm.home === member || isHere ? undefined : vm.home;
  const arrivedAt = isHere || (vm.node !== member && vm.movingTo === vm.node) ? vm.node : undefined;
  return { vmRef, owner, complete, power, boot, startMode, offBecause, trouble, moving, movedTo, arrivedAt, identity };
}

/** It came to this member, and whoever sent it has not marked it as this one's. */
function isArrival({ node, home, movingTo, moving, kept }: FakeVm, member: string): boolean {
  return node === member && home !== member && movingTo === member && moving !== true && kept !== undefined;
}

function noChannel(): Fault {
  return new Fault('guest_unreachable', 'The guest does not answer.');
}
