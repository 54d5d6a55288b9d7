import type { Clock } from '@lebureau/kit/clock';
import { Permissions, type Caller } from '../api/permissions.ts';
import { nameDriveFormats } from '../api/namedFormats.ts';
import type { Json, Method, Property } from '../api/reference.ts';
import { noConfig } from '../api/refusal.ts';
import type { Upload } from '../api/upload.ts';
import type { Parameters } from '../api/verify.ts';
import type { Machines } from '../vm/machines.ts';
import { Faults } from './faults.ts';
import { Locks } from './locks.ts';
import { Pace } from './pace.ts';
import type { State, VmState } from './state.ts';
import { Tasks, type Running } from './tasks.ts';
import { versionFacts, type VersionFacts } from './versions.ts';

/** What a route gets: verified values, who calls, and the cluster. */
export interface Call {
  world: World;
  caller: Caller;
  given: Parameters;
  /** The node of the path, or the one that was asked. */
  node: string;
}

export type Handler = (call: Call) => Json | Envelope | Download | Promise<Json | Envelope | Download>;
export type Routes = Record<string, Handler>;

/** `data` with a sibling, as lists of tasks have `total`. */
export class Envelope {
  constructor(
    readonly data: Json,
    readonly beside: Record<string, Json>,
  ) {}
}

/** A body that is not JSON. */
export class Download {
  constructor(readonly text: string) {}
}

export interface WorldOptions {
  state: State;
  schema: Record<string, Method>;
  machines: Machines;
  clock: Clock;
  /** 1: as slow as the real daemons. */
  pace: number;
  /** Called after every change worth keeping. */
  changed: () => void;
}

/** The cluster behind the API: its state, its workers, its locks, its machines. */
export class World {
  readonly state: State;
  readonly facts: VersionFacts;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly machines: Machines;
  readonly permissions: Permissions;
  readonly locks: Locks;
  readonly tasks: Tasks;
  readonly faults = new Faults();
  readonly vmProperties: Record<string, Property>;
  /** Files that the HTTP server took and no call has used yet. */
  readonly uploads = new Map<string, Upload>();
  readonly tickets = new Map<
    string,
    { vmid: number; port: number; password: string; dueMs: number; upid: string; open: () => void }
  >();
  private readonly changed: () => void;

  constructor(readonly options: WorldOptions) {
    this.state = options.state;
    this.facts = versionFacts[options.state.version];
    this.clock = options.clock;
    this.pace = new Pace(options.clock, options.pace);
    this.machines = options.machines;
    this.changed = options.changed;
    this.permissions = new Permissions(this.state);
    this.locks = new Locks(options.clock, options.pace);
    this.tasks = new Tasks(this.state, options.clock, {
      pace: options.pace,
      startMs: this.facts.taskStartMs,
      done: options.changed,
    });
    this.vmProperties = options.schema['PUT /nodes/{node}/qemu/{vmid}/config']?.parameters.properties ?? {};
    nameDriveFormats(this.vmProperties);
    this.machines.onExit((vmid) => this.guestLeft(vmid));
  }

  /** A VM's config on this node. @throws PVE's 500 where there is none. */
  vm(vmid: number, node: string): VmState {
    const vm = this.state.vms[vmid];
    if (vm === undefined || vm.node !== node) throw noConfig(vmid, node);
    return vm;
  }

  running(vm: VmState): boolean {
    return vm.run !== null;
  }

  nowS(node?: string): number {
    const skewMs = node === undefined ? 0 : (this.state.nodes[node]?.clockSkewMs ?? 0);
    return Math.floor((this.clock.nowMs() + skewMs) / 1000);
  }

  task(call: Call, type: string, work: (running: Running) => Promise<unknown>): string {
    const upid = this.tasks.start({ type, id: String(call.given.vmid ?? ''), node: call.node, who: call.caller }, work);
    this.changed();
    return upid;
  }

  save(): void {
    this.changed();
  }

  poolOf(vmid: number): string | undefined {
    return Object.entries(this.state.pools).find(([, pool]) => pool.members.includes(vmid))?.[0];
  }

  private guestLeft(vmid: number): void {
    const vm = this.state.vms[vmid];
    if (vm) this.stopped(vm);
  }

  /** QEMU is gone: what was pending becomes the config. */
  stopped(vm: VmState): void {
    vm.run = null;
    this.applyPending(vm);
    this.changed();
  }

  applyPending(vm: VmState): void {
    for (const key of vm.pendingDelete) delete vm.config[key];
    Object.assign(vm.config, vm.pending);
    vm.pendingDelete = [];
    vm.pending = {};
  }
}
