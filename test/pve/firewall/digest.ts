import { createHash } from 'node:crypto';
import { died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Call } from '../world/world.ts';

/** `key:value` a line, sorted, as copy_list_with_digest of Firewall.pm hashes them: nothing at all hashes to sha1's da39a3…. */
function lines(one: JsonObject): string {
  return Object.keys(one)
    .toSorted()
    .map((key) => `${key}:${String(one[key])}\n`)
    .join('');
}

export function objectDigest(one: JsonObject): string {
  return createHash('sha1').update(lines(one)).digest('hex');
}

export function listDigest(list: JsonObject[]): string {
  return createHash('sha1').update(list.map(lines).join('')).digest('hex');
}

export function withDigest(list: JsonObject[]): Json {
  const digest = listDigest(list);
  return list.map((line) => ({ ...line, digest }));
}

/** assert_if_modified of Tools.pm. */
export function assertUnchanged(call: Call, digest: string): void {
  const given = call.given.digest;
  if (given !== undefined && given !== '' && given !== digest) {
    throw died('detected modified configuration - file changed by other user? Try again.');
  }
}
