import { statfs } from 'node:fs/promises';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { blocksMax, slotsMax } from './addressing.ts';
import type { Controls, ControlTarget } from './control.ts';
import { readMarker, vmPaths, type VmMarker, type VmPaths } from './files.ts';
import type { HypervisorHost } from './host.ts';
import type { GuestNetwork } from './network.ts';
import { isAlive, processesOf, type ProcessIdentity, type ProcessSeen } from './process.ts';
import type { TemplateShelf } from './templates.ts';

/** What every effect of the driver works with. */
export interface Engine {
  home: string;
  block: number;
  /** Undefined: hostd is not root and every QEMU runs as hostd does. */
  uidBase: number | undefined;
  diskReserveMiB: number;
  host: HypervisorHost;
  network: GuestNetwork;
  shelf: TemplateShelf;
  controls: Controls;
  openTap?: OpenTap;
  clock: Clock;
  log: Log;
}

/**
 * Opens the network device that a VM has in place of QEMU's own network, for whoever wires guests to a bridge; undefined
 * leaves the VM without a way out. Whoever asked closes the descriptor.
 */
export type OpenTap = (vmRef: string) => Promise<number | undefined>;

export interface VmFolder {
  paths: VmPaths;
  marker: VmMarker;
}

/** @throws Fault `vm_missing`, or `needs_operator` when its marker cannot be read. */
export async function requireVm(engine: Engine, vmRef: string): Promise<VmFolder> {
  const paths = vmPaths(engine.home, vmRef);
  const marker = await readMarker(paths.marker);
  if (marker === undefined) throw new Fault('vm_missing', `there is no VM ${vmRef}`);
  if (marker === 'damaged') throw new Fault('needs_operator', `the marker of VM ${vmRef} is damaged`);
  return { paths, marker };
}

export function uidOf(engine: Engine, slot: number): number | undefined {
  return engine.uidBase === undefined ? undefined : engine.network.address(slot).uid;
}

export function controlTarget(engine: Engine, vm: VmFolder, process: ProcessIdentity): ControlTarget {
  return {
    vmRef: vm.marker.spec.vmRef,
    run: vm.paths.run,
    uid: uidOf(engine, vm.marker.slot),
    timeoutMs: 5000,
    alive: () => isAlive(process),
  };
}

/** Processes of one VM, whether written down or not. Without uids of their own they are found by name and folder. */
export function processesOfVm(engine: Engine, vm: VmFolder): ProcessSeen[] {
  const uid = uidOf(engine, vm.marker.slot);
  if (uid !== undefined) return processesOf((each) => each === uid);
  const own = process.geteuid?.();
  const name = `${processName(engine, vm.marker.spec.vmRef)},debug-threads=off`;
  return processesOf((each) => each === own).filter((each) => each.argv.includes(name));
}

/** Every process that is in our range of uids. */
export function processesOfBlock(engine: Engine): ProcessSeen[] {
  const base = engine.uidBase;
  if (base === undefined) return [];
  const first = base + (engine.block % blocksMax) * slotsMax;
  return processesOf((uid) => uid >= first && uid < first + slotsMax);
}

/** What `ps` shows, and how a process whose folder is gone still tells its VM's name. */
export function processName(engine: Engine, vmRef: string): string {
  return `lb-${engine.block}-${vmRef}`;
}

export function vmRefOfProcess(engine: Engine, seen: ProcessSeen): string | undefined {
  const prefix = `lb-${engine.block}-`;
  const name = seen.argv[seen.argv.indexOf('-name') + 1]?.split(',')[0] ?? '';
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

export async function diskFreeMiB(engine: Engine): Promise<number> {
  const stats = await statfs(engine.home);
  return Math.floor((stats.bavail * stats.bsize) / 2 ** 20);
}

/** @returns what a full disk is called in the contract, or the error itself. */
export function asDiskFault(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new Fault('disk_full', 'the disk of this node is full', { cause: error });
}
