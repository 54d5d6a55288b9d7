import { readdirSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import type { VmSpec } from '../driver.ts';
import type { ProcessIdentity } from './process.ts';

/**
 * Every file the QEMU driver keeps, below `home`:
 *
 *     instance.json                which block of uids, addresses and interface names this home uses; written once
 *     resolv.conf                  given to QEMUs where the host's own resolver is on loopback
 *     templates/<templateId>/      read only; made by hostd/template and described there
 *     vms/<vmRef>/                 root, mode 700
 *       vm.json                    owner marker, specification, slot: durable before anything else exists, never changed
 *       boot.json                  the last start: boot counter, mode, MAC, process, and why it is off
 *       qemu.log                   what QEMU said, emptied when it is seen to be longer than 256 KiB
 *       making/                    `run` while it is made; its rename to `run` completes the clone
 *       run/                       the VM's own uid, mode 700; QEMU's working directory and all it may write to
 *         disk.qcow2               overlay on the template's disk
 *         qmp.sock vnc.sock init.sock agent.sock
 *
 * A VM's uid cannot reach `vm.json` and `boot.json`, so a broken-out QEMU can neither change its owner nor its history.
 */
export interface VmPaths {
  folder: string;
  marker: string;
  boot: string;
  log: string;
  making: string;
  run: string;
  disk: string;
}

const vmRefPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function isVmRef(text: string): boolean {
  return vmRefPattern.test(text);
}

/** Names of the folders of all VMs of this home. */
export function vmRefsIn(home: string): string[] {
  return readdirSync(join(home, 'vms')).filter(isVmRef);
}

/** @throws Fault `vm_missing` for a name that cannot be one of ours. */
export function vmPaths(home: string, vmRef: string): VmPaths {
  if (!isVmRef(vmRef)) throw new Fault('vm_missing', 'no VM can have this name');
  const folder = join(home, 'vms', vmRef);
  const run = join(folder, 'run');
  return {
    folder,
    marker: join(folder, 'vm.json'),
    boot: join(folder, 'boot.json'),
    log: join(folder, 'qemu.log'),
    making: join(folder, 'making'),
    run,
    disk: join(run, 'disk.qcow2'),
  };
}

/** Names below `run`, relative because QEMU works there and socket paths are limited to 107 bytes. */
export const runNames = {
  disk: 'disk.qcow2',
  qmp: 'qmp.sock',
  vnc: 'vnc.sock',
  init: 'init.sock',
  agent: 'agent.sock',
} as const;

export interface VmMarker {
  version: 1;
  spec: VmSpec;
  /** Decides uid, network namespace and address. */
  slot: number;
  /** The warm state below the overlay; undefined: the template's plain disk. */
  warmKey?: string;
}

export interface BootRecord {
  boot: number;
  mac: string;
  startMode: 'warm' | 'cold';
  /** `starting` until the guest runs: such a VM counts as off with its former boot, and is started again. */
  phase: 'starting' | 'started';
  formerBoot: number;
  process?: ProcessIdentity;
  /** A stop was asked for, so a power-off that follows is not the guest's own idea. */
  stopRequested?: boolean;
  offBecause?: 'requested' | 'guest' | 'crashed';
}

/** @returns undefined when there is no such file; `'damaged'` when it is not what we write. */
export async function readMarker(path: string): Promise<VmMarker | 'damaged' | undefined> {
  const value = await readJson(path);
  if (value === undefined || value === 'damaged') return value;
  const marker = value as Partial<VmMarker>;
  const whole = marker.version === 1 && typeof marker.spec?.owner === 'string' && Number.isInteger(marker.slot);
  return whole ? (marker as VmMarker) : 'damaged';
}

export async function readBoot(path: string): Promise<BootRecord | 'damaged' | undefined> {
  const value = await readJson(path);
  if (value === undefined || value === 'damaged') return value;
  const record = value as Partial<BootRecord>;
  const whole =
    Number.isInteger(record.boot) && Number.isInteger(record.formerBoot) && typeof record.phase === 'string';
  return whole ? (record as BootRecord) : 'damaged';
}

export async function readJson(path: string): Promise<object | 'damaged' | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : 'damaged';
  } catch {
    return 'damaged';
  }
}

/**
 * Replaces a small file as a whole. After a power cut there is the former one or this one, never an empty one.
 * `durable`: it is this one for certain.
 */
export async function writeJson(path: string, value: object, options: { durable: boolean }): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(value));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  if (options.durable) await syncFolder(dirname(path));
}

/** Makes names that were created or renamed in this folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
