import { died } from '../api/refusal.ts';
import type { World } from '../world/world.ts';
import { bridgeOf, diskKey, isCdrom, isCloudInit } from './config.ts';

const rights: Record<string, string> = {
  'VM.Config.CPU': 'cores cpu cpulimit cpuunits numa smp sockets vcpus',
  'VM.Config.Memory': 'memory balloon shares allow-ksm',
  'VM.Config.HWType': 'acpi hotplug kvm machine scsihw smbios1 tablet vga watchdog audio0 rng0',
  'VM.Config.Options':
    'agent autostart bios description keyboard localtime migrate_downtime migrate_speed name onboot ostype protection reboot startdate startup tags tdf template',
  'VM.PowerMgmt': 'freeze',
  'VM.Config.Disk': 'boot bootdisk vmstatestorage vmstate',
};

const cloudInit = /^(?:cicustom|cipassword|citype|ciuser|ciupgrade|nameserver|searchdomain|sshkeys|ipconfig\d+)$/;
const byOption = new Map(
  Object.entries(rights).flatMap(([right, options]) => options.split(' ').map((one) => [one, right] as const)),
);

interface Changing {
  caller: string;
  vmid: number;
  /** The pool a new VM will be in: its rights count already. */
  pool?: string;
}

/** Each option has its own privilege; what no list knows is root's alone. */
export function checkOptionRights(world: World, who: Changing, options: Map<string, string | undefined>): void {
  for (const [option, value] of options) checkOption(world, who, [option, value]);
}

function checkOption(world: World, who: Changing, [option, value]: [string, string | undefined]): void {
  const path = `/vms/${who.vmid}`;
  const inPool = who.pool === undefined ? undefined : `/pool/${who.pool}`;
  const need = (...privileges: string[]) => {
    if (inPool !== undefined && world.permissions.any(who.caller, inPool, privileges)) return;
    world.permissions.checkAny(who.caller, path, privileges);
  };
  const right = /^numa\d+$/.test(option) ? 'VM.Config.CPU' : byOption.get(option);
  if (right !== undefined) {
    need(right);
    if (option === 'startup') world.permissions.check(who.caller, '/', ['Sys.Modify']);
  } else if (cloudInit.test(option)) need('VM.Config.Cloudinit', 'VM.Config.Network');
  else if (diskKey.test(option)) {
    if (value !== undefined && isCloudInit(value)) {
      need('VM.Config.Cloudinit');
      need('VM.Config.CDROM');
    } else need(value !== undefined && isCdrom(value) ? 'VM.Config.CDROM' : 'VM.Config.Disk');
  } else if (/^net\d+$/.test(option)) {
    need('VM.Config.Network');
    const bridge = value === undefined ? undefined : bridgeOf(value);
    if (bridge !== undefined) world.permissions.check(who.caller, `/sdn/zones/localnetwork/${bridge}`, ['SDN.Use']);
  } else if (/^serial\d+$/.test(option)) {
    if (value !== undefined && value !== 'socket')
      throw died(`only root can modify '${option}' config for real devices`);
    need('VM.Config.HWType');
  } else throw died(`only root can set '${option}' config`);
}
