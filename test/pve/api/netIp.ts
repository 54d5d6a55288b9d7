import { isIPv6 } from 'node:net';

/** What Perl's Net::IP makes of an address, a network or a range: its IP version, or its own words for what is wrong. */
export function parseNetIp(text: string): 4 | 6 | string {
  const prefix = /^(\S+?)\/(\S+)$/.exec(text);
  if (prefix) return ofPrefix(prefix[1] ?? '', prefix[2] ?? '');
  const range = /^(.+?)\s*-\s*(.+)$/.exec(text);
  return range ? ofRange(range[1] ?? '', range[2] ?? '') : versionOf(text);
}

function ofPrefix(address: string, rest: string): 4 | 6 | string {
  const version = versionOf(address);
  if (typeof version === 'string') return version;
  const bits = binary(address, version);
  const length = Number(/^\d+/.exec(rest)?.[0] ?? 0);
  if (length > bits.length) return `Prefix length ${length} is longer than IP address (${bits.length})`;
  return bits.slice(length).includes('1') ? `Invalid prefix ${bits}/${length}` : version;
}

function ofRange(first: string, last: string): 4 | 6 | string {
  const version = versionOf(first);
  if (typeof version === 'string') return version;
  if (binary(first, version) > binary(last, version)) {
    return `Begin address is greater than End address ${first} - ${last}`;
  }
  return version;
}

function versionOf(ip: string): 4 | 6 | string {
  if (!ip.includes(':')) return wrongIpv4(ip) ?? 4;
  return isIPv6(ip) ? 6 : wrongIpv6(ip);
}

/** ip_is_ipv4 of Net::IP. */
function wrongIpv4(ip: string): string | undefined {
  if (!/^[\d.]+$/.test(ip)) return `Invalid chars in IP ${ip}`;
  if (ip.startsWith('.')) return `Invalid IP ${ip} - starts with a dot`;
  if (ip.endsWith('.')) return `Invalid IP ${ip} - ends with a dot`;
  const quads = ip.split('.');
  if (quads.length > 4) return `Invalid IP address ${ip}`;
  if (quads.includes('')) return `Empty quad in IP address ${ip}`;
  const wrong = quads.find((quad) => Number(quad) > 255);
  return wrong === undefined ? undefined : `Invalid quad in IP address ${ip} - ${wrong}`;
}

/** ip_is_ipv6 of Net::IP. */
function wrongIpv6(ip: string): string {
  if (ip.split(':').some((part) => !/^[a-f\d]{0,4}$/i.test(part))) return `Invalid IP address ${ip}`;
  if (/^:[^:]/.test(ip)) return `Invalid address ${ip} (starts with :)`;
  if (/[^:]:$/.test(ip)) return `Invalid address ${ip} (ends with :)`;
  return `Invalid address ${ip} (More than one :: pattern)`;
}

/** Missing quads of IPv4 are zeros. */
function binary(ip: string, version: 4 | 6): string {
  if (version === 4) {
    const quads = [...ip.split('.'), '0', '0', '0'].slice(0, 4);
    return quads.map((quad) => Number(quad).toString(2).padStart(8, '0')).join('');
  }
  const [head = '', tail] = ip.split('::');
  const left = head.split(':').filter((part) => part !== '');
  const right = (tail ?? '').split(':').filter((part) => part !== '');
  const gap = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const words = tail === undefined ? left : [...left, ...gap, ...right];
  return words.map((word) => Number.parseInt(word, 16).toString(2).padStart(16, '0')).join('');
}

/** A network without the bits of its host: `10.0.0.5/24` is `10.0.0.0/24` (clean_cidr of Firewall.pm). */
export function cleanCidr(cidr: string): string {
  const [address = '', length] = cidr.split('/');
  if (length === undefined || address.includes(':')) return cidr;
  const bits = binary(address, 4).slice(0, Number(length)).padEnd(32, '0');
  const quads = [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2));
  return `${quads.join('.')}/${length}`;
}
