import { badParameters, died } from '../api/refusal.ts';
import type { World } from '../world/world.ts';
import { diskKey, isCdrom, isCloudInit, netParts } from './config.ts';

const rights: Record<string, string> = {
  'VM.Config.CPU': 'cores cpu cpulimit cpuunits numa smp sockets vcpus',
  'VM.Config.Memory': 'memory balloon shares allow-ksm',
  'VM.Config.HWType': 'acpi hotplug kvm machine scsihw smbios1 tablet vga watchdog audio0 rng0',
  'VM.Config.Options':
    'agent autostart bios description keyboard localtime migrate_downtime migrate_speed name onboot ostype protection reboot startdate startup tdf template',
  'VM.PowerMgmt': 'freeze',
  'VM.Config.Disk': 'boot bootdisk vmstatestorage',
};

const cloudInit = /^(?:cicustom|cipassword|citype|ciuser|ciupgrade|nameserver|searchdomain|sshkeys|ipconfig\d+)$/;
const byOption = new Map(
  Object.entries(rights).flatMap(([right, options]) => options.split(' ').map((one) => [one, right] as const)),
);
/** What these need depends on their values, and is looked at with the config in hand. */
const device = /^(?:unused|serial|usb|hostpci|virtiofs)\d+$|^tags$/;

export interface Changing {
  caller: string;
  vmid: number;
  /** The pool a new VM will be in: its rights count already. */
  pool?: string;
}

function need(world: World, who: Changing, privileges: string[]): void {
  const inPool = who.pool === undefined ? undefined : `/pool/${who.pool}`;
  if (inPool !== undefined && privileges.every((one) => world.permissions.any(who.caller, inPool, [one]))) return;
  world.permissions.check(who.caller, `/vms/${who.vmid}`, privileges);
}

/** check_vm_modify_config_perm of API2/Qemu.pm: each option has its own privilege; what no list knows is root's alone. */
export function checkOptionRights(world: World, who: Changing, options: Iterable<string>): void {
  for (const option of options) {
    if (diskKey.test(option) || device.test(option)) continue;
    const right = /^numa\d+$/.test(option) ? 'VM.Config.CPU' : byOption.get(option);
    if (right !== undefined) need(world, who, [right]);
    else if (cloudInit.test(option)) needCloudInit(world, who);
    else if (/^net\d+$/.test(option)) need(world, who, ['VM.Config.Network']);
    else if (option === 'vmstate') need(world, who, ['VM.Config.Disk', 'VM.PowerMgmt']);
    else throw died(`only root can set '${option}' config`);
    if (option === 'startup') world.permissions.check(who.caller, '/', ['Sys.Modify']);
  }
}

function needCloudInit(world: World, who: Changing): void {
  const either = ['VM.Config.Cloudinit', 'VM.Config.Network'];
  if (who.pool !== undefined && world.permissions.any(who.caller, `/pool/${who.pool}`, either)) return;
  world.permissions.checkAny(who.caller, `/vms/${who.vmid}`, either);
}

/** check_bridge_access: the network, or the VLANs of it that are asked for. */
export function checkBridges(world: World, caller: string, nets: Iterable<string>): void {
  for (const net of nets) {
    const { bridge, tag, trunks } = netParts(net);
    if (bridge === undefined) continue;
    const vlans = [...(tag === undefined ? [] : [tag]), ...(trunks ?? '').split(';').filter((one) => one !== '')];
    const zone = `/sdn/zones/localnetwork/${bridge}`;
    for (const vlan of vlans) world.permissions.check(caller, `${zone}/${vlan}`, ['SDN.Use']);
    if (vlans.length === 0) world.permissions.check(caller, zone, ['SDN.Use']);
  }
}

interface Device {
  option: string;
  value: string;
  verb: 'set' | 'modify' | 'delete';
}

/** A drive, a port, a device: what one value of it needs. */
export function checkDeviceRights(world: World, who: Changing, { option, value, verb }: Device): void {
  if (diskKey.test(option)) return needDrive(world, who, option.startsWith('unused') ? '' : value);
  if (option === 'tags') return need(world, who, ['VM.Config.Options']);
  const [, kind = ''] = /^(serial|usb|hostpci|virtiofs)\d+$/.exec(option) ?? [];
  const parts = new Map(value.split(',').map((part): [string, string] => keyed(part)));
  if (kind === 'serial') {
    if (value !== 'socket') throw died(`only root can ${verb} '${option}' config for real devices`);
    need(world, who, ['VM.Config.HWType']);
  } else if (kind === 'usb') needUsb(world, who, { option, parts });
  else if (kind === 'hostpci') {
    if (parts.has('host')) throw died(`only root can set '${option}' config for non-mapped devices`);
    needMapping(world, who, `/mapping/pci/${parts.get('mapping') ?? ''}`);
    need(world, who, ['VM.Config.HWType']);
  } else if (kind === 'virtiofs') {
    need(world, who, ['VM.Config.Disk']);
    needMapping(world, who, `/mapping/dir/${parts.get('dirid') ?? parts.get('host') ?? ''}`);
  }
}

function keyed(part: string): [string, string] {
  const at = part.indexOf('=');
  return at < 0 ? ['host', part] : [part.slice(0, at), part.slice(at + 1)];
}

function needMapping(world: World, who: Changing, path: string): void {
  world.permissions.check(who.caller, path, ['Mapping.Use']);
}

function needUsb(world: World, who: Changing, one: { option: string; parts: Map<string, string> }): void {
  need(world, who, ['VM.Config.HWType']);
  const host = one.parts.get('host');
  if (host !== undefined) {
    if (!/^spice$/i.test(host)) throw died(`only root can set '${one.option}' config for real devices`);
  } else if (one.parts.has('mapping')) needMapping(world, who, `/mapping/usb/${one.parts.get('mapping')}`);
  else throw died("either 'host' or 'mapping' must be set.");
}

function needDrive(world: World, who: Changing, value: string): void {
  if (isCloudInit(value)) need(world, who, ['VM.Config.Cloudinit', 'VM.Config.CDROM']);
  else need(world, who, [isCdrom(value) ? 'VM.Config.CDROM' : 'VM.Config.Disk']);
}

/** A hook is a snippet that is there (GuestHelpers.pm, check_hookscript). */
export function checkHook(world: World, volume: string | undefined): void {
  if (volume === undefined) return;
  const known = world.state.volumes[volume];
  if (!volume.includes(':snippets/'))
    throw badParameters({ hookscript: `'${volume}' is not in the snippets directory\n` });
  if (known === undefined) throw badParameters({ hookscript: `script '${volume}' does not exist\n` });
}
