import { badParameters, died } from '../api/refusal.ts';
import type { World } from '../world/world.ts';
import { isCdrom, parseDrive } from './config.ts';
import { checkImport } from './imports.ts';
import { isFileStorage, parseVolume, storageOf } from './volumes.ts';

interface Volume {
  kind: string;
  owner?: number;
}

const folders: Record<string, string> = {
  iso: 'iso',
  vztmpl: 'vztmpl',
  backup: 'backup',
  snippets: 'snippets',
  import: 'import',
};
const image = /^[^/\s]+\.(?:raw|qcow2|vmdk|subvol)$/;

/** parse_volname of the storage plugins: what a volume's name says of it. */
export function volumeKind(world: World, volume: string): Volume {
  const { storage, rest } = parseVolume(volume);
  const file = isFileStorage(storageOf(world, storage));
  const folder = folders[rest.split('/')[0] ?? ''];
  if (file && folder !== undefined && rest.includes('/')) return { kind: folder };
  const [, owner, name] = /(?:^|\/)(\d+)\/([^/\s]+)$/.exec(rest) ?? [];
  if (file) {
    if (owner === undefined || name === undefined) throw died(`unable to parse directory volume name '${rest}'`);
    if (!image.test(name)) throw died(`unable to parse volume filename '${name}'`);
    return { kind: 'images', owner: Number(owner) };
  }
  const block = /(?:^|\/)(?:vm|base)-(\d+)-\S+$/.exec(rest)?.[1];
  if (block === undefined) throw died(`unable to parse lvm volume name '${rest}'`);
  return { kind: 'images', owner: Number(block) };
}

/** check_volume_access of Storage.pm. */
function checkVolume(world: World, who: { caller: string; vmid: number }, volume: string): void {
  const { kind, owner } = volumeKind(world, volume);
  const path = `/storage/${parseVolume(volume).storage}`;
  const { permissions } = world;
  if (permissions.any(who.caller, path, ['Datastore.Allocate'])) return;
  if (kind === 'iso' || kind === 'vztmpl' || kind === 'import') {
    permissions.checkAny(who.caller, path, ['Datastore.AllocateSpace', 'Datastore.Audit']);
  } else if (owner === undefined) permissions.check(who.caller, path, ['Datastore.Allocate']);
  else if (owner !== who.vmid) {
    permissions.check(who.caller, path, ['Datastore.Audit']);
    permissions.check(who.caller, `/vms/${owner}`, ['VM.Config.Disk']);
  }
}

export const newDisk = /^\d+(?:\.\d+)?$/;

/** check_storage_access of API2/Qemu.pm: what a drive that is set needs of its storage. */
export function checkStorageAccess(
  world: World,
  who: { caller: string; vmid: number },
  [key, raw]: [string, string],
): void {
  const { volume } = parseDrive(raw);
  if (volume === 'none' || volume === 'cloudinit') return;
  if (volume === 'cdrom') return world.permissions.check(who.caller, '/', ['Sys.Console']);
  if (volume.startsWith('/')) throw died('Only root can pass arbitrary filesystem paths.');
  const { storage, rest } = parseVolume(volume);
  if (rest === 'cloudinit') return;
  if (newDisk.test(rest) && !isCdrom(raw)) {
    world.permissions.check(who.caller, `/storage/${storage}`, ['Datastore.AllocateSpace']);
    if (!storageOf(world, storage).content.includes('images')) {
      throw badParameters({ storage: `storage '${storage}' does not support vm images` });
    }
    return checkImport(world, who.caller, [key, raw]);
  }
  checkVolume(world, who, volume);
  if (!/^(?:images|iso)$/.test(volumeKind(world, volume).kind)) {
    throw badParameters({ [key]: "content type needs to be 'images' or 'iso'" });
  }
}

/** check_drive_param: what is wrong with a drive whoever asks. */
export function checkDrive(world: World, [key, raw]: [string, string]): void {
  const { volume, options } = parseDrive(raw);
  const { storage, rest } = parseVolume(volume);
  if (volume.startsWith('/') && !volume.startsWith('/dev/')) {
    throw badParameters({ [key]: `unable to associate path '${volume}' to any storage` });
  }
  if (options.some((one) => one.startsWith('import-from=')) && !/^0(?:\.0+)?$/.test(rest)) {
    const text = "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>";
    throw badParameters({ [key]: text });
  }
  if (storage === '' || !volume.includes(':') || rest === 'cloudinit' || newDisk.test(rest)) return;
  if (volumeKind(world, volume).kind === 'iso' && !isCdrom(raw)) {
    throw badParameters({ [key]: "explicit 'media=cdrom' is required for iso images" });
  }
}
