import { chmodSync, mkdirSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import type { Driver, DriverCapabilities, NodeFacts, StartOptions, VmMetrics, VmSeen, VmSpec } from '../driver.ts';
import { removeAbandoned } from './abandoned.ts';
import { Channels } from './channels.ts';
import { cloneVm, removeVm } from './clone.ts';
import { Controls } from './control.ts';
import { diskHeldMiB } from './diskHeld.ts';
import {
  controlTarget,
  diskFreeMiB,
  processesOfBlock,
  requireVm,
  type Engine,
  type OpenTap,
  type VmFolder,
} from './engine.ts';
import { isVmRef, readBoot, readMarker, vmPaths, vmRefsIn } from './files.ts';
import { probeHost, type HypervisorHost } from './host.ts';
import { instanceBlock } from './instance.ts';
import { readMetrics } from './metrics.ts';
import { GuestNetwork } from './network.ts';
import { endAllProcesses, guestStatus, livingProcess, noteBoot, seeVm } from './observe.ts';
import { startVm } from './start.ts';
import { endStrays, slotsInUse, straysOf } from './strays.ts';
import { TemplateShelf } from './templates.ts';
import { Turns } from '../turns.ts';

export interface QemuDriverOptions {
  /** LEBUREAU_HOME: absolute, and as root reachable by unprivileged users (mode o+x up to the root). */
  home: string;
  log: Log;
  clock: Clock;
  /** First uid of desktops, each of which has its own. */
  uidBase?: number;
  /** IPv4 address of the resolver of guests; default: the host's own. */
  resolver?: string;
  /** Clones are refused when less is free. */
  diskReserveMiB?: number;
  /** Network namespaces kept ready. */
  namespacesReady?: number;
  /** Wires guests to a bridge of the caller, which has to close them in; no namespaces are made then. */
  openTap?: OpenTap;
  /** A hint, never needed: something about this VM changed, so look. */
  onChange?: (vmRef: string) => void;
}

export interface QemuDriver extends Driver {
  readonly host: HypervisorHost;
  /** Lets go of everything. VMs keep running, and the next driver of this home finds them. */
  close(): Promise<void>;
}

/** @throws Fault `needs_operator` when QEMU is missing or unprivileged users cannot reach the home. */
export async function openQemuDriver(options: QemuDriverOptions): Promise<QemuDriver> {
  const home = resolve(options.home);
  const root = process.geteuid?.() === 0;
  prepareFolders(home);
  if (root) requireReachable(home);
  const host = await probeHost({ kernel: someKernel(home), memory: join(home, 'kvm.json') });
  if (root) await removeAbandoned();
  const block = await instanceBlock(home);
  const uidBase = options.uidBase ?? 400_000;
  const { clock, log } = options;
  const network = new GuestNetwork({
    home,
    block,
    uidBase,
    clock,
    log,
    resolver: options.resolver,
    isWired: options.openTap !== undefined,
    poolSize: options.namespacesReady ?? 3,
  });
  const engine: Engine = {
    home,
    block,
    host,
    network,
    openTap: options.openTap,
    clock,
    log,
    uidBase: root ? uidBase : undefined,
    diskReserveMiB: options.diskReserveMiB ?? 2048,
    shelf: new TemplateShelf(home, host, log),
    controls: new Controls({ clock, onChange: options.onChange ?? (() => {}) }),
  };
  await openNetwork(engine);
  log.info('hypervisor was opened', {
    ...host,
    network: network.isolated ? 'isolated' : 'none',
    reason: network.reason,
  });
  const driver = new QemuDriverOfHome(engine);
  driver.preload();
  return driver;
}

/** Leftovers of VMs that are gone are removed; what a running QEMU uses stays. */
async function openNetwork(engine: Engine): Promise<void> {
  const known = await slotsInUse(engine);
  // Those of strays and of VMs whose marker cannot be read, too.
  const live = new Set(processesOfBlock(engine).map((each) => engine.network.slotOf(each.uid)));
  await engine.network.open(live, new Set([...known, ...live]));
}

class QemuDriverOfHome implements QemuDriver {
  readonly capabilities: DriverCapabilities = {
    name: 'qemu',
    warmStart: true,
    snapshotsWithMemory: false,
    migration: false,
  };
  readonly host: HypervisorHost;
  readonly #engine: Engine;
  readonly #channels: Channels;
  readonly #turns = new Turns();
  #preloading: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#channels = new Channels(engine);
    this.host = engine.host;
  }

  async facts(): Promise<NodeFacts> {
    const { host, network, shelf } = this.#engine;
    await network.verify();
    this.preload();
    return {
      accelerator: host.accelerator,
      acceleratorReason: host.acceleratorReason,
      hypervisorVersion: `QEMU ${host.qemuVersion}`,
      vcpus: cpus().length,
      memoryMiB: Math.floor(totalmem() / 2 ** 20),
      diskFreeMiB: await diskFreeMiB(this.#engine),
      diskHeldMiB: await diskHeldMiB(this.#engine.home),
      network: network.isolated ? 'isolated' : 'none',
      networkReason: network.reason,
      templates: await shelf.list(),
    };
  }

  async list(): Promise<VmSeen[]> {
    try {
      const seen = await Promise.all(vmRefsIn(this.#engine.home).map((vmRef) => this.look(vmRef)));
      return [...seen.filter((each) => each !== undefined), ...(await straysOf(this.#engine))];
    } catch (error) {
      throw new Fault('list_incomplete', 'the VMs of this node could not all be looked at', { cause: error });
    }
  }

  async look(vmRef: string): Promise<VmSeen | undefined> {
    if (!isVmRef(vmRef)) return undefined;
    return this.#turns.of(vmRef, async () => {
      const paths = vmPaths(this.#engine.home, vmRef);
      const marker = await readMarker(paths.marker);
      if (marker === undefined) return (await straysOf(this.#engine)).find((each) => each.vmRef === vmRef);
      if (marker !== 'damaged') return seeVm(this.#engine, { paths, marker });
      return { vmRef, complete: false, power: 'broken' as const, boot: 0, trouble: 'Its marker vm.json is damaged.' };
    });
  }

  clone(spec: VmSpec): Promise<void> {
    return this.#turns.of(spec.vmRef, () => cloneVm(this.#engine, spec));
  }

  start(vmRef: string, start: StartOptions): Promise<void> {
    return this.#withVm(vmRef, (vm) => startVm(this.#engine, vm, start));
  }

  requestStop(vmRef: string): Promise<void> {
    return this.#withVm(vmRef, async (vm) => {
      const record = await readBoot(vm.paths.boot);
      const process = record && record !== 'damaged' ? livingProcess(this.#engine, vm, record) : undefined;
      if (!process || !record || record === 'damaged') return;
      await noteBoot(this.#engine, vm, { ...record, stopRequested: true });
      const qmp = await this.#engine.controls.of(controlTarget(this.#engine, vm, process));
      await qmp.execute('system_powerdown');
    });
  }

  kill(vmRef: string): Promise<void> {
    return this.#withVm(vmRef, async (vm) => {
      const record = await readBoot(vm.paths.boot);
      if (record && record !== 'damaged' && livingProcess(this.#engine, vm, record)) {
        await noteBoot(this.#engine, vm, { ...record, offBecause: await this.#reasonToBeOff(vm) });
      }
      await endAllProcesses(this.#engine, vm);
      this.#channels.forget(vmRef);
    });
  }

  async delete(vmRef: string, owner: string): Promise<void> {
    if (!isVmRef(vmRef)) return;
    await this.#turns.of(vmRef, async () => {
      const paths = vmPaths(this.#engine.home, vmRef);
      const marker = await readMarker(paths.marker);
      if (marker === undefined) return endStrays(this.#engine, vmRef);
      if (marker === 'damaged') throw new Fault('not_ours', `the marker of VM ${vmRef} is damaged`);
      if (marker.spec.owner !== owner) throw new Fault('not_ours', `VM ${vmRef} belongs to another owner`);
      await endAllProcesses(this.#engine, { paths, marker });
      this.#channels.forget(vmRef);
      await removeVm(this.#engine, { paths, marker });
    });
  }

  metrics(): Promise<VmMetrics[]> {
    return readMetrics(this.#engine);
  }

  openInit(vmRef: string): Promise<Duplex> {
    return this.#channels.openInit(vmRef);
  }

  openDisplay(vmRef: string): Promise<{ stream: Duplex; password?: string }> {
    return this.#channels.openDisplay(vmRef);
  }

  openPort(vmRef: string, port: number): Promise<Duplex> {
    return this.#channels.openPort(vmRef, port);
  }

  async close(): Promise<void> {
    await this.#preloading;
    await this.#engine.controls.closeAll();
    await this.#engine.network.close();
  }

  /** Warm states that appeared since are loaded, with at most a quarter of the free memory. */
  preload(): void {
    this.#preloading ??= this.#engine.shelf
      .preload(freemem() / 4)
      .catch((error: unknown) => this.#engine.log.warn('warm state was not loaded', { error: describeError(error) }))
      .finally(() => (this.#preloading = undefined));
  }

  #withVm(vmRef: string, work: (vm: VmFolder) => Promise<void>): Promise<void> {
    return this.#turns.of(vmRef, async () => work(await requireVm(this.#engine, vmRef)));
  }

  /** A guest that had powered itself off before it was killed keeps that reason. */
  async #reasonToBeOff(vm: VmFolder): Promise<'requested' | 'guest'> {
    const record = await readBoot(vm.paths.boot);
    if (!record || record === 'damaged' || record.stopRequested) return 'requested';
    const process = livingProcess(this.#engine, vm, record);
    if (!process) return 'requested';
    return (await guestStatus(this.#engine, vm, process)).word === 'shutdown' ? 'guest' : 'requested';
  }
}

/** Made passable where they are new; the folders of VMs below are closed to everybody else. */
function prepareFolders(home: string): void {
  for (const folder of [home, join(home, 'templates'), join(home, 'vms')]) {
    if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, 0o755);
  }
}

/** Kernel of any template, so that the probe of KVM can boot one. */
function someKernel(home: string): { vmlinux: string; initrd: string } | undefined {
  for (const id of readdirSync(join(home, 'templates'))) {
    const kernel = { vmlinux: join(home, 'templates', id, 'vmlinux'), initrd: join(home, 'templates', id, 'initrd') };
    if (id.startsWith('tpl_') && isFile(kernel.vmlinux) && isFile(kernel.initrd)) return kernel;
  }
  return undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** QEMU reads the template as an unprivileged user. */
function requireReachable(home: string): void {
  for (let folder = realpathSync(join(home, 'templates')); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) {
      throw new Fault('needs_operator', `desktops run as unprivileged users, who cannot enter ${folder}`, {
        hint: `Run "chmod o+x ${folder}" or choose another LEBUREAU_HOME.`,
      });
    }
    if (folder === dirname(folder)) return;
  }
}
