import type { Duplex } from 'node:stream';

/**
 * The contract between hostd and one hypervisor. A driver has no opinion about what should exist: it carries out one
 * idempotent effect at a time and tells what it sees. It keeps no memory besides what the hypervisor (or the VM's own
 * folder) holds, so a driver object may be thrown away and made anew at any moment.
 *
 * Every method may be called again after a crash in the middle of itself and then finishes the work.
 * Failures are `Fault`s whose `code` is one of `DriverFaultCode`; anything else is a bug and is retried.
 */
export interface Driver {
  readonly capabilities: DriverCapabilities;

  /** What this node is and how it runs VMs; cheap enough to ask every ten seconds. */
  facts(): Promise<NodeFacts>;

  /**
   * Every VM in our range, with or without an owner marker, half-made ones too.
   * @throws Fault `list_incomplete` rather than a list that may lack one.
   */
  list(): Promise<VmSeen[]>;

  /** One VM, or undefined when it is absent for certain. */
  look(vmRef: string): Promise<VmSeen | undefined>;

  /**
   * Makes disks and owner marker; the marker is durable before anything else exists. Does not start it.
   * A half-made clone of the same owner is finished. @throws Fault `not_ours` when another owner holds the name.
   */
  clone(spec: VmSpec): Promise<void>;

  /**
   * Starts a VM that is off and resolves when the hypervisor runs it (the guest may still boot).
   * A guest that halted during this very `boot` goes on with its memory; it is cut only when it cannot.
   * @throws Fault `disk_full` while the node lacks room for a halted guest to go on.
   * The first start of a clone is warm where a warm state fits; `boot` is kept and told by `look`.
   */
  start(vmRef: string, start: StartOptions): Promise<void>;

  /** Asks the guest to power off and returns at once. */
  requestStop(vmRef: string): Promise<void>;

  /** Cuts the power. Resolves when the VM is off. Off already is success. */
  kill(vmRef: string): Promise<void>;

  /**
   * Removes the VM and everything of it, also one that is not seen yet because its clone still runs. Absent already is
   * success. @throws Fault `not_ours` when `owner` differs.
   */
  delete(vmRef: string, owner: string): Promise<void>;

  /**
   * Moves a VM with its disks to another member of the cluster, running or off, and marks it durably as looked after by
   * the hostd there: that mark is the last effect. There already is success; a move that runs is waited for, never begun
   * twice. To this very node: sets only the mark, on what arrived here and whose former node did not live to set it.
   * Only where `capabilities.migration`. @throws Fault `move_refused` when no retry helps, `not_ours` when the hostd of a
   * third node looks after it.
   */
  migrate?(move: MoveSpec): Promise<void>;

  /**
   * What the running VMs of this node have used and use, all at once and cheap enough for every ten seconds. What is not
   * known is left out, and a VM of which nothing can be learnt just now may be missing.
   */
  metrics(): Promise<VmMetrics[]>;

  /**
   * What the hypervisor itself remembers of the last hour of a VM since it was started, oldest first. Slow: to fill a gap
   * after hostd was away. Left out: it remembers nothing.
   */
  pastMetrics?(vmRef: string): Promise<PastMetrics[]>;

  /** Opens the channel to the resident init process. One open channel a VM; opening again closes the former. */
  openInit(vmRef: string): Promise<Duplex>;

  /** Where an RFB client connects. The caller logs in with `password` where there is one. */
  openDisplay(vmRef: string): Promise<{ stream: Duplex; password?: string }>;

  /** A TCP connection to this port of the guest. */
  openPort(vmRef: string, port: number): Promise<Duplex>;
}

export interface DriverCapabilities {
  name: 'qemu' | 'proxmox' | 'fake';
  /** A clone can start where the template's memory stopped. */
  warmStart: boolean;
  snapshotsWithMemory: boolean;
  migration: boolean;
}

export interface NodeFacts {
  /** `tcg`, `kvm` or `none` (fake), and the sentence that says why. */
  accelerator: string;
  acceleratorReason: string;
  hypervisorVersion: string;
  vcpus: number;
  memoryMiB: number;
  diskFreeMiB: number;
  /** Which cluster it is a member of, and under which name; only where its VMs can be moved within. */
  cluster?: { id: string; member: string };
  /** What the VMs in our range hold of the disk by now, each by its name; what it might still grow by does not count. */
  diskHeldMiB: Readonly<Record<string, number>>;
  /** `isolated`: each guest has its own network namespace with internet; `none`: guests have no network, and why. */
  network: 'isolated' | 'none';
  networkReason: string;
  templates: TemplateSeen[];
}

export interface TemplateSeen {
  /** `tpl_` + 26 characters made of the hash of recipe and suite. */
  id: string;
  name: string;
  /** Sizes that start warm here, as `${vcpus}x${memoryMiB}`. */
  warmSizes: string[];
  diskMiB: number;
  builtAtMs: number;
}

export interface VmSpec {
  vmRef: string;
  /** The assignment's id: the owner marker. */
  owner: string;
  templateId: string;
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
  network: 'internet' | 'none';
}

export interface StartOptions {
  /** The assignment's boot counter that this start carries out. */
  boot: number;
  /** Locally administered address, `52:54:00:…`. */
  mac: string;
}

export interface MoveSpec {
  vmRef: string;
  /** The assignment's id. */
  owner: string;
  /** Member of the cluster. */
  to: string;
  /** What its new node cannot derive and the guest is to keep. */
  identity: KeptIdentity;
}

export interface KeptIdentity {
  mac: string;
  machineId: string;
}

export interface VmSeen {
  vmRef: string;
  /** The owner marker; undefined: something in our range that carries no marker. */
  owner?: string;
  /** False while a clone is half-made. */
  complete: boolean;
  power: 'off' | 'running' | 'paused' | 'broken';
  /** The `boot` of the last start, 0 before the first. */
  boot: number;
  startMode?: 'warm' | 'cold';
  /**
   * Why it is off: asked for, by the guest itself, or the hypervisor process died. Only when power is `off` and boot > 0.
   * Undefined then: that start was interrupted before anything ran, and may be repeated with the same `boot`.
   */
  offBecause?: 'requested' | 'guest' | 'crashed';
  /** Where hostd's machine reaches the guest's forwarded ports; undefined where it has no network of its own. */
  address?: string;
  /** When power is `broken`: what is wrong, for people. When it is `paused`: the node lacks disk for it to go on. */
  trouble?: string;
  /** The hypervisor is moving it, or was cut off while it did. */
  moving?: boolean;
  /** The member of the cluster to which a move from here, or to here, brought it, and whose hostd is not marked as its own yet. */
  arrivedAt?: string;
  /** The member of the cluster whose hostd looks after it, when that is not this one. */
  movedTo?: string;
  /** What it keeps from the node it was moved from, written before that begins. */
  identity?: KeptIdentity;
}

/** Levels, and counters that begin anew with every `life`. Undefined: not known. */
export interface VmMetrics {
  vmRef: string;
  /** Names one run of the hypervisor's process: counters of another life are not compared. */
  life: string;
  /** Processor time of the process, counted; or, where only that is told, the processors that are kept busy now. */
  cpuMs?: number;
  cpuCores?: number;
  /** What the guest and its emulator hold, and what of it no other VM shares. */
  memoryUsedKiB?: number;
  memoryHostKiB?: number;
  /** What its own disk takes, without its template. */
  diskUsedKiB?: number;
  /** Counted, as the guest sees them. */
  diskReadBytes?: number;
  diskWrittenBytes?: number;
  networkReceivedBytes?: number;
  networkSentBytes?: number;
}

/** What a VM used in `overMs` that ended `agoMs` ago. */
export interface PastMetrics {
  agoMs: number;
  overMs: number;
  used: Omit<VmMetrics, 'vmRef' | 'life' | 'cpuCores'>;
}

/**
 * not_ours: another owner's VM. · vm_missing: no such VM. · template_missing · list_incomplete
 * move_refused: it cannot be moved as it is.
 * disk_full, memory_full: the node lacks room (retried with back-off, shown to the user).
 * hypervisor_failed: it refused or died; retried. · guest_unreachable: no channel yet or any more; retried.
 * needs_operator: no retry helps.
 * @public part of the contract above; a Fault carries its code as text.
 */
export type DriverFaultCode =
  | 'not_ours'
  | 'vm_missing'
  | 'template_missing'
  | 'list_incomplete'
  | 'disk_full'
  | 'memory_full'
  | 'move_refused'
  | 'hypervisor_failed'
  | 'guest_unreachable'
  | 'needs_operator';
