import { isIP } from 'node:net';
import { icmpTypes, parseAddressList, wrongPorts, wrongProtocol } from '../api/firewallFormats.ts';
import { badParameters, died } from '../api/refusal.ts';
import type { FirewallState } from '../world/state.ts';
import type { Parameters } from '../api/verify.ts';
import { macroSays, preferredMacro } from './macros.ts';

export type Rule = Record<string, string | number>;

/** Where a rule stands, and whose names it may use: those of its own firewall before the cluster's. */
export interface RuleWorld {
  env: 'vm' | 'cluster' | 'group';
  walls: FirewallState[];
}

const ruleKeys = [
  'type',
  'action',
  'macro',
  'iface',
  'source',
  'dest',
  'proto',
  'sport',
  'dport',
  'icmp-type',
  'log',
  'comment',
  'enable',
];

/** copy_rule_data: nothing, or a dash, takes a property away. */
export function copyRule(rule: Rule, given: Parameters): Rule {
  const copy = { ...rule };
  for (const key of ruleKeys) {
    const value = given[key];
    if (value === undefined) continue;
    if (value === '' || value === '-') delete copy[key];
    else copy[key] = value as string | number;
  }
  return copy;
}

export function dropProperties(rule: Rule, names: string): Rule {
  const left = { ...rule };
  for (const name of names.split(/[,;\s\0]+/).filter((one) => one !== '')) {
    if (!ruleKeys.includes(name) && name !== 'pos' && name !== 'digest') {
      throw badParameters({ delete: `no such property ('${name}')` });
    }
    if (name === 'type' || name === 'action') {
      throw badParameters({ delete: `unable to delete required property '${name}'` });
    }
    delete left[name];
  }
  return left;
}

const withPorts = new Set(['udp', '17', 'udplite', '136', 'tcp', '6', 'dccp', '33', 'sctp', '132']);
const icmp6 = new Set(['icmpv6', 'ipv6-icmp']);

/** verify_rule of pve-firewall's Firewall.pm: the first thing wrong is the answer. */
export function verifyRule(given: Rule, world: RuleWorld): Rule {
  const rule = { ...given };
  delete rule.ipversion;
  checkKind(rule, world);
  checkMacro(rule);
  const version = new IpVersion();
  checkProtocol(rule, version);
  checkPorts(rule);
  for (const side of ['source', 'dest']) checkAddress(rule, side, { world, version });
  checkMacroParameters(rule);
  if (version.value !== undefined) rule.ipversion = version.value;
  return rule;
}

class IpVersion {
  value: number | undefined;

  set(version: number | undefined): string | undefined {
    if (version === undefined) return undefined;
    if (this.value !== undefined && this.value !== version) return 'detected mixed ipv4/ipv6 addresses in rule';
    this.value = version;
    return undefined;
  }
}

function wrong(name: string, text: string | undefined): void {
  if (text !== undefined) throw badParameters({ [name]: text });
}

function checkKind(rule: Rule, { env }: RuleWorld): void {
  const action = String(rule.action ?? '');
  if (rule.type === 'group') {
    if (env === 'group') wrong('type', 'security groups not allowed');
  } else if (!/^(?:ACCEPT|DROP|REJECT)$/.test(action)) wrong('action', `unknown action '${action}'`);
  if (rule.iface === undefined) return;
  if (env === 'group') wrong('type', 'parameter -i not allowed for this rule type');
  if (env === 'vm' && !/^net\d+$/.test(String(rule.iface))) {
    wrong('iface', "value does not match the regex pattern 'net\\d+'");
  }
}

function checkMacro(rule: Rule): void {
  if (rule.macro === undefined) return;
  const name = preferredMacro(String(rule.macro));
  if (name === undefined) throw badParameters({ macro: `unknown macro '${String(rule.macro)}'` });
  rule.macro = name;
}

function checkProtocol(rule: Rule, version: IpVersion): void {
  const proto = rule.proto === undefined ? undefined : String(rule.proto);
  if (proto === undefined) return;
  wrong('proto', wrongProtocol(proto));
  if (proto === 'icmp') version.set(4);
  if (icmp6.has(proto)) version.set(6);
}

function checkPorts(rule: Rule): void {
  const proto = rule.proto === undefined ? undefined : String(rule.proto);
  if (rule.dport !== undefined) {
    wrong('dport', wrongPorts(String(rule.dport), true));
    if (proto === undefined) wrong('proto', "missing property - 'dport' requires this property");
    else if (!withPorts.has(proto) && proto !== 'icmp' && proto !== 'icmpv6') wrong('dport', noPorts(proto));
  }
  checkIcmp(rule, proto);
  if (rule.sport === undefined) return;
  wrong('sport', wrongPorts(String(rule.sport), false));
  if (proto === undefined) wrong('proto', "missing property - 'sport' requires this property");
  else if (!withPorts.has(proto)) wrong('sport', noPorts(proto));
}

function noPorts(proto: string): string {
  return `protocol '${proto}' does not support ports`;
}

function checkIcmp(rule: Rule, proto: string | undefined): void {
  const type = rule['icmp-type'];
  if (type === undefined) return;
  if (proto !== 'icmp' && !icmp6.has(proto ?? '')) {
    wrong('proto', "missing property - 'icmp-type' requires this property");
  }
  if (rule.dport !== undefined) wrong('icmp-type', "'icmp-type' cannot be specified together with 'dport'");
  if (!icmpTypes[proto === 'icmp' ? 4 : 6].has(String(type))) {
    wrong('icmp-type', `invalid icmp-type '${String(type)}' for proto '${proto}'`);
  }
}

function checkAddress(rule: Rule, side: string, one: { world: RuleWorld; version: IpVersion }): void {
  const value = rule[side] === undefined ? undefined : String(rule[side]);
  if (value === undefined) return;
  const parsed = parseAddressList(value);
  wrong(side, 'wrong' in parsed ? parsed.wrong : one.version.set(parsed.version));
  if (value.startsWith('+')) return checkSet(side, value, one.world);
  const alias = /^(?:(dc|guest)\/)?([A-Za-z][A-Za-z0-9\-_]+)$/.exec(value)?.[2]?.toLowerCase();
  if (alias === undefined) return;
  const known = one.world.walls.map((wall) => wall.aliases[alias]).find((entry) => entry !== undefined);
  if (known === undefined) throw badParameters({ [side]: `no such alias '${value}'` });
  const mixed = one.version.set(isIP(known.cidr.split('/')[0] ?? ''));
  if (mixed !== undefined) throw died(mixed);
}

function checkSet(side: string, value: string, { walls }: RuleWorld): void {
  const name = /^\+(?:(?:dc|guest|sdn)\/)?([A-Za-z][A-Za-z0-9\-_]+)$/.exec(value)?.[1];
  if (name === undefined) wrong(side, `invalid ipset name '${value}'`);
  else if (!walls.some((wall) => wall.ipsets[name] !== undefined)) wrong(side, `no such ipset '${name}'`);
}

function checkMacroParameters(rule: Rule): void {
  const says = macroSays[String(rule.macro ?? '')];
  if (says === undefined) return;
  for (const key of ['proto', 'dport'] as const) {
    if (rule[key] !== undefined && String(rule[key]) !== says[key]) {
      wrong(key, `parameter '${key}' already define in macro (value = '${says[key]}')`);
    }
  }
}
