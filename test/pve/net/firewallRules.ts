import { macOf } from '../vm/config.ts';
import type { FirewallState, State, VmState } from '../world/state.ts';

type Rule = FirewallState['rules'][number];

/** What one VM's firewall refers to: its own sets and aliases, then those of the datacenter. */
interface Scope {
  vm: VmState;
  own: FirewallState;
  datacenter: FirewallState;
}

/** Sets are named and declared once; nft joins their overlapping networks. */
type Sets = Map<string, string[]>;

/** Marks of packets, set where connections are tracked: the bridge's own rules cannot ask for that on every kernel. */
const marks = { known: 1, invalid: 2 };
const table = 'bridge pvefw';
const filterSet = 'ipfilter-net0';

/**
 * Pure. The firewall of Proxmox VE as rules of nftables for the taps of the VMs, one transaction that replaces what was
 * there: policies, rules, groups, IP sets, aliases, MAC and IP filter, DHCP and router advertisements of the first card.
 * What has no translation here closes its VM. As with Proxmox VE, frames that are neither IP nor ARP pass.
 */
export function firewallRules(state: State): string {
  const datacenter = state.firewalls['/'];
  const scopes = Object.values(state.vms).flatMap((vm) => {
    const own = state.firewalls[`/vms/${vm.vmid}`];
    const isOn = Number(datacenter?.options.enable ?? 0) === 1 && Number(own?.options.enable ?? 0) === 1;
    const isFiltered = /(?:^|,)firewall=1(?:,|$)/.test(vm.config.net0 ?? '');
    return isOn && isFiltered && own && datacenter ? [{ vm, own, datacenter }] : [];
  });
  const sets: Sets = new Map();
  const chains = scopes.flatMap((scope) => [...chainOut(scope, sets), ...chainIn(scope, sets)]);
  const jump = (way: 'iifname' | 'oifname', chain: 'out' | 'in') =>
    scopes.map(({ vm }) => `    ${way} "${tapName(vm.vmid)}" jump ${chain}-${vm.vmid}`);
  return [
    `add table ${table}`,
    `delete table ${table}`,
    ...connectionMarks,
    `table ${table} {`,
    ...[...sets].flatMap(([name, elements]) => declaredSet(name, elements)),
    ...chains,
    '  chain passing {',
    '    type filter hook forward priority 0; policy accept;',
    ...jump('iifname', 'out'),
    '  }',
    '  chain entering {',
    '    type filter hook input priority 0; policy accept;',
    ...jump('iifname', 'out'),
    '  }',
    '  chain leaving {',
    '    type filter hook postrouting priority 0; policy accept;',
    ...jump('oifname', 'in'),
    '  }',
    '}',
    '',
  ].join('\n');
}

export function tapName(vmid: number): string {
  return `tap${vmid}i0`;
}

/** Frames of a bridge pass here too (bridge-nf-call-iptables), as they do with Proxmox VE's own rules. */
const connectionMarks = [
  'add table ip pvestate',
  'delete table ip pvestate',
  'table ip pvestate {',
  ...['prerouting', 'output'].flatMap((hook) => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority -150; policy accept;`,
    `    ct state established,related meta mark set ${marks.known}`,
    `    ct state invalid meta mark set ${marks.invalid}`,
    '  }',
  ]),
  '}',
];

const stateRules = [`    meta mark ${marks.invalid} drop`, `    meta mark ${marks.known} accept`];

function chainOut(scope: Scope, sets: Sets): string[] {
  const { vm, own } = scope;
  const mac = macOf(vm.config.net0) ?? '00:00:00:00:00:00';
  const option = (name: string, fallback: number) => Number(own.options[name] ?? fallback) === 1;
  const filter = own.ipsets[filterSet];
  const lines: string[] = [];
  if (option('macfilter', 1)) lines.push(`    ether saddr != ${mac.toLowerCase()} drop`);
  if (option('ipfilter', 0) || filter) {
    const set = namedSet(sets, `filter-${vm.vmid}`, entriesOf(filter));
    lines.push(`    arp saddr ip != @${set} drop`, `    ip saddr != @${set} drop`, '    meta protocol ip6 drop');
  }
  lines.push(...stateRules);
  if (option('dhcp', 0)) lines.push('    udp sport 68 udp dport 67 accept');
  if (!option('radv', 0)) lines.push('    icmpv6 type nd-router-advert drop');
  lines.push(...rulesOf(scope, 'out', sets), closing(own.options.policy_out ?? 'ACCEPT'));
  return [`  chain out-${vm.vmid} {`, ...lines, '  }'];
}

function chainIn(scope: Scope, sets: Sets): string[] {
  const { vm, own } = scope;
  const lines = [...stateRules];
  if (Number(own.options.dhcp ?? 0) === 1) lines.push('    udp sport 67 udp dport 68 accept');
  lines.push(...rulesOf(scope, 'in', sets), closing(own.options.policy_in ?? 'DROP'));
  return [`  chain in-${vm.vmid} {`, ...lines, '  }'];
}

function closing(policy: string | number): string {
  return policy === 'ACCEPT' ? '    accept' : '    meta protocol { ip, ip6 } drop';
}

function rulesOf(scope: Scope, way: 'in' | 'out', sets: Sets): string[] {
  try {
    return translated(scope, scope.own.rules, { way, sets });
  } catch {
    return ['    meta protocol { ip, ip6 } drop # a rule of it has no translation'];
  }
}

function translated(scope: Scope, rules: readonly Rule[], to: { way: 'in' | 'out'; sets: Sets }): string[] {
  return rules.flatMap((rule) => {
    if (Number(rule.enable ?? 0) !== 1) return [];
    if (rule.iface !== undefined && rule.iface !== 'net0') return [];
    if (rule.type === 'group') {
      const group = scope.datacenter.groups[String(rule.action)];
      return group ? translated(scope, group.rules, to) : [];
    }
    return rule.type === to.way ? [line(scope, rule, to.sets)] : [];
  });
}

/** @throws Error for what has no translation. */
function line(scope: Scope, rule: Rule, sets: Sets): string {
  for (const name of ['macro', 'icmp-type']) if (rule[name] !== undefined) throw new Error(`no translation of ${name}`);
  const words: string[] = [];
  for (const [side, word] of [
    ['source', 'saddr'],
    ['dest', 'daddr'],
  ] as const) {
    if (rule[side] === undefined) continue;
    const set = namedSet(sets, `rule-${scope.vm.vmid}-${sets.size}`, addressesOf(scope, String(rule[side])));
    words.push(`ip ${word} @${set}`);
  }
  if (rule.proto !== undefined) words.push(`meta l4proto ${String(rule.proto)}`);
  for (const port of ['sport', 'dport'] as const) {
    if (rule[port] === undefined) continue;
    const ports = String(rule[port]).replaceAll(':', '-');
    words.push(`${String(rule.proto)} ${port} { ${ports} }`);
  }
  return `    ${words.join(' ')} ${rule.action === 'ACCEPT' ? 'accept' : 'drop'}`;
}

/** `10.0.0.0/8,10.77.0.1-10.77.0.9,+set,+dc/set,alias` */
function addressesOf(scope: Scope, text: string): string[] {
  return text.split(',').flatMap((part) => {
    if (/^[\d.]+(?:[/-][\d.]+)?$/.test(part)) return [part];
    const name = part.replace(/^\+/, '').replace(/^(?:dc|guest)\//, '');
    const walls = [...(part.includes('dc/') ? [] : [scope.own]), scope.datacenter];
    if (part.startsWith('+')) {
      const set = walls.map((wall) => wall.ipsets[name]).find((one) => one !== undefined);
      if (set === undefined) throw new Error(`no such set ${part}`);
      return entriesOf(set);
    }
    const alias = walls.map((wall) => wall.aliases[name.toLowerCase()]).find((one) => one !== undefined);
    if (alias === undefined) throw new Error(`no such alias ${part}`);
    return [alias.cidr];
  });
}

/** @throws Error for exceptions from a set. */
function entriesOf(set: FirewallState['ipsets'][string] | undefined): string[] {
  return (set?.entries ?? []).map((entry) => {
    if (Number(entry.nomatch ?? 0) === 1) throw new Error('no translation of nomatch');
    return String(entry.cidr);
  });
}

function namedSet(sets: Sets, name: string, elements: string[]): string {
  sets.set(name, elements);
  return name;
}

function declaredSet(name: string, elements: readonly string[]): string[] {
  const content = elements.length === 0 ? [] : [`    elements = { ${elements.join(', ')} }`];
  return [`  set ${name} {`, '    type ipv4_addr; flags interval; auto-merge', ...content, '  }'];
}
