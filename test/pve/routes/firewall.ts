import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { badParameters, died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import { emptyFirewall, type FirewallState } from '../world/state.ts';
import type { Call, Routes } from '../world/world.ts';

type Rule = Record<string, string | number>;

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
const scopes = { '/cluster/firewall': 'dc', '/nodes/{node}/qemu/{vmid}/firewall': 'guest' } as const;

/** The same calls stand below the cluster and below each VM. */
export const firewallRoutes: Routes = Object.assign({}, ...Object.keys(scopes).map((base) => routesBelow(base)));

function routesBelow(base: string): Routes {
  const routes: Routes = {
    [`GET ${base}`]: () => ['rules', 'aliases', 'ipset', 'refs', 'log', 'options'].map((name) => ({ name })),
    [`GET ${base}/options`]: (call) => ({ ...wallOf(call).options, digest: digest(wallOf(call).options) }),
    [`PUT ${base}/options`]: setOptions,
    [`GET ${base}/rules`]: (call) => ruleLines(wallOf(call).rules),
    [`POST ${base}/rules`]: (call) => addRule(call, wallOf(call).rules),
    [`GET ${base}/rules/{pos}`]: (call) => showRule(call, wallOf(call).rules),
    [`PUT ${base}/rules/{pos}`]: (call) => changeRule(call, wallOf(call).rules),
    [`DELETE ${base}/rules/{pos}`]: (call) => dropRule(call, wallOf(call).rules),
    [`GET ${base}/ipset`]: listSets,
    [`POST ${base}/ipset`]: addSet,
    [`GET ${base}/ipset/{name}`]: (call) => withDigest(setOf(call).entries),
    [`POST ${base}/ipset/{name}`]: addEntry,
    [`DELETE ${base}/ipset/{name}`]: dropSet,
    [`GET ${base}/ipset/{name}/{cidr}`]: (call) => entryOf(call),
    [`PUT ${base}/ipset/{name}/{cidr}`]: changeEntry,
    [`DELETE ${base}/ipset/{name}/{cidr}`]: dropEntry,
    [`GET ${base}/aliases`]: (call) => withDigest(aliasLines(wallOf(call))),
    [`POST ${base}/aliases`]: addAlias,
    [`GET ${base}/aliases/{name}`]: (call) => aliasLine(call, aliasOf(call)),
    [`PUT ${base}/aliases/{name}`]: changeAlias,
    [`DELETE ${base}/aliases/{name}`]: (call) => {
      delete wallOf(call).aliases[String(call.given.name).toLowerCase()];
      call.world.save();
      return null;
    },
    [`GET ${base}/refs`]: refs,
    [`GET ${base}/log`]: () => [{ n: 1, t: 'no content' }],
  };
  return base === '/cluster/firewall' ? { ...routes, ...groupRoutes() } : routes;
}

function groupRoutes(): Routes {
  const base = '/cluster/firewall/groups';
  const groupOf = (call: Call) => {
    const name = String(call.given.group);
    const group = wallOf(call).groups[name];
    if (group === undefined) throw died(`no such security group '${name}'`);
    return group;
  };
  return {
    [`GET ${base}`]: (call) =>
      withDigest(Object.entries(wallOf(call).groups).map(([group, one]) => withComment({ group }, one.comment))),
    [`POST ${base}`]: (call) => {
      const name = String(call.given.group);
      if (wallOf(call).groups[name]) throw badParameters({ group: `Security group '${name}' already exists` });
      wallOf(call).groups[name] = { rules: [], ...commentOf(call) };
      return null;
    },
    [`GET ${base}/{group}`]: (call) => ruleLines(groupOf(call).rules),
    [`POST ${base}/{group}`]: (call) => addRule(call, groupOf(call).rules),
    [`DELETE ${base}/{group}`]: (call) => {
      if (groupOf(call).rules.length > 0) throw died(`Security group '${String(call.given.group)}' is not empty`);
      delete wallOf(call).groups[String(call.given.group)];
      return null;
    },
    [`GET ${base}/{group}/{pos}`]: (call) => showRule(call, groupOf(call).rules),
    [`PUT ${base}/{group}/{pos}`]: (call) => changeRule(call, groupOf(call).rules),
    [`DELETE ${base}/{group}/{pos}`]: (call) => dropRule(call, groupOf(call).rules),
  };
}

function key(call: Call): string {
  return call.given.vmid === undefined ? '/' : `/vms/${String(call.given.vmid)}`;
}

/** A VM that does not exist has an empty firewall, and keeps what is written for it. */
function wallOf(call: Call): FirewallState {
  const { firewalls } = call.world.state;
  firewalls[key(call)] ??= emptyFirewall();
  return firewalls[key(call)] as FirewallState;
}

/** An empty section hashes to what sha1 says of nothing. */
function digest(part: unknown): string {
  const text = Object.keys(part as object).length === 0 ? '' : JSON.stringify(part);
  return createHash('sha1').update(text).digest('hex');
}

function withDigest(lines: JsonObject[]): Json {
  const hash = digest(lines);
  return lines.map((line) => ({ ...line, digest: hash }));
}

function commentOf(call: Call): { comment?: string } {
  return call.given.comment === undefined ? {} : { comment: String(call.given.comment) };
}

function withComment(line: JsonObject, comment: string | undefined): JsonObject {
  return comment === undefined ? line : { ...line, comment };
}

function checkDigest(call: Call, part: unknown): void {
  if (call.given.digest !== undefined && call.given.digest !== digest(part)) {
    throw died('detected modified configuration - file changed by other user? Try again.');
  }
}

function setOptions(call: Call): Json {
  const { options } = wallOf(call);
  checkDigest(call, options);
  for (const name of String(call.given.delete ?? '').split(/[,;\s]+/)) delete options[name];
  for (const [name, value] of Object.entries(call.given)) {
    if (!['node', 'vmid', 'delete', 'digest'].includes(name)) options[name] = value as string | number;
  }
  call.world.save();
  return null;
}

function ruleLines(rules: Rule[]): Json {
  return withDigest(rules.map((rule, pos) => ({ ...rule, ...ipVersion(rule), pos })));
}

function ipVersion(rule: Rule): { ipversion?: number } {
  for (const side of ['source', 'dest']) {
    const address = String(rule[side] ?? '').split(/[/,-]/)[0] ?? '';
    if (isIP(address) !== 0) return { ipversion: isIP(address) };
  }
  return {};
}

function ruleOf(call: Call, rules: Rule[]): Rule {
  const rule = rules[Number(call.given.pos)];
  if (rule === undefined) throw died(`no rule at position ${String(call.given.pos)}`);
  return rule;
}

/** What the schema cannot say: ports need a protocol that has ports, a group stands alone. */
function checkRule(rule: Rule): void {
  for (const port of ['dport', 'sport']) {
    if (rule[port] !== undefined && rule.proto === undefined && rule.macro === undefined) {
      throw badParameters({ proto: `missing property - '${port}' requires this property` });
    }
  }
  if (rule.type !== 'group' && !/^(?:ACCEPT|DROP|REJECT)$/.test(String(rule.action))) {
    throw badParameters({ action: `unknown action '${String(rule.action)}'` });
  }
  if (rule.iface !== undefined && !/^net\d+$/.test(String(rule.iface))) {
    throw badParameters({ iface: "value does not match the regex pattern 'net\\d+'" });
  }
}

function givenRule(call: Call): Rule {
  const rule: Rule = {};
  for (const name of ruleKeys) if (call.given[name] !== undefined) rule[name] = call.given[name] as string | number;
  return rule;
}

function addRule(call: Call, rules: Rule[]): Json {
  const rule = givenRule(call);
  checkRule(rule);
  rule.enable ??= 0;
  const pos = call.given.pos === undefined ? 0 : Math.min(Number(call.given.pos), rules.length);
  rules.splice(pos, 0, rule);
  call.world.save();
  return null;
}

function showRule(call: Call, rules: Rule[]): Json {
  const rule = ruleOf(call, rules);
  return { ...rule, ...ipVersion(rule), pos: String(call.given.pos), digest: digest(rules) };
}

function changeRule(call: Call, rules: Rule[]): Json {
  checkDigest(call, rules);
  const rule = ruleOf(call, rules);
  if (call.given.moveto !== undefined) {
    rules.splice(Number(call.given.pos), 1);
    rules.splice(Math.min(Number(call.given.moveto), rules.length), 0, rule);
    call.world.save();
    return null;
  }
  const changed = { ...rule, ...givenRule(call) };
  for (const name of String(call.given.delete ?? '').split(/[,;\s]+/)) delete changed[name];
  checkRule(changed);
  rules[Number(call.given.pos)] = changed;
  call.world.save();
  return null;
}

function dropRule(call: Call, rules: Rule[]): Json {
  ruleOf(call, rules);
  rules.splice(Number(call.given.pos), 1);
  call.world.save();
  return null;
}

function listSets(call: Call): Json {
  return withDigest(Object.entries(wallOf(call).ipsets).map(([name, one]) => withComment({ name }, one.comment)));
}

function addSet(call: Call): Json {
  const name = String(call.given.name);
  const { ipsets } = wallOf(call);
  if (ipsets[name]) throw badParameters({ name: `IPSet '${name}' already exists` });
  ipsets[name] = { entries: [], ...commentOf(call) };
  call.world.save();
  return null;
}

function setOf(call: Call): FirewallState['ipsets'][string] {
  const name = String(call.given.name);
  const set = wallOf(call).ipsets[name];
  if (set === undefined) throw died(`no such IPSet '${name}'`);
  return set;
}

function addEntry(call: Call): Json {
  const { entries } = setOf(call);
  const cidr = String(call.given.cidr);
  if (entries.some((one) => one.cidr === cidr)) throw badParameters({ cidr: `address '${cidr}' already exists` });
  entries.push({ cidr, ...commentOf(call), ...(call.given.nomatch === 1 ? { nomatch: 1 } : {}) });
  call.world.save();
  call.world.save();
  return null;
}

function entryOf(call: Call): Rule {
  const entry = setOf(call).entries.find((one) => one.cidr === call.given.cidr);
  if (entry === undefined) throw badParameters({ cidr: 'no such IP/Network' });
  return entry;
}

function changeEntry(call: Call): Json {
  Object.assign(
    entryOf(call),
    commentOf(call),
    call.given.nomatch === undefined ? {} : { nomatch: call.given.nomatch },
  );
  call.world.save();
  return null;
}

function dropEntry(call: Call): Json {
  const set = setOf(call);
  set.entries = set.entries.filter((one) => one.cidr !== call.given.cidr);
  call.world.save();
  return null;
}

function dropSet(call: Call): Json {
  const name = String(call.given.name);
  if (setOf(call).entries.length > 0 && call.given.force !== 1) throw died(`IPSet '${name}' is not empty`);
  delete wallOf(call).ipsets[name];
  call.world.save();
  return null;
}

function aliasLines(wall: FirewallState): JsonObject[] {
  return Object.entries(wall.aliases).map(([name, one]) =>
    withComment({ name, cidr: one.cidr, ipversion: versionOf(one.cidr) }, one.comment),
  );
}

function versionOf(cidr: string): number {
  return isIP(cidr.split('/')[0] ?? '') === 6 ? 6 : 4;
}

function aliasOf(call: Call): FirewallState['aliases'][string] {
  const alias = wallOf(call).aliases[String(call.given.name).toLowerCase()];
  if (alias === undefined) throw badParameters({ name: 'no such alias' });
  return alias;
}

function aliasLine(call: Call, alias: FirewallState['aliases'][string]): Json {
  const name = String(call.given.name).toLowerCase();
  return withComment({ name, cidr: alias.cidr, ipversion: versionOf(alias.cidr) }, alias.comment);
}

function addAlias(call: Call): Json {
  const name = String(call.given.name).toLowerCase();
  const { aliases } = wallOf(call);
  if (aliases[name]) throw badParameters({ name: `alias '${name}' already exists` });
  aliases[name] = { cidr: String(call.given.cidr), ...commentOf(call) };
  call.world.save();
  call.world.save();
  return null;
}

/** A PUT replaces: a comment that is not given again is gone. */
function changeAlias(call: Call): Json {
  aliasOf(call);
  const { aliases } = wallOf(call);
  const name = String(call.given.name).toLowerCase();
  const renamed = call.given.rename === undefined ? name : String(call.given.rename).toLowerCase();
  delete aliases[name];
  aliases[renamed] = { cidr: String(call.given.cidr), ...commentOf(call) };
  call.world.save();
  call.world.save();
  return null;
}

function refs(call: Call): Json {
  const below = (scope: string, wall: FirewallState): JsonObject[] => [
    ...Object.entries(wall.aliases).map(([name, one]) =>
      withComment({ type: 'alias', name, ref: name, scope }, one.comment),
    ),
    ...Object.entries(wall.ipsets).map(([name, one]) =>
      withComment({ type: 'ipset', name, ref: `+${name}`, scope }, one.comment),
    ),
  ];
  const cluster = below('dc', call.world.state.firewalls['/'] ?? emptyFirewall());
  const own = key(call) === '/' ? [] : below('guest', wallOf(call));
  return [...cluster, ...own].filter((one) => call.given.type === undefined || one.type === call.given.type);
}
