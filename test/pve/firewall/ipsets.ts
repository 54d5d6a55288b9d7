import { cleanCidr } from '../api/netIp.ts';
import { badParameters, died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { FirewallState } from '../world/state.ts';
import type { Call, Routes } from '../world/world.ts';
import { assertUnchanged, listDigest, withDigest } from './digest.ts';
import { clusterWall, commentOf, wallOf } from './wall.ts';

type IpSet = FirewallState['ipsets'][string];

/** API2/Firewall/IPSet.pm. */
export function ipSetRoutes(base: string): Routes {
  return {
    [`GET ${base}`]: (call) => withDigest(sets(wallOf(call))),
    [`POST ${base}`]: addSet,
    [`GET ${base}/{name}`]: (call) => withDigest(setOf(call).entries),
    [`POST ${base}/{name}`]: addEntry,
    [`DELETE ${base}/{name}`]: dropSet,
    [`GET ${base}/{name}/{cidr}`]: (call) => ({ ...entryOf(call), digest: listDigest(setOf(call).entries) }),
    [`PUT ${base}/{name}/{cidr}`]: changeEntry,
    [`DELETE ${base}/{name}/{cidr}`]: dropEntry,
  };
}

function sets(wall: FirewallState): JsonObject[] {
  const names = Object.keys(wall.ipsets).toSorted();
  return names.map((name): JsonObject => {
    const comment = wall.ipsets[name]?.comment;
    return comment === undefined || comment === '' ? { name } : { name, comment };
  });
}

function addSet(call: Call): Json {
  const name = String(call.given.name);
  const { ipsets } = wallOf(call);
  if (call.given.rename !== undefined) renameSet(call, name, String(call.given.rename));
  else if (ipsets[name]) throw badParameters({ name: `IPSet '${name}' already exists` });
  else ipsets[name] = { entries: [] };
  const set = ipsets[name];
  if (set && call.given.comment !== undefined) set.comment = String(call.given.comment);
  call.world.save();
  return null;
}

function renameSet(call: Call, name: string, from: string): void {
  const wall = wallOf(call);
  assertUnchanged(call, listDigest(sets(wall)));
  const set = wall.ipsets[from];
  if (set === undefined) throw badParameters({ name: `IPSet '${from}' does not exists` });
  if (wall.ipsets[name] && name !== from) throw badParameters({ name: `IPSet '${name}' does already exist` });
  delete wall.ipsets[from];
  wall.ipsets[name] = set;
}

function setOf(call: Call): IpSet {
  const name = String(call.given.name);
  const set = wallOf(call).ipsets[name];
  if (set === undefined) throw died(`no such IPSet '${name}'`);
  return set;
}

/** An alias must exist; a network is kept without the bits of its host, an address without `/32`. */
function keptCidr(call: Call): string {
  const cidr = String(call.given.cidr);
  const alias = /^(?:(dc|guest)\/)?([A-Za-z][A-Za-z0-9\-_]+)$/.exec(cidr);
  if (alias === null) return cleanCidr(cidr).replace(/^(.*\..*)\/32$|^(.*:.*)\/128$/, '$1$2');
  const walls = [wallOf(call), clusterWall(call)];
  const name = alias[2] ?? '';
  if (!walls.some((wall) => wall.aliases[name.toLowerCase()] !== undefined)) throw died(`no such alias '${name}'`);
  return cidr;
}

function addEntry(call: Call): Json {
  const set = setOf(call);
  const cidr = keptCidr(call);
  if (set.entries.some((one) => one.cidr === cidr)) throw badParameters({ cidr: `address '${cidr}' already exists` });
  if (/\/0+$/.test(cidr)) throw badParameters({ cidr: 'a zero prefix is not allowed in ipset entries' });
  const entry = { cidr, ...commentOf(call), ...(call.given.nomatch === 1 ? { nomatch: 1 } : {}) };
  // The file keeps them by address.
  set.entries = [...set.entries, entry].toSorted((a, b) => (String(a.cidr) < String(b.cidr) ? -1 : 1));
  call.world.save();
  return null;
}

function entryOf(call: Call): Record<string, string | number> {
  const entry = setOf(call).entries.find((one) => one.cidr === call.given.cidr);
  if (entry === undefined) throw badParameters({ cidr: 'no such IP/Network' });
  return entry;
}

/** What is not said again is gone. */
function changeEntry(call: Call): Json {
  const set = setOf(call);
  assertUnchanged(call, listDigest(set.entries));
  const entry = entryOf(call);
  const { cidr = '' } = entry;
  const changed = { cidr, ...commentOf(call), ...(call.given.nomatch === 1 ? { nomatch: 1 } : {}) };
  set.entries = set.entries.map((one) => (one === entry ? changed : one));
  call.world.save();
  return null;
}

function dropEntry(call: Call): Json {
  const set = setOf(call);
  assertUnchanged(call, listDigest(set.entries));
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
