import { isIP } from 'node:net';
import { firewallFormats } from './firewallFormats.ts';

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const dnsName = new RegExp(`^${label}(?:\\.${label})*$`);
const unicastMac = /^[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$/i;
const volumeId = /^[a-z][a-z0-9\-_.]*[a-z0-9]:.+$/i;
const configId = /^[a-z][a-z0-9_-]+$/i;
const storageId = /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i;

function isCidr(value: string, only?: 4 | 6): boolean {
  const [address = '', bits, more] = value.split('/');
  const kind = isIP(address);
  if (kind === 0 || more !== undefined || (only !== undefined && kind !== only)) return false;
  if (bits === undefined) return false;
  return /^\d+$/.test(bits) && Number(bits) > 7 && Number(bits) <= (kind === 4 ? 32 : 128);
}

/** verify_poolname of AccessControl.pm. */
function poolName(value: string): string | undefined {
  if (value.split('/').length > 3) return `pool name '${value}' nested too deeply (max levels = 3)`;
  const good = /^[A-Za-z0-9.\-_]+(?:\/[A-Za-z0-9.\-_]+){0,2}$/.test(value);
  return when(good, `pool name '${value}' contains invalid characters`);
}

const disk = /^(?:ide[0-3]|sata[0-5]|scsi(?:[12]?\d|30)|virtio(?:1[0-5]|\d))$/;

function isDisk(value: string): boolean {
  return disk.test(value);
}

function isBootable(value: string): boolean {
  return isDisk(value) || /^(?:net(?:[12]?\d|3[01])|usb(?:\d|1[0-3])|hostpci(?:\d|1[0-5]))$/.test(value);
}

function when(good: boolean, text: string): string | undefined {
  return good ? undefined : text;
}

function each(check: (value: string) => string | undefined): (value: string) => string | undefined {
  return (value) => {
    for (const one of value.split(/[,;\s\0]+/).filter((part) => part !== '')) {
      const text = check(one);
      if (text !== undefined) return text;
    }
    return undefined;
  };
}

const isVmid = (value: string) => when(/^[1-9][0-9]{2,8}$/.test(value), 'value does not look like a valid VM ID');
const isConfigId = (value: string) => when(configId.test(value), `invalid configuration ID '${value}'`);
const isStorageId = (value: string) => when(storageId.test(value), `storage ID '${value}' contains illegal characters`);
const isAddress = (value: string) =>
  when(isIP(value) !== 0 || dnsName.test(value), `value does not look like a valid address: ${value}`);
const isNode = (value: string) =>
  when(new RegExp(`^${label}$`).test(value), 'value does not look like a valid node name');

/** The text after `invalid format - `, or undefined when the value is good. Formats that no call of ours uses pass. */
export const formats: Record<string, (value: string) => string | undefined> = {
  'pve-vmid': isVmid,
  'pve-vmid-list': each(isVmid),
  'pve-node': isNode,
  'pve-node-list': each(isNode),
  'pve-configid': isConfigId,
  'pve-configid-list': each(isConfigId),
  'pve-storage-id': isStorageId,
  'pve-storage-id-list': each(isStorageId),
  'pve-poolid': poolName,
  'dns-name': (value) => when(dnsName.test(value), 'value does not look like a valid DNS name'),
  'mac-addr': (value) => when(unicastMac.test(value), 'value does not look like a valid unicast MAC address'),
  'pve-bridge-id': (value) => when(/^[-_.\w]+$/.test(value), `invalid bridge ID '${value}'`),
  'pve-iface': (value) =>
    when(/^[a-z][a-z0-9_]{1,20}(?:[:.]\d+)?$/i.test(value), `invalid network interface name '${value}'`),
  'pve-tag-list': each((value) => when(/^[a-z0-9_][a-z0-9_\-+.]*$/i.test(value), 'invalid characters in tag')),
  'pve-volume-id': (value) => when(volumeId.test(value), `unable to parse volume ID '${value}'`),
  'pve-volume-id-or-qm-path': (value) =>
    when(
      ['none', 'cdrom'].includes(value) || value.startsWith('/') || volumeId.test(value),
      `unable to parse volume ID '${value}'`,
    ),
  'pve-ipv4-config': (value) =>
    when(
      /^(?:dhcp|manual)$/.test(value) || isCidr(value, 4),
      'value does not look like a valid ipv4 network configuration',
    ),
  'pve-ipv6-config': (value) =>
    when(
      /^(?:auto|dhcp|manual)$/.test(value) || isCidr(value, 6),
      'value does not look like a valid ipv6 network configuration',
    ),
  'pve-bootdev-list': each((value) => when(isBootable(value), `invalid boot device '${value}'`)),
  'pve-qm-bootdisk': (value) => when(isDisk(value), `invalid boot disk '${value}'`),
  'pve-hotplug-features': each((value) =>
    when(/^(?:[01]|network|disk|cpu|memory|usb|cloudinit)$/.test(value), `invalid hotplug feature '${value}'`),
  ),
  'pve-volume-id-or-absolute-path': (value) =>
    when(value.startsWith('/') || volumeId.test(value), `unable to parse volume ID '${value}'`),
  'pve-startup-order': (value) =>
    when(
      !/^0?$/.test(value) && value.split(',').every((part) => /^\s*$|^(?:order=)?\d+$|^(?:up|down)=\d+$/.test(part)),
      'unable to parse startup options',
    ),
  ...firewallFormats,
  'disk-size': (value) =>
    when(/^\d+(?:\.\d+)?[KMGT]?$/.test(value), `value does not look like a valid disk size: ${value}`),
  urlencoded: (value) => when(/^[-%a-zA-Z0-9_.!~*'()]*$/.test(value), `invalid urlencoded string: ${value}`),
  'address-list': each(isAddress),
  address: isAddress,
  ip: (value) => when(isIP(value) !== 0, 'value does not look like a valid IP address'),
  ipv4: (value) => when(isIP(value) === 4, 'value does not look like a valid IPv4 address'),
  ipv6: (value) => when(isIP(value) === 6, 'value does not look like a valid IPv6 address'),
  CIDRv4: (value) => when(isCidr(value, 4), 'value does not look like a valid IPv4 CIDR network'),
  CIDRv6: (value) => when(isCidr(value, 6), 'value does not look like a valid IPv6 CIDR network'),
  CIDR: (value) => when(isCidr(value), 'value does not look like a valid CIDR network'),
};
