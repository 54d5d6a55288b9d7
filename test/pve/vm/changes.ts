import { died } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { diskKey, isCdrom, isCloudInit, parseDrive, sizeText } from './config.ts';
import { importDisk, importSource } from './imports.ts';
import { freeDiskName, parseVolume, volumeExists, volumeName } from './volumes.ts';
import { assertWritable } from './writable.ts';

/** What one call wants of a config. */
export interface Change {
  set: Map<string, string>;
  remove: string[];
  revert: string[];
  /** Removed disks go for good instead of staying as `unusedN`. */
  force?: boolean;
}

/** Applied to a running VM at once; everything else waits for the next start unless it can be plugged. */
const immediate = new Set(
  'description migrate_downtime migrate_speed name onboot protection shares startup tags vmstatestorage'.split(' '),
);

export function applyChange(world: World, vm: VmState, change: Change): void {
  assertWritable(world, vm);
  for (const key of change.revert) {
    delete vm.pending[key];
    vm.pendingDelete = vm.pendingDelete.filter((one) => one !== key);
  }
  for (const key of change.remove) removeOption(vm, key, change.force === true);
  for (const [key, raw] of change.set) {
    if (key === 'boot') checkBootOrder(vm, raw, change);
    const drive = diskKey.test(key);
    setOption(vm, key, drive ? attach(world, vm, [key, raw]) : raw);
    if (drive && isCdrom(raw)) addToBootOrder(vm, key);
  }
  world.save();
}

/** A check that stands before the change: the balloon fits the memory. */
export function checkBalloon(vm: VmState, change: Change): void {
  if (!change.set.has('memory') && !change.set.has('balloon')) return;
  const number = (raw: string | undefined) => Number(/\d+/.exec(raw ?? '')?.[0] ?? 0);
  const memory = number(change.set.get('memory') ?? vm.pending.memory ?? vm.config.memory ?? '512');
  const balloon = number(change.set.get('balloon') ?? vm.pending.balloon ?? vm.config.balloon);
  if (balloon > memory) throw died('balloon value too large (must be smaller than assigned memory)');
}

function checkBootOrder(vm: VmState, raw: string, change: Change): void {
  for (const device of /order=([^,]+)/.exec(raw)?.[1]?.split(';') ?? []) {
    const there = vm.config[device] !== undefined || vm.pending[device] !== undefined || change.set.has(device);
    if (!there || change.remove.includes(device)) throw died(`invalid bootorder: device '${device}' does not exist'`);
  }
}

function hotPlugged(vm: VmState, key: string): boolean {
  if (vm.run === null || immediate.has(key)) return true;
  return /^(?:net|scsi|virtio|ipconfig)\d+$|^(?:ci\w+|sshkeys|nameserver|searchdomain)$/.test(key);
}

function removeOption(vm: VmState, key: string, force: boolean): void {
  delete vm.pending[key];
  const raw = vm.config[key];
  if (raw === undefined) return;
  if (!hotPlugged(vm, key)) {
    if (!vm.pendingDelete.includes(key)) vm.pendingDelete.push(key);
    return;
  }
  delete vm.config[key];
  if (!diskKey.test(key)) return;
  const order = vm.config.boot;
  if (order !== undefined) vm.config.boot = withoutDevice(order, key);
  const { volume } = parseDrive(raw);
  if (!force && !key.startsWith('unused') && !isCdrom(raw) && volume.includes(':')) {
    const number = Array.from({ length: 256 }, (_, at) => at).find((at) => vm.config[`unused${at}`] === undefined);
    vm.config[`unused${number ?? 0}`] = volume;
  }
}

/** A new CD drive can be started from, last of all. */
function addToBootOrder(vm: VmState, key: string): void {
  const [, order] = /order=([^,]+)/.exec(vm.config.boot ?? '') ?? [];
  if (order === undefined || order.split(';').includes(key)) return;
  setOption(vm, 'boot', `order=${order};${key}`);
}

function withoutDevice(boot: string, key: string): string {
  return boot.replace(
    /order=([^,]+)/,
    (_, list: string) =>
      `order=${list
        .split(';')
        .filter((one) => one !== key)
        .join(';')}`,
  );
}

function setOption(vm: VmState, key: string, value: string): void {
  vm.pendingDelete = vm.pendingDelete.filter((one) => one !== key);
  delete vm.pending[key];
  if (hotPlugged(vm, key)) vm.config[key] = value;
  else if (vm.config[key] !== value) vm.pending[key] = value;
}

/** `local:8` makes a disk of 8 GiB, `local:cloudinit` a cloud-init drive; anything else must exist. */
function attach(world: World, vm: VmState, [key, raw]: [string, string]): string {
  const { volume, options } = parseDrive(raw);
  if (!volume.includes(':')) return raw;
  const { storage, rest } = parseVolume(volume);
  const plain = options.filter((one) => !/^(?:format|import-from|size)=/.test(one));
  const format = options.find((one) => one.startsWith('format='))?.slice(7);
  if (rest === 'cloudinit') {
    const other = Object.entries({ ...vm.config, ...vm.pending }).find(
      ([one, value]) => one !== key && diskKey.test(one) && isCloudInit(value),
    );
    if (other) throw died(`${key} - cloud-init drive is already attached at '${other[0]}'`);
    const name = volumeName(world, storage, { vmid: vm.vmid, name: `vm-${vm.vmid}-cloudinit`, format });
    return [name, 'media=cdrom', ...plain.filter((one) => one !== 'media=cdrom')].join(',');
  }
  if (/^\d+(?:\.\d+)?$/.test(rest)) {
    const source = importSource(raw);
    if (source !== undefined) {
      const [imported, size] = importDisk(world, vm, { storage, source, format });
      return [imported, ...plain, size].join(',');
    }
    const size = sizeText(Math.floor(Number(rest) * 1024 ** 3));
    const name = volumeName(world, storage, { vmid: vm.vmid, name: freeDiskName(vm), format });
    return [name, ...plain, `size=${size}`].join(',');
  }
  if (!volumeExists(world, volume)) throw died(`volume '${volume}' does not exist`);
  return raw;
}
