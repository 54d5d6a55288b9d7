import ipaddr from 'ipaddr.js';

/**
 * What tries are counted for: an IPv4 address, or the /64 of an IPv6 one, since whoever has one of those has 2^64. Every
 * spelling of an address leads to the same name; an IPv4 address that is written as IPv6 is an IPv4 address.
 */
export function networkOf(address: string): string {
  return prefixOf(address, 4) ?? plainOf(address);
}

/** What one customer is given of IPv6, often for nothing: a /48, which holds 65,536 networks. Undefined for all else. */
export function siteOf(address: string): string | undefined {
  return prefixOf(address, 3);
}

/** What a site may do, in what one network of it may: several people, and not all that it could pass for. */
export const networksOfSite = 4;

function plainOf(address: string): string {
  const [plain = ''] = address.split('%');
  return ipaddr.isValid(plain) ? ipaddr.process(plain).toString() : plain;
}

/** @param parts of 16 bits each */
function prefixOf(address: string, parts: number): string | undefined {
  const [plain = ''] = address.split('%');
  if (!ipaddr.isValid(plain)) return undefined;
  const known = ipaddr.process(plain);
  if (known.kind() === 'ipv4') return undefined;
  const prefix = (known as ipaddr.IPv6).parts.slice(0, parts).map((part) => part.toString(16));
  return `${prefix.join(':')}::/${parts * 16}`;
}
