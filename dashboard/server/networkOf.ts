import { isIPv4, isIPv6 } from 'node:net';

/**
 * What tries are counted for: an IPv4 address, or the /64 of an IPv6 one, since whoever has one of those has 2^64. Every
 * spelling of an address leads to the same name; an IPv4 address that is written as IPv6 is an IPv4 address.
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  if (isIPv4(plain) || !isIPv6(plain)) return plain;
  const groups = groupsOf(plain);
  const [high, low] = [groups[6]!, groups[7]!];
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xff_ff)
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The eight numbers of an IPv6 address. A URL writes it in lower case, without dots, and shortened in one way only. */
function groupsOf(address: string): number[] {
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = written.split('::');
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  if (right === undefined) return numbers(left);
  const ends = [numbers(left), numbers(right)] as const;
  return [...ends[0], ...Array<number>(8 - ends[0].length - ends[1].length).fill(0), ...ends[1]];
}
