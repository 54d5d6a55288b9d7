import { badParameters, died } from '../api/refusal.ts';
import type { Json } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { applyChange, checkBalloon, type Change } from '../vm/changes.ts';
import {
  digestOf,
  diskKey,
  driveSize,
  isCdrom,
  isCloudInit,
  parseDrive,
  sizeBytes,
  sizeText,
  withMac,
} from '../vm/config.ts';
import { checkLock } from '../vm/lifecycle.ts';
import { checkOptionRights } from '../vm/optionRights.ts';
import { refuseRootOnly } from '../vm/rootOnly.ts';
import { checkImport } from '../vm/imports.ts';
import { parseVolume, pathOf, storageOf } from '../vm/volumes.ts';
import { assertWritable } from '../vm/writable.ts';

const notOptions = new Set([
  'node',
  'vmid',
  'delete',
  'revert',
  'digest',
  'skiplock',
  'force',
  'background_delay',
  'import-working-storage',
]);
const numberedOption = /^(?:net|ipconfig|serial|usb|hostpci|numa|parallel|virtiofs)\d+$/;

export const configRoutes: Routes = {
  'PUT /nodes/{node}/qemu/{vmid}/config': change,
  'POST /nodes/{node}/qemu/{vmid}/config': changeInTask,
  'PUT /nodes/{node}/qemu/{vmid}/unlink': (call) =>
    change({
      ...call,
      given: {
        node: call.node,
        vmid: call.given.vmid ?? null,
        delete: call.given.idlist ?? '',
        force: call.given.force ?? 0,
      },
    }),
  'PUT /nodes/{node}/qemu/{vmid}/resize': (call) => {
    refuseRootOnly(call, 'skiplock');
    return call.world.task(call, 'resize', (running) => {
      const waiting = { onWait: running.log, signal: running.signal };
      return call.world.locks.within(Number(call.given.vmid), () => resize(call, running.log), waiting);
    });
  },
  'PUT /nodes/{node}/qemu/{vmid}/cloudinit': async (call) => {
    await call.world.locks.within(Number(call.given.vmid), () => checkLock(find(call)));
    return null;
  },
};

async function change(call: Call): Promise<Json> {
  const wanted = changeOf(call);
  if (call.world.facts.configCheckedEarly) ready(call, wanted);
  await call.world.locks.within(Number(call.given.vmid), () => applyChange(call.world, ready(call, wanted), wanted));
  return null;
}

function changeInTask(call: Call): Json | Promise<Json> {
  const { world, given } = call;
  const wanted = changeOf(call);
  const vmid = Number(given.vmid);
  const start = (inside: (work: () => void) => Promise<void>) =>
    world.task(call, 'qmconfig', async (running) => {
      running.log(`update VM ${vmid}: ${shown(given)}`);
      await world.pace.wait(140);
      await inside(() => applyChange(world, ready(call, wanted), wanted));
    });
  if (!world.facts.configCheckedEarly) {
    return world.locks.within(vmid, () => {
      ready(call, wanted);
      return start(async (work) => work());
    });
  }
  ready(call, wanted);
  return start((work) => world.locks.within(vmid, work));
}

function shown(given: Call['given']): string {
  const skipped = new Set(['node', 'vmid', 'digest', 'background_delay', 'import-working-storage']);
  const names = Object.keys(given)
    .filter((name) => !skipped.has(name))
    .toSorted();
  return names.map((name) => `-${name} ${name === 'cipassword' ? '<hidden>' : String(given[name])}`).join(' ');
}

function find(call: Call): VmState {
  return call.world.vm(Number(call.given.vmid), call.node);
}

/** Everything that is checked before the config is read. */
function changeOf(call: Call, pool?: string): Change {
  const { world, given, caller } = call;
  refuseRootOnly(call, 'skiplock');
  const names = (value: unknown) =>
    value === undefined
      ? []
      : String(value)
          .split(/[,;\s]+/)
          .filter((one) => one !== '');
  const remove = names(given.delete);
  const revert = names(given.revert);
  const set = new Map<string, string>();
  for (const [key, value] of Object.entries(given)) if (!notOptions.has(key)) set.set(key, String(value));
  checkSshKeys(set.get('sshkeys'));
  if (remove.length + revert.length + set.size === 0) throw died('no options specified');
  checkNames(world, { set, remove, revert });
  for (const [key, raw] of set) {
    if (!diskKey.test(key)) continue;
    checkDrive(call, raw);
    checkImport(call, key, raw);
  }
  const who = { caller, vmid: Number(given.vmid), pool };
  checkOptionRights(world, who, new Map([...remove, ...revert].map((key) => [key, undefined])));
  checkOptionRights(world, who, set);
  return { set: normalised(set), remove, revert, force: given.force === 1 };
}

function checkNames(world: World, { set, remove, revert }: Change): void {
  const known = (key: string) =>
    key in world.vmProperties || diskKey.test(key) || numberedOption.test(key) || key === 'vmstate';
  for (const key of revert) {
    if (!known(key)) throw badParameters({ revert: `unknown option '${key}'` });
    if (set.has(key)) throw badParameters({ delete: `you can't use '-${key}' and -revert ${key}' at the same time` });
  }
  for (const key of remove) {
    if (set.has(key)) throw badParameters({ delete: `you can't use '-${key}' and -delete ${key}' at the same time` });
    if (revert.includes(key)) {
      throw badParameters({ revert: `you can't use '-delete ${key}' and -revert ${key}' at the same time` });
    }
    if (!known(key)) throw badParameters({ delete: `unknown option '${key}'` });
  }
}

function checkSshKeys(keys: string | undefined): void {
  if (keys === undefined) return;
  const lines = decodeURIComponent(keys)
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const form = /^(?:\S+ )?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]{16,}(?: .*)?$/;
  if (!lines.every((line) => form.test(line.trim()))) throw died('SSH public key validation error');
}

function checkDrive(call: Call, raw: string): void {
  const { volume } = parseDrive(raw);
  if (volume === 'none') return;
  if (volume === 'cdrom') return call.world.permissions.check(call.caller, '/', ['Sys.Console']);
  if (volume.startsWith('/')) throw died('Only root can pass arbitrary filesystem paths.');
  const { storage, rest } = parseVolume(volume);
  const one = storageOf(call.world, storage);
  if (!/^\d+(?:\.\d+)?$/.test(rest)) return;
  call.world.permissions.check(call.caller, `/storage/${storage}`, ['Datastore.AllocateSpace']);
  if (!one.content.includes('images'))
    throw badParameters({ storage: `storage '${storage}' does not support vm images` });
}

function normalised(set: Map<string, string>): Map<string, string> {
  const result = new Map(set);
  for (const [key, raw] of set) {
    if (/^net\d+$/.test(key)) result.set(key, withMac(raw));
    if (key === 'tags') result.set(key, tidyTags(raw));
    if (key === 'cipassword') result.set(key, `$5$${raw.length}`);
    if (key === 'vmgenid' && raw === '1') result.set(key, crypto.randomUUID());
  }
  return result;
}

/** PVE keeps tags sorted, in small letters and once each. */
function tidyTags(raw: string): string {
  const tags = raw.split(/[,;\s]+/).filter((tag) => tag !== '');
  return [...new Set(tags.map((tag) => tag.toLowerCase()))].toSorted().join(';');
}

function ready(call: Call, wanted: Change): VmState {
  const vm = find(call);
  checkDigest(call, vm);
  // A hibernated VM may lose its saved memory, and its lock with it.
  const forgets = wanted.remove.includes('vmstate') && vm.config.lock === 'suspended';
  if (!forgets) checkLock(vm);
  checkBalloon(vm, wanted);
  return vm;
}

function checkDigest(call: Call, vm: VmState): void {
  const { digest } = call.given;
  if (digest !== undefined && digest !== digestOf(vm)) throw died(call.world.facts.digestText);
}

async function resize(call: Call, log: (text: string) => void): Promise<void> {
  const { world, given } = call;
  const vm = find(call);
  checkDigest(call, vm);
  checkLock(vm);
  const key = String(given.disk);
  const raw = vm.config[key];
  if (raw === undefined) throw died(`disk '${key}' does not exist`);
  if (isCdrom(raw) || isCloudInit(raw)) throw died("you can't resize a cdrom");
  const { volume, options } = parseDrive(raw);
  world.permissions.check(call.caller, `/storage/${parseVolume(volume).storage}`, ['Datastore.AllocateSpace']);
  const size = String(given.size);
  const now = driveSize(raw);
  const wanted = size.startsWith('+') ? now + sizeBytes(size.slice(1)) : sizeBytes(size);
  await world.pace.wait(90);
  if (wanted < now) throw died('shrinking disks is not supported');
  await world.pace.wait(120);
  if (wanted === now) return;
  const path = pathOf(world, volume);
  if (vm.config.template === '1') {
    log(`qemu-img: Could not open '${path}': Could not open '${path}': Operation not permitted`);
    const command = `/usr/bin/qemu-img resize${world.facts.resizePreallocation} -f qcow2 ${path} ${wanted}`;
    throw died(`command '${command}' failed: exit code 1`);
  }
  log('Image resized.');
  assertWritable(world, vm);
  vm.config[key] = [volume, ...options.filter((one) => !one.startsWith('size=')), `size=${sizeText(wanted)}`].join(',');
  world.save();
}

const notOfNewVm = new Set(['pool', 'storage', 'start', 'unique', 'archive', 'bwlimit', 'ha-managed', 'live-restore']);

/** What `POST /nodes/{node}/qemu` needs of the same rules. */
export function firstConfig(call: Call): Change {
  const given = Object.fromEntries(Object.entries(call.given).filter(([key]) => !notOfNewVm.has(key)));
  const pool = call.given.pool === undefined ? undefined : String(call.given.pool);
  const options = Object.keys(given).filter((key) => !notOptions.has(key));
  if (options.length === 0) return { set: new Map(), remove: [], revert: [] };
  return changeOf({ ...call, given }, pool);
}
