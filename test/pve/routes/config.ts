import { badParameters, died } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { digestOf, diskKey, driveSize, isCdrom, isCloudInit, parseDrive, sizeBytes, sizeText, withMac } from '../vm/config.ts';
import { checkLock } from '../vm/lifecycle.ts';
import { checkOptionRights } from '../vm/optionRights.ts';
import { freeDiskName, parseVolume, pathOf, storageOf, volumeExists, volumeName } from '../vm/volumes.ts';

/** Applied to a running VM at once; everything else waits for the next start unless it can be plugged. */
const immediate = new Set([
  'description',
  'migrate_downtime',
  'migrate_speed',
  'name',
  'onboot',
  'protection',
  'shares',
  'startup',
  'tags',
  'vmstatestorage',
]);
const notOptions = new Set(['node', 'vmid', 'delete', 'revert', 'digest', 'skiplock', 'force', 'background_delay']);

interface Change {
  set: Map<string, string>;
  remove: string[];
  revert: string[];
}

export const configRoutes: Routes = {
  'PUT /nodes/{node}/qemu/{vmid}/config': async (call) => {
    const change = changeOf(call);
    await call.world.locks.within(Number(call.given.vmid), () => {
      const vm = ready(call);
      apply(call.world, vm, change);
    });
    return null;
  },
  'POST /nodes/{node}/qemu/{vmid}/config': async (call) => {
    const change = changeOf(call);
    return call.world.locks.within(Number(call.given.vmid), () => {
      const vm = ready(call);
      const shown = [...change.set].map(([key, value]) => `-${key} ${value}`);
      return call.world.task(call, 'qmconfig', async (running) => {
        running.log(`update VM ${vm.vmid}: ${[...change.remove.map((key) => `-delete ${key}`), ...shown].join(' ')}`);
        await call.world.pace.wait(60);
        apply(call.world, vm, change);
      });
    });
  },
  'PUT /nodes/{node}/qemu/{vmid}/resize': (call) => {
    call.world.vm(Number(call.given.vmid), call.node);
    return call.world.task(call, 'resize', async (running) => {
      const release = await call.world.locks.take(Number(call.given.vmid), { onWait: running.log, signal: running.signal });
      try {
        await resize(call, running.log);
      } finally {
        release();
      }
    });
  },
  'PUT /nodes/{node}/qemu/{vmid}/unlink': async (call) => {
    const ids = String(call.given.idlist).split(/[,;\s]+/);
    await call.world.locks.within(Number(call.given.vmid), () =>
      apply(call.world, ready(call), { set: new Map(), remove: ids, revert: [] }),
    );
    return null;
  },
  'PUT /nodes/{node}/qemu/{vmid}/cloudinit': async (call) => {
    await call.world.locks.within(Number(call.given.vmid), () => ready(call));
    return null;
  },
};

/** Everything that is checked before the lock is asked for. */
function changeOf(call: Call): Change {
  const { world, given, caller } = call;
  if (given.skiplock === 1) throw badParameters({ skiplock: 'Only root may use this option.' });
  const names = (value: unknown) => (value === undefined ? [] : String(value).split(/[,;\s]+/).filter((one) => one !== ''));
  const remove = names(given.delete);
  const revert = names(given.revert);
  const set = new Map<string, string>();
  for (const [key, value] of Object.entries(given)) if (!notOptions.has(key)) set.set(key, String(value));
  for (const key of [...remove, ...revert]) {
    if (set.has(key)) throw badParameters({ delete: `you can't use '-${key}' and -delete ${key}' at the same time` });
  }
  checkSshKeys(set.get('sshkeys'));
  for (const key of remove) {
    if (!(key in world.vmProperties) && !diskKey.test(key) && !/^(?:net|ipconfig|serial|usb|hostpci|numa|parallel)\d+$/.test(key)) {
      throw badParameters({ delete: `unknown option '${key}'` });
    }
  }
  for (const [key, raw] of set) {
    if (diskKey.test(key)) checkDrive(world, raw);
  }
  const options = new Map<string, string | undefined>([...[...remove, ...revert].map((key) => [key, undefined] as const), ...set]);
  checkOptionRights(world, { caller, vmid: Number(given.vmid) }, options);
  return { set: normalised(set), remove, revert };
}

function checkSshKeys(keys: string | undefined): void {
  if (keys === undefined) return;
  const lines = decodeURIComponent(keys).split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const form = /^(?:\S+ )?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]{16,}(?: .*)?$/;
  if (!lines.every((line) => form.test(line.trim()))) throw died('SSH public key validation error');
}

function checkDrive(world: World, raw: string): void {
  const { volume } = parseDrive(raw);
  if (volume === 'none' || volume === 'cdrom') return;
  if (volume.startsWith('/')) throw died('Only root can pass arbitrary filesystem paths.');
  storageOf(world, parseVolume(volume).storage);
}

function normalised(set: Map<string, string>): Map<string, string> {
  const result = new Map(set);
  for (const [key, raw] of set) {
    if (/^net\d+$/.test(key)) result.set(key, withMac(raw));
    if (key === 'tags') result.set(key, tidyTags(raw));
    if (key === 'cipassword') result.set(key, `$5$${raw.length}`);
  }
  return result;
}

/** PVE keeps tags sorted, in small letters and once each. */
function tidyTags(raw: string): string {
  const tags = raw.split(/[,;\s]+/).filter((tag) => tag !== '');
  return [...new Set(tags.map((tag) => tag.toLowerCase()))].toSorted().join(';');
}

function ready(call: Call): VmState {
  const vm = call.world.vm(Number(call.given.vmid), call.node);
  const { digest } = call.given;
  if (digest !== undefined && digest !== digestOf(vm)) throw died('checksum missmatch (file change by other user?)');
  checkLock(vm);
  return vm;
}

function apply(world: World, vm: VmState, change: Change): void {
  for (const key of change.revert) {
    delete vm.pending[key];
    vm.pendingDelete = vm.pendingDelete.filter((one) => one !== key);
  }
  for (const key of change.remove) removeOption(vm, key);
  for (const [key, raw] of change.set) {
    const value = diskKey.test(key) ? attach(world, vm, raw) : raw;
    setOption(vm, key, value);
  }
  world.save();
}

function hotPlugged(vm: VmState, key: string): boolean {
  if (vm.run === null || immediate.has(key)) return true;
  return /^net\d+$/.test(key) || /^scsi\d+$|^virtio\d+$/.test(key) || /^(?:ci|ipconfig|sshkeys|nameserver|searchdomain)/.test(key);
}

function removeOption(vm: VmState, key: string): void {
  delete vm.pending[key];
  if (hotPlugged(vm, key)) delete vm.config[key];
  else if (vm.config[key] !== undefined && !vm.pendingDelete.includes(key)) vm.pendingDelete.push(key);
}

function setOption(vm: VmState, key: string, value: string): void {
  vm.pendingDelete = vm.pendingDelete.filter((one) => one !== key);
  delete vm.pending[key];
  if (value === '' && ['tags', 'description'].includes(key)) delete vm.config[key];
  else if (hotPlugged(vm, key)) vm.config[key] = value;
  else if (vm.config[key] !== value) vm.pending[key] = value;
}

/** `local:8` makes a disk of 8 GiB, `local:cloudinit` a cloud-init drive; anything else must exist. */
function attach(world: World, vm: VmState, raw: string): string {
  const { volume, options } = parseDrive(raw);
  if (!volume.includes(':')) return raw;
  const { storage, rest } = parseVolume(volume);
  const plain = options.filter((one) => !/^(?:format|import-from|size)=/.test(one));
  const format = options.find((one) => one.startsWith('format='))?.slice(7);
  if (rest === 'cloudinit') {
    const name = volumeName(world, storage, { vmid: vm.vmid, name: `vm-${vm.vmid}-cloudinit`, format });
    return [name, 'media=cdrom', ...plain].join(',');
  }
  if (/^\d+(?:\.\d+)?$/.test(rest)) {
    const imported = options.some((one) => one.startsWith('import-from='));
    const size = imported ? '4G' : sizeText(Math.floor(Number(rest) * 1024 ** 3));
    const name = volumeName(world, storage, { vmid: vm.vmid, name: freeDiskName(vm), format });
    return [name, ...plain, `size=${size}`].join(',');
  }
  if (!volumeExists(world, volume) && !isCdrom(raw)) throw died(`volume '${volume}' does not exist`);
  return raw;
}

async function resize(call: Call, log: (text: string) => void): Promise<void> {
  const { world, given } = call;
  const vm = world.vm(Number(given.vmid), call.node);
  checkLock(vm);
  const key = String(given.disk);
  const raw = vm.config[key];
  if (raw === undefined) throw died(`disk '${key}' does not exist`);
  if (isCdrom(raw) || isCloudInit(raw)) throw died('you can\'t resize a cdrom');
  const size = String(given.size);
  const now = driveSize(raw);
  const wanted = size.startsWith('+') ? now + sizeBytes(size.slice(1)) : sizeBytes(size);
  if (wanted < now) throw died('shrinking disks is not supported');
  await world.pace.wait(200);
  if (wanted === now) return;
  const { volume, options } = parseDrive(raw);
  const path = pathOf(world, volume);
  if (vm.config.template === '1') {
    log(`qemu-img: Could not open '${path}': Could not open '${path}': Operation not permitted`);
    throw died(`command '/usr/bin/qemu-img resize${world.facts.resizePreallocation} -f qcow2 ${path} ${wanted}' failed: exit code 1`);
  }
  log('Image resized.');
  vm.config[key] = [volume, ...options.filter((one) => !one.startsWith('size=')), `size=${sizeText(wanted)}`].join(',');
  world.save();
}

/** What `POST /nodes/{node}/qemu` needs of the same rules. */
export function configured(call: Call, vm: VmState): void {
  const skip = new Set(['pool', 'storage', 'start', 'unique', 'archive', 'bwlimit', 'import-working-storage', 'ha-managed', 'live-restore']);
  const given = Object.fromEntries(Object.entries(call.given).filter(([key]) => !skip.has(key)));
  apply(call.world, vm, changeOf({ ...call, given }));
}
