import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { Hostd } from '../hostd.ts';
import type { Assignment } from '../orders.ts';
import type { Entrusted } from '../orphans.ts';
import type { ReclaimRecord } from '../reclaimrecord.ts';
import { VirtualClock } from '../virtualclock.ts';
import { ApiDouble, type ApiFlaw, type Wish } from './apidouble.ts';
import { fakeGround, type Ground, type GroundOptions, type GroundVm } from './ground.ts';

export const assignmentId = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
export const vmRef = 'lb-01k9x3v6m8e9t2q4r6s8v0w2y4';

/**
 * What happens at one point of the run:
 * crash: this process dies, another comes a second later · powerLoss: the whole node · lost: it happens, the answer
 * never comes · late: it happens after everybody gave up · fail: an error · takeover: a second hostd starts beside it ·
 * absence: the node is away for an hour · gone: its hostd never comes back · a wish of the user, carried out just then. `claimed`: a desktop gets the
 * machine, which was nobody's · `moved`: to the other member of the cluster · `unmoved`: that is called off.
 */
export type Mishap = 'crash' | 'powerLoss' | 'lost' | 'late' | 'fail' | 'takeover' | 'absence' | 'gone' | Wish;
export interface Plan {
  /** Mishap by the number of the point in the run, from 1. */
  mishaps: ReadonlyMap<number, Mishap>;
  /** Wishes of the user, each made when the former one is fulfilled. */
  wishes: readonly Wish[];
  /** Deliberate faults, of the API double or of what the ground knows. */
  flaw?: string;
  /** Nodes of one cluster, each with a hostd of its own; the first makes the desktop. Default: one that has none. */
  members?: readonly string[];
  /** How long a move takes. */
  moveMs?: number;
  bootMs?: number;
  /** The guest answers nothing and ignores requests to power off. */
  wedged?: boolean;
  /** The disk vanishes when the desktop is ready for the first time. */
  losesDisk?: boolean;
}

export interface Outcome {
  /** Broken invariants; empty is well. */
  wrong: string[];
  points: string[];
  steps: number;
  powerLost: boolean;
}

const limitMs = 3 * 3_600_000;
const stepsMax = 20_000;
const apiFlaws: readonly unknown[] = ['forgetsClones', 'keepsIdentityVersion', 'ignoresArrivals'];

export type OpenGround = (options: GroundOptions) => Ground;

export async function play(plan: Plan, openGround: OpenGround = fakeGround): Promise<Outcome> {
  const world = new World(plan, openGround);
  await world.play();
  return { wrong: [...world.wrong], points: world.points, steps: world.steps, powerLost: world.powerLost };
}

class World {
  readonly clock = new VirtualClock();
  readonly ground: Ground;
  readonly api: ApiDouble;
  readonly wrong = new Set<string>();
  readonly points: string[] = [];
  private readonly entrusted = new Map<string, Entrusted>();
  steps = 0;
  powerLost = false;
  private readonly plan: Plan;
  private readonly processes = new Set<Process>();
  private diskLost = false;

  constructor(plan: Plan, openGround: OpenGround) {
    this.plan = plan;
    const isOfApi = apiFlaws.includes(plan.flaw);
    const { bootMs = 0, moveMs = 0, members } = plan;
    const cluster = members === undefined ? undefined : 'cluster';
    this.ground = openGround({ clock: this.clock, bootMs, moveMs, cluster, flaw: isOfApi ? undefined : plan.flaw });
    this.api = new ApiDouble(this.clock, isOfApi ? (plan.flaw as ApiFlaw) : undefined);
  }

  async play(): Promise<void> {
    this.api.insert(firstOrder);
    for (const member of this.plan.members ?? ['node']) this.boot(member);
    await this.until('ready at first', () => this.isFulfilled());
    if (this.plan.losesDisk && this.order.desired !== 'deleted') await this.loseDisk();
    for (const wish of this.plan.wishes) {
      if (wish === 'deleted' || this.order.desired !== 'deleted') this.api.want(assignmentId, wish);
      await this.until(wish, () => this.isFulfilled());
    }
    if (this.order.desired !== 'deleted') this.api.want(assignmentId, 'deleted');
    await this.until('deleted', () => this.isFulfilled());
    await this.until('no VM that nobody knows', () => this.ground.vms().length === 0);
    for (const name of this.ground.touched(this.powerLost)) this.wrong.add(`touched a foreign VM ${name}`);
    for (const process of this.processes) process.die();
  }

  /** The file of a node, which outlives its processes. */
  reclaimRecord(member: string): ReclaimRecord {
    return {
      read: () => this.entrusted.get(member),
      write: (entrusted) => void this.entrusted.set(member, entrusted),
    };
  }

  private get order(): Assignment {
    return this.api.row(assignmentId).order;
  }

  private boot(member: string): void {
    const there = [...this.processes].filter((one) => one.member === member);
    if (there.length < 3) this.processes.add(new Process(this, member));
  }

  private async until(what: string, reached: () => boolean): Promise<void> {
    const start = this.clock.monotonicMs();
    for (let steps = 0; !reached(); steps += 1) {
      this.steps += 1;
      const inTime = await this.clock.next(start + limitMs);
      if (inTime && steps < stepsMax) continue;
      this.wrong.add(`never: ${what} (${steps} steps)`);
      return;
    }
  }

  private async loseDisk(): Promise<void> {
    this.diskLost = true;
    this.ground.loseDisk(vmRef);
    await this.until('the loss is told', () => this.isFulfilled());
  }

  /** What the user wished is so, and the API says so. */
  private isFulfilled(): boolean {
    const row = this.api.row(assignmentId);
    const vm = this.ground.vms().find((one) => one.vmRef === vmRef);
    const seen = row.observed;
    if (row.order.desired === 'deleted') return row.gone && vm === undefined;
    if (seen === undefined || seen.generation !== row.order.generation) return false;
    if (this.diskLost) return seen.fault?.code === 'vm_missing' && seen.fault.class === 'fail' && vm === undefined;
    const { home = row.node, node = row.node } = vm ?? {};
    if (vm !== undefined && (row.order.move !== undefined || home !== row.node || node !== row.node)) return false;
    if (row.order.desired === 'stopped')
      return seen.presence === 'present' && seen.power === 'off' && vm?.power === 'off';
    if (this.powerLost && seen.fault?.code === 'guest_crashed') return vm?.power === 'off';
    if (this.plan.wedged) return seen.power === 'booting' && seen.fault?.code === 'boot_timeout';
    return (
      seen.ready &&
      seen.power === 'running' &&
      vm?.power === 'running' &&
      vm.boot === row.order.desiredBoot &&
      vm.identity === `${assignmentId}:${vm.boot}:${row.order.identityVersion}`
    );
  }

  private checkAlways(point: string): void {
    const owned = this.ground.vms().filter((vm) => vm.owner === assignmentId);
    if (owned.length > 1) this.wrong.add('two VMs for one assignment');
    if (this.ground.makesDisk(point) && (this.order.cloneSeen || this.diskLost))
      this.wrong.add('cloned over a lost disk');
    if (this.ground.movedTwice?.() === true) this.wrong.add('moved while it was being moved');
    const isLost = this.order.cloneSeen && owned.length === 0 && this.order.desired !== 'deleted';
    if (isLost && !this.diskLost) this.wrong.add('a desktop was removed that nobody deleted');
    for (const vm of owned)
      if (this.isToldAsAnother(vm)) this.wrong.add('ready while its guest takes itself for another');
    if (this.plan.wedged) for (const vm of owned) this.ground.wedge(vm.vmRef);
  }

  /** Whoever claims a machine may use it from the moment it is told as ready. */
  private isToldAsAnother(vm: GroundVm): boolean {
    const { order, observed } = this.api.row(assignmentId);
    if (observed?.ready !== true || observed.generation !== order.generation || vm.identity === undefined) return false;
    if (vm.metBy !== undefined && vm.metBy !== this.api.row(assignmentId).node) return true;
    return vm.boot === observed.boot && vm.identity !== `${assignmentId}:${vm.boot}:${order.identityVersion}`;
  }

  /** Each process calls this at every point; what it answers is what befalls the process. */
  async at(process: Process, point: string): Promise<void> {
    if (process.dead) return never();
    if (point === 'look' || point === 'list') return;
    this.checkAlways(point);
    this.points.push(point);
    const mishap = this.plan.mishaps.get(this.points.length);
    if (mishap !== undefined) await this.befall(process, point, mishap);
    if (process.dead) return never();
  }

  private async befall(process: Process, point: string, mishap: Mishap): Promise<void> {
    switch (mishap) {
      case 'crash':
        return this.crash(process, 1_000);
      case 'absence':
        return this.crash(process, 3_600_000);
      case 'gone':
        for (const one of this.processes) if (one.member === process.member) one.die();
        return never();
      case 'powerLoss':
        this.powerLost = true;
        for (const one of this.processes) {
          if (one === process) continue;
          one.die();
          if (one.member !== process.member) void this.crash(one, 30_000);
        }
        this.ground.losePower();
        return this.crash(process, 30_000);
      case 'lost':
        return never();
      case 'late':
        return this.clock.sleep(150_000);
      case 'fail':
        throw new Fault(
          point.includes('report') || point.includes('hello') || point.includes('orders')
            ? 'api_unreachable'
            : 'hypervisor_failed',
          'It failed by plan.',
        );
      case 'takeover':
        return this.boot(process.member);
      case 'running':
      case 'stopped':
      case 'deleted':
      case 'restart':
      case 'claimed':
      case 'moved':
      case 'unmoved':
        this.api.want(assignmentId, mishap);
    }
  }

  private crash(process: Process, awayMs: number): Promise<never> {
    process.die();
    this.processes.delete(process);
    void this.clock.sleep(awayMs).then(() => this.boot(process.member));
    return never();
  }

  left(process: Process): void {
    this.processes.delete(process);
  }
}

/** One run of hostd, which can die between any two instructions that reach the world. */
class Process {
  dead = false;
  readonly member: string;
  private readonly stop = new AbortController();

  constructor(world: World, member: string) {
    this.member = member;
    const at = (point: string) => world.at(this, point);
    const hostd = new Hostd({
      desk: world.api.desk(at),
      driver: world.ground.driver(at, member),
      guests: world.ground.guests(at, member),
      clock: world.clock,
      log: silentLog,
      identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot, version: order.identityVersion }),
      macOf: () => nobody.mac,
      nodeName: member,
      version: '0',
      guestAddress: 'unix:/nowhere',
      effectsMax: 8,
      drainMs: 1_000,
      reclaim: 'on',
      reclaimRecord: world.reclaimRecord(member),
      bootTimeoutMs: 600_000,
      lookEveryMs: 15_000,
    });
    void hostd.run(this.stop.signal).then((end) => {
      if (end === 'superseded') this.die();
      if (end === 'superseded') world.left(this);
    });
  }

  die(): void {
    this.dead = true;
    this.stop.abort('dead');
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

export const firstOrder: Assignment = {
  assignmentId,
  desktopId: null,
  vmRef,
  templateId: 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4',
  hardware: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  network: 'none',
  hostName: 'desk',
  timeZone: 'UTC',
  desired: 'running',
  desiredBoot: 1,
  generation: 1,
  identityVersion: 0,
  cloneSeen: false,
  gracefulStopSeconds: 30,
  config: '{}',
};

export const nobody = {
  owner: '',
  boot: 0,
  version: 0,
  hostName: 'desk',
  machineId: '0'.repeat(32),
  mac: '52:54:00:00:00:01',
  sshHostKey: '',
  sshAuthorizedKey: '',
  clockMs: 0,
  entropy: '',
  timeZone: 'UTC',
  config: '{}',
};
