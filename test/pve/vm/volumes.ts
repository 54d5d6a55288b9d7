import { died } from '../api/refusal.ts';
import type { Config, StorageState, VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { driveSize, drives, isCloudInit, parseDrive } from './config.ts';

export interface VolumeName {
  storage: string;
  /** `4101/vm-4101-disk-0.qcow2`, or `9001/base-…/4101/vm-…` for a linked clone. */
  rest: string;
}

export function parseVolume(volume: string): VolumeName {
  const at = volume.indexOf(':');
  return { storage: volume.slice(0, at), rest: volume.slice(at + 1) };
}

/** Where the file of a volume lies, for storages that are folders. */
export function pathOf(world: World, volume: string): string {
  const { storage, rest } = parseVolume(volume);
  const own = rest.split('/').slice(-2).join('/');
  const folder = world.state.storages[storage]?.path ?? '/dev';
  return world.state.storages[storage]?.path === undefined ? `${folder}/${storage}/${own}` : `${folder}/images/${own}`;
}

export function storageOf(world: World, storage: string): StorageState {
  const one = world.state.storages[storage];
  if (one === undefined) throw died(`storage '${storage}' does not exist`);
  return one;
}

/** storage_check_enabled of Storage.pm. */
export function enabledStorage(world: World, name: string, node: string): StorageState {
  const storage = storageOf(world, name);
  if (storage.disabled) throw died(`storage '${name}' is disabled`);
  if (storage.nodes !== undefined && !storage.nodes.includes(node)) {
    throw died(`storage '${name}' is not available on node '${node}'`);
  }
  return storage;
}

/** Files of `dir` and the like have a format in their name; block storages have not. */
export function isFileStorage(storage: StorageState): boolean {
  return ['dir', 'nfs', 'cifs', 'btrfs', 'cephfs', 'glusterfs'].includes(storage.type);
}

export function canLink(storage: StorageState): boolean {
  return isFileStorage(storage) || ['lvmthin', 'zfspool', 'rbd'].includes(storage.type);
}

export function volumeName(
  world: World,
  storage: string,
  what: { vmid: number; name: string; format?: string },
): string {
  return isFileStorage(storageOf(world, storage))
    ? `${storage}:${what.vmid}/${what.name}.${what.format ?? 'qcow2'}`
    : `${storage}:${what.name}`;
}

export function linkedName(world: World, base: string, what: { vmid: number; name: string }): string {
  const { storage, rest } = parseVolume(base);
  return isFileStorage(storageOf(world, storage))
    ? `${storage}:${rest}/${what.vmid}/${what.name}.qcow2`
    : `${storage}:${rest}/${what.name}`;
}

/** The first free `vm-ID-disk-N` over the config and its snapshots. */
export function freeDiskName(vm: VmState, more: string[] = []): string {
  const text = [JSON.stringify(vm.config), JSON.stringify(vm.pending), JSON.stringify(vm.snapshots), ...more].join(' ');
  for (let number = 0; number < 100; number++) {
    const name = `vm-${vm.vmid}-disk-${number}`;
    if (!text.includes(`${name}.`) && !text.includes(`${name},`) && !text.includes(`${name}"`)) return name;
  }
  throw died(`unable to allocate an image name for VM ${vm.vmid}`);
}

export function volumesOf(config: Config): string[] {
  const named = drives(config)
    .map(([, raw]) => parseDrive(raw).volume)
    .filter((volume) => volume.includes(':'));
  return config.vmstate === undefined ? named : [...named, config.vmstate];
}

export function isLinkedTo(volume: string, base: string): boolean {
  const { storage, rest } = parseVolume(base);
  return volume.startsWith(`${storage}:${rest}/`);
}

export function volumeExists(world: World, volume: string): boolean {
  if (world.state.volumes[volume] !== undefined) return true;
  return Object.values(world.state.vms).some((vm) =>
    [vm.config, ...Object.values(vm.snapshots)].some((config) => volumesOf(config).includes(volume)),
  );
}

/** Where `state.files` keeps what was uploaded. */
export function fileKey(world: World, volume: string, node: string): string {
  return `${storageOf(world, parseVolume(volume).storage).shared ? '*' : node} ${volume}`;
}

/** What is used on this node: everything else, and a share of each volume. A full clone takes all of its size, a linked one little. */
export function usedBytes(world: World, name: string, node: string): number {
  const storage = storageOf(world, name);
  let used = storage.otherBytes;
  for (const [key, file] of Object.entries(world.state.files)) {
    if (parseVolume(file.volume).storage === name && key === fileKey(world, file.volume, node)) used += file.sizeBytes;
  }
  for (const vm of Object.values(world.state.vms)) {
    if (!storage.shared && vm.node !== node) continue;
    for (const [, raw] of drives(vm.config)) {
      if (parseVolume(parseDrive(raw).volume).storage === name) used += usedByDrive(raw);
    }
  }
  return Math.min(used, storage.totalBytes);
}

const thinBytes = 200_704;

function usedByDrive(raw: string): number {
  if (isCloudInit(raw)) return 4 * 1024 ** 2;
  const linked = parseVolume(parseDrive(raw).volume).rest.includes('base-') && raw.includes('/vm-');
  return linked ? thinBytes : Math.floor(driveSize(raw) / 4);
}

/** @throws as qemu-img does when the file system has no room for `bytes` more. */
export function assertSpace(world: World, where: { storage: string; node: string }, bytes: number): void {
  const storage = storageOf(world, where.storage);
  if (usedBytes(world, where.storage, where.node) + bytes > storage.totalBytes) throw new NoSpace();
}

export class NoSpace extends Error {
  constructor() {
    super('No space left on device');
  }
}
