import { isIP } from 'node:net';
import { cleanCidr, parseNetIp } from './netIp.ts';

/** Patterns and lengths of pve-firewall's Firewall.pm. */
const aliasForm = /^(?:(?:dc|guest)\/)?[A-Za-z][A-Za-z0-9\-_]+$/;
const nameMax = 64;
const portMax = 65_535;
const portsMax = 15;

const icmp4 =
  'any echo-reply destination-unreachable network-unreachable host-unreachable protocol-unreachable port-unreachable fragmentation-needed source-route-failed network-unknown host-unknown network-prohibited host-prohibited TOS-network-unreachable TOS-host-unreachable communication-prohibited host-precedence-violation precedence-cutoff source-quench redirect network-redirect host-redirect TOS-network-redirect TOS-host-redirect echo-request router-advertisement router-solicitation time-exceeded ttl-zero-during-transit ttl-zero-during-reassembly parameter-problem ip-header-bad required-option-missing timestamp-request timestamp-reply address-mask-request address-mask-reply';
const icmp6 =
  'any destination-unreachable no-route communication-prohibited address-unreachable port-unreachable packet-too-big time-exceeded ttl-zero-during-transit ttl-zero-during-reassembly parameter-problem bad-header unknown-header-type unknown-option echo-request echo-reply router-solicitation router-advertisement neighbor-solicitation neighbour-solicitation neighbor-advertisement neighbour-advertisement redirect';
export const icmpTypes = { 4: new Set(icmp4.split(' ')), 6: new Set(icmp6.split(' ')) };

/** Names of /etc/protocols on Debian; every number of one byte is a protocol, too, near enough. */
const protocols = new Set(
  'ip icmp igmp ggp ipencap st tcp egp igp pup udp hmp xns-idp rdp iso-tp4 dccp xtp ddp idpr-cmtp ipv6 ipv6-route ipv6-frag idrp rsvp gre esp ah skip ipv6-icmp ipv6-nonxt ipv6-opts rspf vmtp eigrp ospf ax.25 ipip etherip encap pim ipcomp vrrp l2tp isis sctp fc mobility-header udplite mpls-in-ip manet hip shim6 wesp rohc ethernet icmpv6'.split(
    ' ',
  ),
);

/** The better known names of /etc/services. */
const services = new Set(
  'tcpmux echo discard systat daytime netstat qotd chargen ftp-data ftp ssh telnet smtp time whois tacacs domain bootps bootpc tftp gopher finger http kerberos pop3 sunrpc auth nntp ntp epmap netbios-ns netbios-dgm netbios-ssn imap2 snmp snmp-trap bgp irc ldap https submissions submission kpasswd microsoft-ds syslog printer ldaps ftps telnets imaps pop3s socks openvpn ms-sql-s nfs rsync iscsi-target mysql postgresql sip sip-tls xmpp-client xmpp-server amqp rtsp vnc-server x11 radius radius-acct puppet mdns git svn isakmp l2f ipsec-nat-t'.split(
    ' ',
  ),
);

/** parse_address_list: the text of what is wrong, or the IP version where there is one. */
export function parseAddressList(value: string): { wrong: string } | { version?: 4 | 6 } {
  if (/^\+\S+$/.test(value)) return value.length > nameMax + 1 ? { wrong: 'ipset name too long' } : {};
  if (aliasForm.test(value)) return value.length > nameMax ? { wrong: 'alias name too long' } : {};
  if (value.endsWith(',')) return { wrong: 'extraneous commas in list' };
  let version: 4 | 6 | undefined;
  const parts = value.split(',');
  for (const part of parts) {
    const found = parseNetIp(part);
    if (typeof found === 'string') return { wrong: `invalid IP address: ${found}` };
    if (version !== undefined && found !== version) {
      return { wrong: `detected mixed ipv4/ipv6 addresses in address list '${value}'` };
    }
    version = found;
  }
  const range = parts.length > 1 && parts.some((part) => part.includes('-'));
  return range ? { wrong: "you can't use a range in a list" } : { version };
}

/** parse_port_name_number_or_range. */
export function wrongPorts(value: string, destination: boolean): string | undefined {
  if (value.endsWith(',')) return 'extraneous commas in list';
  let numbers = 0;
  let icmp = false;
  for (const item of value.split(',')) {
    const [, from, to] = /^(\d+)(?::(\d+))?$/.exec(item) ?? [];
    if (from === undefined) {
      const named = destination && (icmpTypes[4].has(item) || icmpTypes[6].has(item));
      if (!named && !services.has(item)) return `invalid port '${item}'`;
      icmp ||= named;
      continue;
    }
    const wrong = [from, to].find((port) => Number(port ?? 0) > portMax);
    if (wrong !== undefined) return `invalid port '${wrong}'`;
    if (to !== undefined && Number(from) > Number(to)) {
      return `backwards range '${from}:${to}' not allowed, did you mean '${to}:${from}'?`;
    }
    numbers += to === undefined ? 1 : 2;
  }
  if (icmp && numbers > 0) return 'ICMP ports not allowed in port range';
  return numbers > portsMax ? `too many entries in port list (> ${portsMax} numbers)` : undefined;
}

export function wrongProtocol(value: string): string | undefined {
  const known = protocols.has(value) || (/^\d{1,3}$/.test(value) && Number(value) < 256);
  return known || value === '' ? undefined : `unknown protocol '${value}'`;
}

/** Bits of the host are no fault: they are cleaned away first. */
function wrongCidr(value: string): string | undefined {
  const [address = '', length, more] = value.split('/');
  const text = 'value does not look like a valid IP address or CIDR network';
  if (isIP(address) === 0 || more !== undefined || !/^\d*$/.test(length ?? '') || length === '') return text;
  const found = parseNetIp(cleanCidr(value));
  return typeof found === 'string' ? found : undefined;
}

/** The firewall's formats: the text after `invalid format - `, or undefined. */
export const firewallFormats: Record<string, (value: string) => string | undefined> = {
  'pve-fw-addr-spec': (value) => {
    const parsed = parseAddressList(value);
    return 'wrong' in parsed ? parsed.wrong : undefined;
  },
  'pve-fw-dport-spec': (value) => wrongPorts(value, true),
  'pve-fw-sport-spec': (value) => wrongPorts(value, false),
  'pve-fw-protocol-spec': wrongProtocol,
  'pve-fw-icmp-type-spec': (value) =>
    value === '' || icmpTypes[4].has(value) || icmpTypes[6].has(value)
      ? undefined
      : `invalid icmp-type value '${value}'`,
  IPorCIDR: wrongCidr,
  IPorCIDRorAlias: (value) => (aliasForm.test(value) ? undefined : wrongCidr(value)),
};
