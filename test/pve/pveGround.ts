import type { GuestDoor } from '@lebureau/hostd/act';
import { planted, type Ground, type GroundOptions, type GroundVm } from '@lebureau/hostd/crashmatrix/ground';
import { nobody } from '@lebureau/hostd/crashmatrix/world';
import { identityMark } from '@lebureau/hostd/guest/init/channel';
import type { Driver } from '@lebureau/hostd/hypervisor/driver';
import type { FakePoint } from '@lebureau/hostd/hypervisor/fake';
import { openProxmoxDriver } from '@lebureau/hostd/hypervisor/proxmox/driver';
import type { PveAnswer } from '@lebureau/hostd/hypervisor/proxmox/httpAnswer';
import { readVmMarker, writeTemplateMarker, writeVmMarker } from '@lebureau/hostd/hypervisor/proxmox/marker';
import type { ProxmoxSettings } from '@lebureau/hostd/hypervisor/proxmox/settings';
import type { PveRequest, PveSend } from '@lebureau/hostd/hypervisor/proxmox/transport';
import type { Assignment } from '@lebureau/hostd/orders';
import type { VirtualClock } from '@lebureau/hostd/virtualclock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { Dispatcher } from './api/dispatch.ts';
import { findReference, readSchema, type Method } from './api/reference.ts';
import type { Parameters } from './api/verify.ts';
import { keysOf } from './driverWorld.ts';
import { newVm } from './vm/lifecycle.ts';
import { MachinesInMemory } from './vm/machinesInMemory.ts';
import { LifeClock } from './world/lifeClock.ts';
import { addTemplate, addToken, deskGrants, seedState } from './world/seed.ts';
import { lookAtAll, runStatd } from './world/statd.ts';
import { emptyFirewall, type State, type Version, type VmState } from './world/state.ts';
import { World } from './world/world.ts';

/**
 * The crash matrix on Proxmox VE: hostd's driver before the double, both on the virtual clock and without a socket between
 * them, so that a run of minutes takes milliseconds and is always the same. Only the bytes of HTTP are left out.
 */
export function pveGround(version: Version): (options: GroundOptions) => Ground {
  return (options) => new PveGround(version, options);
}

const templateId = 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4';
const node = 'pve1';
const template = 9001;
const range = { first: 100_000, last: 160_000 };
const firstPlanted = 150_000;
/** Slower than the recorded daemons, so that who comes a second after a crash finds work that still runs. */
const pace = 4;
const prefix = '/api2/json';
let schema: Record<string, Method> | undefined;

/** Powers off when asked, unless it hangs. */
class Machines extends MachinesInMemory {
  readonly wedged = new Set<number>();

  override async powerdown(vmid: number): Promise<void> {
    if (!this.wedged.has(vmid)) await super.powerdown(vmid);
  }
}

class PveGround implements Ground {
  readonly #clock: VirtualClock;
  readonly #bootMs: number;
  readonly #flaw: string | undefined;
  readonly #token: string;
  readonly #identities = new Map<string, string>();
  readonly #before = new Map<number, string>();
  #state: State;
  #life!: LifeClock;
  #machines!: Machines;
  #dispatcher!: Dispatcher;
  #flawedIds = range.first;

  constructor(version: Version, { clock, bootMs, flaw }: GroundOptions) {
    this.#clock = clock;
    this.#bootMs = bootMs;
    this.#flaw = flaw;
    const nowMs = clock.nowMs();
    this.#state = seedState({ version, nodes: [node], nowMs });
    const made = addTemplate(this.#state, { vmid: template, node, name: 'tmpl-desktop', nowMs, size: '4G' });
    made.config.description = writeTemplateMarker({ templateId, name: 'desktop', diskMiB: 1024, builtAtMs: 1 });
    this.#token = addToken(this.#state, 'desk@pve!t1', deskGrants(this.#state));
    for (const who of ['desk@pve', 'desk@pve!t1'])
      this.#state.acl.push({ path: '/', who, role: 'DeskAudit', propagate: false });
    this.#state.firewalls['/'] = emptyFirewall();
    this.#state.firewalls['/'].options.enable = 1;
    this.#boot();
    planted.forEach((vm, at) => this.#plant(firstPlanted + at, vm));
  }

  driver(at: FakePoint): Driver {
    const { settings } = this;
    const unlock = (vmid: number) => this.#unlock(at, vmid);
    const send = this.#sendOf(at);
    return openProxmoxDriver({ settings, clock: this.#clock, log: silentLog, keysOf: quickKeys, send, unlock });
  }

  guests(at: FakePoint): GuestDoor {
    const reach = async (point: string, order: Assignment) => {
      await at(point, order.vmRef);
      const vm = this.#named(order.vmRef);
      const run = vm?.run;
      const isUp = run && !run.paused && this.#clock.nowMs() >= run.startedAtMs + this.#bootMs;
      if (!isUp || this.#machines.wedged.has(vm!.vmid)) throw new Fault('guest_unreachable', 'The guest is not there.');
      return keyOf(vm!);
    };
    return {
      identity: async (order) => this.#identities.get(await reach('identity', order)),
      identify: async (order, identity) => {
        this.#identities.set(await reach('identify:before', order), identityMark(identity));
        await at('identify:after', order.vmRef);
      },
      answerCommand: async (order) => {
        if (!this.#identities.has(await reach('command', order)))
          throw new Fault('guest_unreachable', 'The guest does not know who it is.');
      },
      takeFrame: async (order) => void (await reach('frame', order)),
      close: () => {},
    };
  }

  vms(): GroundVm[] {
    return this.#inRange().map((vm) => {
      const marker = readVmMarker(vm.config.description);
      const power = vm.run === null ? 'off' : vm.run.paused ? 'paused' : 'running';
      const vmRef = vm.config.name ?? `vm-${vm.vmid}`;
      return { vmRef, owner: marker?.owner, power, boot: marker?.boot ?? 0, identity: this.#identities.get(keyOf(vm)) };
    });
  }

  /** Workers stop where they are, locks stay, no machine runs. */
  losePower(): void {
    this.#life.halt();
    this.#state = structuredClone(this.#state);
    this.#state.nodes[node]!.bootedAtMs = this.#clock.nowMs();
    this.#boot();
    const { world } = this.#dispatcher;
    world.tasks.bury();
    for (const vm of Object.values(this.#state.vms)) if (vm.run) world.stopped(vm);
    lookAtAll(world);
  }

  loseDisk(vmRef: string): void {
    const vm = this.#named(vmRef);
    if (vm === undefined) return;
    delete this.#state.vms[vm.vmid];
    const pool = this.#state.pools.desks!;
    pool.members = pool.members.filter((vmid) => vmid !== vm.vmid);
  }

  wedge(vmRef: string): void {
    const vm = this.#named(vmRef);
    if (vm !== undefined) this.#machines.wedged.add(vm.vmid);
  }

  makesDisk(point: string): boolean {
    return point === 'POST /nodes/{node}/qemu/{vmid}/clone:before';
  }

  touched(powerLost: boolean): string[] {
    return planted.flatMap(({ vmRef }, at) => {
      const vm = this.#state.vms[firstPlanted + at];
      const isTouched =
        vm === undefined || JSON.stringify(vm.config) !== this.#before.get(vm.vmid) || (vm.run === null && !powerLost);
      return isTouched ? [vmRef] : [];
    });
  }

  get settings(): ProxmoxSettings {
    return {
      endpoint: { url: 'http://localhost:8006' },
      token: this.#token,
      node,
      importStorage: 'lebureau',
      bridge: 'vmbr0',
      pool: 'desks',
      vmids: range,
      guestNetwork: { cidr: '10.77.0.0/16', gateway: '10.77.0.1', resolver: '9.9.9.9', blocked: [] },
    };
  }

  #boot(): void {
    schema ??= readSchema(findReference()!);
    this.#life = new LifeClock(this.#clock);
    const clock = this.#life;
    this.#machines = new Machines({ clock, bootMs: this.#bootMs, shutdownMs: 1_500, pace });
    const changed = () => {};
    const world = new World({ state: this.#state, schema, machines: this.#machines, clock, pace, changed });
    this.#dispatcher = new Dispatcher(world, { localNode: node });
    void runStatd(world, new AbortController().signal);
  }

  #plant(vmid: number, { vmRef, owner }: { vmRef: string; owner?: string }): void {
    const vm = newVm(vmid, node, { name: vmRef, memory: '512' });
    if (owner !== undefined) vm.config.description = writeVmMarker({ owner, home: node, complete: true, boot: 1 });
    vm.run = { pid: vmid, startedAtMs: 0, paused: false, startConfig: { ...vm.config } };
    this.#state.vms[vmid] = vm;
    this.#state.pools.desks!.members.push(vmid);
    this.#before.set(vmid, JSON.stringify(vm.config));
  }

  #inRange(): VmState[] {
    return Object.values(this.#state.vms).filter((vm) => vm.vmid >= range.first && !this.#before.has(vm.vmid));
  }

  #named(vmRef: string): VmState | undefined {
    return this.#inRange().find((vm) => vm.config.name === vmRef);
  }

  /** As root's narrow script does it. */
  async #unlock(at: FakePoint, vmid: number): Promise<void> {
    await at('unlock:before', '');
    const vm = this.#state.vms[vmid];
    const { members } = this.#state.pools.desks!;
    if (vm?.config.lock !== 'clone') throw new Fault('needs_operator', 'That is no clone that was cut off.');
    delete vm.config.lock;
    if (!members.includes(vmid)) members.push(vmid);
    await at('unlock:after', '');
  }

  /** What changes something has a point before and one after it; a process that ended asks nothing any more. */
  #sendOf(at: FakePoint): PveSend {
    return async (request) => {
      const asked = { ...request, path: request.path.slice(prefix.length) };
      const name = this.#dispatcher.nameOf({ ...asked, params: {} });
      const [before, after] = request.method === 'GET' ? ['look', 'look'] : [`${name}:before`, `${name}:after`];
      const late = new AbortController();
      const answered = async () => {
        await at(before, '');
        const answer = await this.#answer(asked);
        await at(after, '');
        return answer;
      };
      const tooLate = this.#clock.sleep(request.limitMs, late.signal).then(() => {
        if (late.signal.aborted) return new Promise<never>(() => {});
        throw new Error('no answer in time');
      });
      try {
        return await Promise.race([answered(), tooLate]);
      } finally {
        late.abort('settled');
      }
    };
  }

  async #answer({ method, path, query }: PveRequest): Promise<PveAnswer> {
    const params: Parameters = {};
    for (const [key, value] of new URLSearchParams(query)) params[key] = value;
    if (path.endsWith('/clone')) this.#spoil(params);
    const authorization = `PVEAPIToken=${this.#token}`;
    const { status, reason, body } = await this.#dispatcher.handle({ method, path, params, authorization });
    return { status, reason, body: JSON.stringify(body), dateMs: this.#clock.nowMs() };
  }

  /** What a driver could do wrong, to see the matrix catch it. */
  #spoil(params: Parameters): void {
    if (this.#flaw === 'markerAfterClone') delete params.description;
    if (this.#flaw === 'anyId') params.newid = String(this.#flawedIds++);
  }
}

/** One run of one VM: what a guest knows ends with it. */
function keyOf(vm: VmState): string {
  return `${vm.vmid}:${vm.run?.pid ?? 'off'}`;
}

/** Nobody logs in here. */
const anyKeys = keysOf(nobody.owner || 'asg_nobody');
function quickKeys(): ReturnType<typeof keysOf> {
  return anyKeys;
}
