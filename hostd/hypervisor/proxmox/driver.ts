import type { Duplex } from 'node:stream';
import { Fault, isFault } from '@lebureau/kit/fault';
import { Slots } from '../../limit.ts';
import type {
  Driver,
  DriverCapabilities,
  MoveSpec,
  NodeFacts,
  PastMetrics,
  StartOptions,
  VmMetrics,
  VmSeen,
  VmSpec,
} from '../driver.ts';
import { Turns } from '../turns.ts';
import { GuestChannels, type RunningGuest } from './channels.ts';
import { cloneVm } from './clone.ts';
import { PveFacts } from './facts.ts';
import { toFault } from './faults.ts';
import { findMoving, requireQuorum, requireVm, vmsNamed } from './find.ts';
import { HalfClones } from './halfClone.ts';
import type { ListedVm } from './lists.ts';
import { listVms, recordOf } from './listVms.ts';
import { migrateVm } from './migrate.ts';
import { PveMetrics } from './metrics.ts';
import { powerSeen, seeVm } from './observe.ts';
import { askToStop, cutPower, startVm } from './power.ts';
import { removeVm } from './remove.ts';
import { openSite, type SiteOptions } from './openSite.ts';
import { vmApi, type Site } from './site.ts';

export interface ProxmoxDriver extends Driver {
  /** Lets go of every connection. VMs keep running. */
  close(): void;
}

const fullClonesMax = 2;

/** Sends nothing yet. @throws Error when the settings contradict each other. */
export function openProxmoxDriver(options: SiteOptions): ProxmoxDriver {
  return new ProxmoxDriverOfNode(openSite(options));
}

class ProxmoxDriverOfNode implements ProxmoxDriver {
  readonly capabilities: DriverCapabilities = {
    name: 'proxmox',
    warmStart: false,
    snapshotsWithMemory: true,
    migration: true,
  };
  readonly #site: Site;
  readonly #facts: PveFacts;
  readonly #metrics: PveMetrics;
  readonly #channels: GuestChannels;
  readonly #turns = new Turns();
  readonly #halfClones = new HalfClones();
  readonly #fullClones = new Slots(fullClonesMax);

  constructor(site: Site) {
    this.#site = site;
    this.#facts = new PveFacts(site);
    this.#metrics = new PveMetrics(site);
    this.#channels = new GuestChannels(site);
  }

  facts(): Promise<NodeFacts> {
    return told(() => this.#facts.read());
  }

  async list(): Promise<VmSeen[]> {
    try {
      return await listVms(this.#site);
    } catch (error) {
      throw new Fault('list_incomplete', 'The virtual machines of this node could not all be looked at.', {
        cause: error,
      });
    }
  }

  look(vmRef: string): Promise<VmSeen | undefined> {
    return told(async () => {
      const site = this.#site;
      const seen = await findMoving(site, vmRef, (isAgain) => this.#seeAll(vmRef, isAgain));
      if (seen.length === 0) await requireQuorum(site);
      return seen.toSorted((a, b) => b.boot - a.boot || Number(b.complete) - Number(a.complete))[0];
    });
  }

  async #seeAll(vmRef: string, isFresh: boolean): Promise<VmSeen[]> {
    const seen: VmSeen[] = [];
    for (const vm of await vmsNamed(this.#site, vmRef, isFresh)) {
      const record = await recordOf(this.#site, vm);
      if (record !== undefined) seen.push(await seeVm(this.#site, vm, record));
    }
    return seen;
  }

  clone(spec: VmSpec): Promise<void> {
    const parts = {
      site: this.#site,
      halfClones: this.#halfClones,
      fullClones: this.#fullClones,
      blocked: () => this.#facts.blocked(),
    };
    return this.#effect(spec.vmRef, () => cloneVm(parts, spec));
  }

  start(vmRef: string, start: StartOptions): Promise<void> {
    const parts = { site: this.#site, blocked: () => this.#facts.blocked() };
    return this.#effect(vmRef, () => startVm(parts, vmRef, start));
  }

  requestStop(vmRef: string): Promise<void> {
    return this.#effect(vmRef, () => askToStop(this.#site, vmRef));
  }

  kill(vmRef: string): Promise<void> {
    this.#channels.forget(vmRef);
    return this.#effect(vmRef, () => cutPower(this.#site, vmRef));
  }

  delete(vmRef: string, owner: string): Promise<void> {
    this.#channels.forget(vmRef);
    const parts = { site: this.#site, halfClones: this.#halfClones };
    return this.#effect(vmRef, () => removeVm(parts, vmRef, owner));
  }

  migrate(move: MoveSpec): Promise<void> {
    return this.#effect(move.vmRef, async () => {
      await migrateVm(this.#site, move);
      this.#channels.forget(move.vmRef);
    });
  }

  metrics(): Promise<VmMetrics[]> {
    return told(() => this.#metrics.read());
  }

  pastMetrics(vmRef: string): Promise<PastMetrics[]> {
    return told(() => this.#metrics.past(vmRef));
  }

  openInit(vmRef: string): Promise<Duplex> {
    return reached(async () => this.#channels.openInit(await this.#running(vmRef)));
  }

  openDisplay(vmRef: string): Promise<{ stream: Duplex; password?: string }> {
    return reached(async () => this.#channels.openDisplay(await this.#running(vmRef)));
  }

  openPort(vmRef: string, port: number): Promise<Duplex> {
    return reached(async () => this.#channels.openPort(await this.#running(vmRef), port));
  }

  close(): void {
    this.#channels.closeAll();
  }

  #effect(vmRef: string, work: () => Promise<void>): Promise<void> {
    return this.#turns.of(vmRef, async () => {
      this.#site.lists.outdate();
      try {
        await told(work);
      } finally {
        this.#site.lists.outdate();
      }
    });
  }

  /** From what was read lately: a channel that turns out dead is opened again. */
  async #running(vmRef: string): Promise<RunningGuest> {
    const site = this.#site;
    const vm: ListedVm | undefined = (await vmsNamed(site, vmRef, false))[0] ?? (await requireVm(site, vmRef)).vm;
    const record = await recordOf(site, vm);
    const marker = record?.marker;
    if (record === undefined || marker === undefined)
      throw new Fault('vm_missing', `There is no virtual machine ${vmRef} of ours.`);
    if (powerSeen(vm, record.lock).power !== 'running' && !(await this.#runsNow(vm)))
      throw new Fault('guest_unreachable', `VM ${vmRef} is off`);
    return { vmRef, vmid: vm.vmid, node: vm.node, owner: marker.owner, boot: marker.boot };
  }

  /** The shared list may be a second old. */
  async #runsNow(vm: ListedVm): Promise<boolean> {
    return (await vmApi(this.#site, vm).status.current.$get()).qmpstatus === 'running';
  }
}

async function told<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw toFault(error);
  }
}

/** A way into a guest that does not open is tried again, whatever it was that failed; only people's faults stay. */
async function reached<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const fault = toFault(error);
    if (isFault(fault, 'hypervisor_failed'))
      throw new Fault('guest_unreachable', 'The guest does not answer.', { cause: error });
    throw fault;
  }
}
