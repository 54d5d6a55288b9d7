import { died } from '../api/refusal.ts';
import type { World } from '../world/world.ts';
import { bridgeOf, diskKey, isCdrom, isCloudInit } from './config.ts';

const rights: Record<string, string[]> = {
  'VM.Config.CPU': ['cores', 'sockets', 'cpu', 'cpulimit', 'cpuunits', 'vcpus', 'numa', 'affinity', 'smp'],
  'VM.Config.Memory': ['memory', 'balloon', 'shares', 'allow-ksm'],
  'VM.Config.HWType': [
    'acpi',
    'audio0',
    'bios',
    'hotplug',
    'kvm',
    'machine',
    'scsihw',
    'smbios1',
    'tablet',
    'vga',
    'watchdog',
    'rng0',
    'vmgenid',
    'arch',
  ],
  'VM.Config.Options': [
    'agent',
    'autostart',
    'boot',
    'bootdisk',
    'description',
    'freeze',
    'keyboard',
    'localtime',
    'migrate_downtime',
    'migrate_speed',
    'name',
    'onboot',
    'ostype',
    'protection',
    'reboot',
    'spice_enhancements',
    'startdate',
    'startup',
    'tags',
    'tdf',
    'template',
  ],
};

const cloudInit = /^(?:cicustom|cipassword|citype|ciuser|ciupgrade|nameserver|searchdomain|sshkeys|ipconfig\d+)$/;
const byOption = new Map(Object.entries(rights).flatMap(([right, options]) => options.map((one) => [one, right] as const)));

/** `check_vm_modify_config_perm`: each option has its own privilege, some are root's alone. */
export function checkOptionRights(world: World, who: { caller: string; vmid: number }, options: Map<string, string | undefined>): void {
  const path = `/vms/${who.vmid}`;
  const need = (...privileges: string[]) => world.permissions.checkAny(who.caller, path, privileges);
  for (const [option, value] of options) {
    const right = /^numa\d+$/.test(option) ? 'VM.Config.CPU' : byOption.get(option);
    if (right !== undefined) need(right);
    else if (cloudInit.test(option)) need('VM.Config.Cloudinit', 'VM.Config.Network');
    else if (diskKey.test(option)) {
      const cdrom = value !== undefined && isCdrom(value) && !isCloudInit(value);
      need(cdrom ? 'VM.Config.CDROM' : 'VM.Config.Disk');
    } else if (/^net\d+$/.test(option)) {
      need('VM.Config.Network');
      const bridge = value === undefined ? undefined : bridgeOf(value);
      if (bridge !== undefined) world.permissions.check(who.caller, `/sdn/zones/localnetwork/${bridge}`, ['SDN.Use']);
    } else if (/^serial\d+$/.test(option) && (value === undefined || value === 'socket')) need('VM.Config.HWType');
    else if (option === 'vmstatestorage' || option === 'vmstate') need('VM.Config.Disk');
    else throw died(`only root can set '${option}' config`);
  }
}
