import { createHash } from 'node:crypto';
import type { JsonObject } from '../api/reference.ts';
import type { Config, VmState } from '../world/state.ts';
import { macOf } from './config.ts';

/** The documents of the cloud-init drive, as `cloudinit/dump` shows them. */
export function dumpCloudInit(vm: VmState, type: string): string {
  if (type === 'user') return userData(vm.config);
  if (type === 'network') return networkData(vm.config);
  const id = createHash('sha1')
    .update(userData(vm.config) + networkData(vm.config))
    .digest('hex');
  return `instance-id: ${id}\n`;
}

const cloudInitOptions = [
  'cicustom',
  'cipassword',
  'citype',
  'ciuser',
  'ciupgrade',
  'nameserver',
  'searchdomain',
  'sshkeys',
];

/** What the guest's cloud-init drive says, and what the next one will say. */
export function cloudInitPending(vm: VmState): JsonObject[] {
  const made = vm.run?.startConfig ?? vm.config;
  const show = (key: string, raw: string) => (key === 'cipassword' ? '**********' : raw);
  return cloudInitOptions.flatMap((key): JsonObject[] => {
    const [value, next] = [made[key], vm.config[key]];
    if (value === undefined) return next === undefined ? [] : [{ key, pending: show(key, next) }];
    if (next === undefined) return [{ key, delete: 1 }];
    const line = { key, value: show(key, value) };
    return [next === value ? line : { ...line, pending: show(key, next) }];
  });
}

export function userData(config: Config): string {
  const name = config.name ?? 'localhost';
  const short = name.split('.')[0];
  const lines = ['#cloud-config', `hostname: ${short}`, 'manage_etc_hosts: true', `fqdn: ${name}`];
  if (config.ciuser !== undefined) lines.push(`user: ${config.ciuser}`);
  if (config.cipassword !== undefined) lines.push(`password: ${config.cipassword}`);
  if (config.sshkeys !== undefined) {
    lines.push('ssh_authorized_keys:');
    const keys = decodeURIComponent(config.sshkeys)
      .split('\n')
      .filter((key) => key.trim() !== '');
    for (const key of keys) lines.push(`  - ${key.trim()}`);
  }
  lines.push('chpasswd:', '  expire: False');
  lines.push(...(config.ciuser === undefined ? ['users:', '  - default'] : ['users:', '  - default']));
  lines.push('package_upgrade: true');
  return `${lines.join('\n')}\n`;
}

function networkData(config: Config): string {
  const lines = ['version: 1', 'config:'];
  for (const key of Object.keys(config).filter((one) => /^net\d+$/.test(one))) {
    const number = key.slice(3);
    lines.push('    - type: physical', `      name: eth${number}`);
    lines.push(`      mac_address: '${macOf(config[key])?.toLowerCase()}'`, '      subnets:');
    lines.push(...subnet(config[`ipconfig${number}`] ?? ''));
  }
  lines.push('    - type: nameserver', '      address:');
  for (const server of (config.nameserver ?? '10.255.255.53').split(/[,;\s]+/)) lines.push(`      - '${server}'`);
  return `${lines.join('\n')}\n`;
}

function subnet(ipconfig: string): string[] {
  const parts = Object.fromEntries(ipconfig.split(',').map((part) => part.split('=') as [string, string]));
  if (parts.ip === 'dhcp') return ['      - type: dhcp4'];
  if (parts.ip === undefined) return [];
  const [address, bits = '24'] = parts.ip.split('/');
  const mask = Array.from({ length: 4 }, (_, at) => 256 - 2 ** (8 - Math.min(8, Math.max(0, Number(bits) - at * 8))));
  const lines = ['      - type: static', `        address: '${address}'`, `        netmask: '${mask.join('.')}'`];
  if (parts.gw !== undefined) lines.push(`        gateway: '${parts.gw}'`);
  return lines;
}
