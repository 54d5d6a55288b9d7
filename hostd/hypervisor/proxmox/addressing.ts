import { createHash } from 'node:crypto';
import type { GuestNetworkSettings, VmidRange } from './settings.ts';

const probesMax = 64;
/** Addresses at the start of the guest network that are left to gateways and resolvers. */
const reserved = 256;

/**
 * The ids to try for a VM, in order. They follow from its name, so that a clone which is asked for again after a lost
 * answer asks for the same id, and Proxmox VE itself refuses the second one.
 */
export function vmidsToTry(vmRef: string, range: VmidRange): number[] {
  const size = range.last - range.first + 1;
  const start = createHash('sha256').update(vmRef).digest().readUInt32BE(0) % size;
  return Array.from({ length: Math.min(probesMax, size) }, (_, at) => range.first + ((start + at) % size));
}

/** The IPv4 address of a guest follows from its VM id, which is unique in the cluster. */
export function guestAddress(vmid: number, range: VmidRange, network: GuestNetworkSettings): string {
  return formatIpv4(parseCidr(network.cidr).base + reserved + vmid - range.first);
}

/**
 * The hardware address of the guests' bridge on every node. A bridge takes the lowest of its ports where none is set, and
 * then has another one whenever a VM starts or stops: guests that know the former lose their gateway for half a minute. The
 * same on all nodes, so that one that moves keeps its gateway.
 */
export function gatewayMac(gateway: string): string {
  const bytes = parseIpv4(gateway).toString(16).padStart(8, '0').match(/../g)!;
  return ['02', '4c', ...bytes].join(':');
}

export function prefixOf(cidr: string): number {
  return parseCidr(cidr).prefix;
}

/** @throws Error unless every id of the range has an address in the network, and the gateway lies before them. */
export function checkAddressing(range: VmidRange, network: GuestNetworkSettings): void {
  const { base, prefix } = parseCidr(network.cidr);
  const size = 2 ** (32 - prefix);
  if (base % size !== 0) throw new Error(`${network.cidr} is no network: bits of the host are set`);
  const wanted = reserved + (range.last - range.first) + 1;
  if (wanted > size - 1) throw new Error(`${network.cidr} has no room for ${wanted} addresses, one for each VM id`);
  const gateway = parseIpv4(network.gateway) - base;
  if (gateway < 1 || gateway >= reserved)
    throw new Error(
      `the gateway ${network.gateway} is not one of the first ${reserved - 1} addresses of ${network.cidr}`,
    );
}

function parseCidr(cidr: string): { base: number; prefix: number } {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(cidr);
  const prefix = Number(match?.[2]);
  if (!match || prefix < 8 || prefix > 30) throw new Error(`${cidr} is no IPv4 network, such as 10.77.0.0/16`);
  return { base: parseIpv4(match[1]!), prefix };
}

function parseIpv4(text: string): number {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new Error(`${text} is no IPv4 address`);
  return parts.reduce((value, part) => value * 256 + part, 0);
}

function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
