import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What IPv6 addresses of the internet begin with; others are local, or carry an IPv4 address through a translator. */
const globalIPv6 = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an address is one of the internet: no loopback, private, link-local, shared, reserved or multicast one, in
 * whatever form it is written (IPv4 in IPv6 too).
 */
export function isPublicAddress(text: string): boolean {
  if (isIP(text) === 0) return false;
  const address = ipaddr.process(text);
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || (address as ipaddr.IPv6).match(globalIPv6);
}

export function isLoopbackAddress(text: string): boolean {
  return isIP(text) !== 0 && ipaddr.process(text).range() === 'loopback';
}
