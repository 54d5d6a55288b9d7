import { badParameters, died } from '../api/refusal.ts';
import type { Call, World } from '../world/world.ts';
import type { Change } from './changes.ts';
import { diskKey, withMac } from './config.ts';
import { checkBridges, checkHook, checkOptionRights, type Changing } from './optionRights.ts';
import { refuseRootOnly } from './rootOnly.ts';
import { checkDrive, checkStorageAccess } from './volumeAccess.ts';

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
const numberedOption =
  /^(?:(?:net|ipconfig)(?:[12]?\d|3[01])|serial[0-3]|usb(?:\d|1[0-3])|hostpci(?:\d|1[0-5])|numa[0-7]|parallel[0-2]|virtiofs\d)$/;
/** Options that stand in a config and that no caller sets. */
const inner = new Set([
  'vmstate',
  'parent',
  'snaptime',
  'runningmachine',
  'runningcpu',
  'meta',
  'running-nets-host-mtu',
]);

/** Everything that is checked before the config is read, in the order of `$update_vm_api` in API2/Qemu.pm. */
export function changeOf(call: Call): Change {
  const { world, given, caller } = call;
  refuseRootOnly(call, 'skiplock');
  const set = optionsOf(given);
  checkSshKeys(set.get('sshkeys'));
  const change: Change = {
    set,
    remove: listed(given.delete).map((key) => (key === 'cdrom' ? 'ide2' : key)),
    revert: listed(given.revert),
    force: given.force === 1,
  };
  const anything = given.delete || given.revert || set.size > 0;
  if (!anything) throw died('no options specified');
  checkNames(world, change);
  for (const drive of drivesOf(set)) checkDrive(world, drive);
  checkHook(world, set.get('hookscript'));
  const who: Changing = { caller, vmid: Number(given.vmid) };
  checkOptionRights(world, who, change.remove);
  checkAccess(world, who, set);
  return { ...change, set: normalised(set) };
}

/** What `POST /nodes/{node}/qemu` needs of the same rules: the rights of its pool count, and come after the storages. */
export function newConfigOf(call: Call): Change {
  const { world, given, caller } = call;
  const ofCall = new Set(['pool', 'storage', 'start', 'unique', 'archive', 'bwlimit', 'ha-managed', 'live-restore']);
  const set = optionsOf(Object.fromEntries(Object.entries(given).filter(([key]) => !ofCall.has(key))));
  const pool = given.pool === undefined ? undefined : String(given.pool);
  const who: Changing = { caller, vmid: Number(given.vmid), pool };
  for (const drive of drivesOf(set)) checkStorageAccess(world, who, drive);
  checkOptionRights(world, who, set.keys());
  checkBridges(world, caller, netsOf(set));
  for (const drive of drivesOf(set)) checkDrive(world, drive);
  return { set: normalised(set), remove: [], revert: [] };
}

function checkAccess(world: World, who: Changing, set: Map<string, string>): void {
  checkOptionRights(world, who, set.keys());
  for (const drive of drivesOf(set)) checkStorageAccess(world, who, drive);
  const stateStorage = set.get('vmstatestorage');
  if (stateStorage !== undefined) {
    world.permissions.check(who.caller, `/storage/${stateStorage}`, ['Datastore.AllocateSpace']);
  }
  checkBridges(world, who.caller, netsOf(set));
}

function optionsOf(given: Call['given']): Map<string, string> {
  const options = Object.entries(given).filter(([key]) => !notOptions.has(key));
  return new Map(options.map(([key, value]) => (key === 'cdrom' ? ['ide2', withMedia(value)] : [key, String(value)])));
}

function withMedia(value: unknown): string {
  const text = String(value);
  return text.includes('media=') ? text : `${text},media=cdrom`;
}

function listed(value: unknown): string[] {
  const parts = value === undefined ? [] : String(value).split(/[,;\s\0]+/);
  return parts.filter((one) => one !== '');
}

function drivesOf(set: Map<string, string>): [string, string][] {
  return [...set].filter(([key]) => diskKey.test(key)).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function netsOf(set: Map<string, string>): string[] {
  return [...set].filter(([key]) => /^net\d+$/.test(key)).map(([, value]) => value);
}

function checkNames(world: World, { set, remove, revert }: Change): void {
  const properties = world.vmProperties;
  const known = (key: string) =>
    (Object.hasOwn(properties, key) && !notOptions.has(key) && !key.endsWith('[n]')) ||
    diskKey.test(key) ||
    numberedOption.test(key) ||
    inner.has(key);
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

/** Every line of them is one that ssh-keygen can read. */
export function checkSshKeys(keys: string | undefined): void {
  if (keys === undefined) return;
  const lines = unescaped(keys)
    .split('\n')
    .filter((line) => line.trim() !== '');
  const form = /^(?:\S+ )?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]{16,}(?: .*)?$/;
  if (!lines.every((line) => form.test(line.trim()))) throw died('SSH public key validation error');
}

/** uri_unescape: a percent sign without two digits stays. */
function unescaped(text: string): string {
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
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
