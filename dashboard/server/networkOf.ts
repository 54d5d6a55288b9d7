import ipaddr from 'ipaddr.js';

/**
 * What tries are counted for: an IPv4 address, or the /64 of an IPv6 one, since whoever has one of those has 2^64. Every
 * spelling of an address leads to the same name; an IPv4 address that is written as IPv6 is an IPv4 address.
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  if (!ipaddr.isValid(plain)) return plain;
  const known = ipaddr.process(plain);
  if (known.kind() === 'ipv4') return known.toString();
  const network = (known as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}
