import { isIP } from 'node:net';
import { badParameters } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { FirewallState } from '../world/state.ts';
import type { Call, Routes } from '../world/world.ts';
import { assertUnchanged, listDigest, withDigest } from './digest.ts';
import { commentOf, wallOf } from './wall.ts';

type Alias = FirewallState['aliases'][string];

/** API2/Firewall/Aliases.pm: found in small letters, shown as written. */
export function aliasRoutes(base: string): Routes {
  return {
    [`GET ${base}`]: (call) => withDigest(aliasLines(wallOf(call))),
    [`POST ${base}`]: addAlias,
    [`GET ${base}/{name}`]: (call) => aliasLine(keyOf(call), aliasOf(call)),
    [`PUT ${base}/{name}`]: changeAlias,
    [`DELETE ${base}/{name}`]: (call) => {
      assertUnchanged(call, listDigest(aliasLines(wallOf(call))));
      delete wallOf(call).aliases[keyOf(call)];
      call.world.save();
      return null;
    },
  };
}

function keyOf(call: Call): string {
  return String(call.given.name).toLowerCase();
}

function aliasLines(wall: FirewallState): JsonObject[] {
  const names = Object.keys(wall.aliases).toSorted();
  return names.flatMap((name) => {
    const alias = wall.aliases[name];
    return alias === undefined ? [] : [aliasLine(name, alias)];
  });
}

function aliasLine(key: string, { name, cidr, comment }: Alias): JsonObject {
  const ipversion = isIP(cidr.split('/')[0] ?? '') === 6 ? 6 : 4;
  const line = { name: name ?? key, cidr: cidr.replace(/^(.*\..*)\/32$|^(.*:.*)\/128$/, '$1$2'), ipversion };
  return comment === undefined ? line : { ...line, comment };
}

function aliasOf(call: Call): Alias {
  const alias = wallOf(call).aliases[keyOf(call)];
  if (alias === undefined) throw badParameters({ name: 'no such alias' });
  return alias;
}

function given(call: Call): Alias {
  return { name: String(call.given.name), cidr: String(call.given.cidr), ...commentOf(call) };
}

function addAlias(call: Call): Json {
  const { aliases } = wallOf(call);
  if (aliases[keyOf(call)]) throw badParameters({ name: `alias '${String(call.given.name)}' already exists` });
  aliases[keyOf(call)] = given(call);
  call.world.save();
  return null;
}

/** A PUT replaces: a comment that is not given again is gone. */
function changeAlias(call: Call): Json {
  const { aliases } = wallOf(call);
  assertUnchanged(call, listDigest(aliasLines(wallOf(call))));
  aliasOf(call);
  const rename = call.given.rename === undefined ? undefined : String(call.given.rename);
  const key = rename?.toLowerCase() ?? keyOf(call);
  if (key !== keyOf(call) && aliases[key]) throw badParameters({ name: `alias '${rename}' already exists` });
  delete aliases[keyOf(call)];
  aliases[key] = key === keyOf(call) ? given(call) : { ...given(call), name: rename };
  call.world.save();
  return null;
}
