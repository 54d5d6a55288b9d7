import { aliasRoutes } from '../firewall/aliases.ts';
import { assertUnchanged, listDigest, objectDigest, withDigest } from '../firewall/digest.ts';
import { ipSetRoutes } from '../firewall/ipsets.ts';
import { macroNames } from '../firewall/macros.ts';
import { ruleRoutes } from '../firewall/rules.ts';
import { clusterWall, wallOf } from '../firewall/wall.ts';
import { badParameters, died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { FirewallState } from '../world/state.ts';
import { Envelope, type Call, type Routes } from '../world/world.ts';

const cluster = '/cluster/firewall';
const guest = '/nodes/{node}/qemu/{vmid}/firewall';

/** The same calls stand below the cluster and below each VM. */
export const firewallRoutes: Routes = {
  ...routesBelow(cluster, 'aliases rules options groups ipset macros refs'),
  ...routesBelow(guest, 'rules aliases ipset refs options'),
  ...ruleRoutes(`${cluster}/rules`, (call) => ({
    rules: wallOf(call).rules,
    world: { env: 'cluster', walls: [wallOf(call)] },
  })),
  ...ruleRoutes(`${guest}/rules`, (call) => ({
    rules: wallOf(call).rules,
    world: { env: 'vm', walls: [wallOf(call), clusterWall(call)] },
  })),
  ...ruleRoutes(`${cluster}/groups/{group}`, (call) => ({
    rules: groupOf(call).rules,
    world: { env: 'group', walls: [clusterWall(call)] },
  })),
  [`GET ${guest}/log`]: () => new Envelope([{ n: 1, t: 'no content' }], { total: 1 }),
  [`GET ${cluster}/macros`]: () => macroNames.map((macro) => ({ macro, descr: macro })),
  [`GET ${cluster}/groups`]: (call) => withDigest(groups(wallOf(call))),
  [`POST ${cluster}/groups`]: addGroup,
  [`DELETE ${cluster}/groups/{group}`]: (call) => {
    const name = String(call.given.group);
    if (groupOf(call).rules.length > 0) throw died(`Security group '${name}' is not empty`);
    delete wallOf(call).groups[name];
    call.world.save();
    return null;
  },
};

function routesBelow(base: string, index: string): Routes {
  return {
    [`GET ${base}`]: () => index.split(' ').map((name) => ({ name })),
    [`GET ${base}/options`]: (call) => ({ ...wallOf(call).options, digest: objectDigest(wallOf(call).options) }),
    [`PUT ${base}/options`]: setOptions,
    [`GET ${base}/refs`]: refs,
    ...ipSetRoutes(`${base}/ipset`),
    ...aliasRoutes(`${base}/aliases`),
  };
}

const notOptions = ['node', 'vmid', 'delete', 'digest'];

function setOptions(call: Call): Json {
  const { options } = wallOf(call);
  const base = call.given.vmid === undefined ? cluster : guest;
  const known = call.world.options.schema[`PUT ${base}/options`]?.parameters.properties ?? {};
  assertUnchanged(call, objectDigest(options));
  const names = String(call.given.delete ?? '').split(/[,;\s\0]+/);
  for (const name of names.filter((one) => one !== '')) {
    if (known[name] === undefined || notOptions.includes(name)) {
      throw badParameters({ delete: `no such option '${name}'` });
    }
    delete options[name];
  }
  for (const [name, value] of Object.entries(call.given)) {
    if (!notOptions.includes(name)) options[name] = value as string | number;
  }
  call.world.save();
  return null;
}

function groups(wall: FirewallState): JsonObject[] {
  const names = Object.keys(wall.groups).toSorted();
  return names.map((group): JsonObject => {
    const comment = wall.groups[group]?.comment;
    return comment === undefined || comment === '' ? { group } : { group, comment };
  });
}

function groupOf(call: Call): FirewallState['groups'][string] {
  const name = String(call.given.group);
  const group = wallOf(call).groups[name];
  if (group === undefined) throw died(`no such security group '${name}'`);
  return group;
}

/** API2/Firewall/Groups.pm. */
function addGroup(call: Call): Json {
  const wall = wallOf(call);
  const name = String(call.given.group);
  if (call.given.rename !== undefined) {
    const from = String(call.given.rename);
    assertUnchanged(call, listDigest(groups(wall)));
    const group = wall.groups[from];
    if (group === undefined) throw badParameters({ group: `Security group '${from}' does not exists` });
    if (wall.groups[name] && name !== from) {
      throw badParameters({ group: `Security group '${name}' does already exist` });
    }
    delete wall.groups[from];
    wall.groups[name] = group;
  } else {
    if (wall.groups[name]) throw badParameters({ group: `Security group '${name}' already exists` });
    wall.groups[name] = { rules: [] };
  }
  const group = wall.groups[name];
  if (group && call.given.comment !== undefined) group.comment = String(call.given.comment);
  call.world.save();
  return null;
}

function refs(call: Call): Json {
  const line = (one: JsonObject, comment: string | undefined) => (comment === undefined ? one : { ...one, comment });
  const below = (scope: string, wall: FirewallState): JsonObject[] => [
    ...Object.entries(wall.ipsets).map(([name, one]) =>
      line({ type: 'ipset', name, ref: `+${name}`, scope }, one.comment),
    ),
    ...Object.entries(wall.aliases).map(([name, one]) => line({ type: 'alias', name, ref: name, scope }, one.comment)),
  ];
  const own = call.given.vmid === undefined ? [] : below('guest', wallOf(call));
  const all = [...below('dc', clusterWall(call)), ...own];
  return all.filter((one) => call.given.type === undefined || one.type === call.given.type);
}
