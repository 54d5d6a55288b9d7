/**
 * Ids: a prefix and a UUIDv7 (RFC 9562) in lower-case Crockford base32, 26 characters.
 * They sort by creation time to the millisecond and are monotonic within one process.
 */

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const bodyPattern = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

declare const brand: unique symbol;
/** A string that was checked to be `prefix_` + 26 Crockford base32 characters. */
export type Id<Prefix extends string> = `${Prefix}_${string}` & { readonly [brand]: Prefix };

let lastMs = 0;
let sequence = 0;

/** @param nowMs milliseconds since 1970, UTC. @returns a new id, greater than every id made before in this process. */
export function newId<Prefix extends string>(prefix: Prefix, nowMs: number): Id<Prefix> {
  return `${prefix}_${encode(uuidV7(nowMs))}` as Id<Prefix>;
}

export function isId<Prefix extends string>(prefix: Prefix, text: string): text is Id<Prefix> {
  return text.startsWith(`${prefix}_`) && bodyPattern.test(text.slice(prefix.length + 1));
}

/** The 26 characters after the prefix: what host and VM names use, where `_` is not allowed. */
export function idBody(id: string): string {
  return id.slice(id.lastIndexOf('_') + 1);
}

/** JSON-schema pattern of an id with this prefix. */
export function idPattern(prefix: string): string {
  return `^${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}$`;
}

function uuidV7(nowMs: number): Uint8Array {
  const random = crypto.getRandomValues(new Uint8Array(16));
  if (nowMs > lastMs) {
    lastMs = nowMs;
    sequence = ((random[6]! & 0x07) << 8) | random[7]!;
  } else if (++sequence > 0xfff) {
    lastMs += 1;
    sequence = 0;
  }
  for (let i = 0; i < 6; i++) random[i] = Math.floor(lastMs / 2 ** (8 * (5 - i))) & 0xff;
  random[6] = 0x70 | (sequence >> 8);
  random[7] = sequence & 0xff;
  random[8] = 0x80 | (random[8]! & 0x3f);
  return random;
}

/** 128 bits as 26 times five, with two zero bits in front. */
function encode(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 2;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(held >> (bits - 5)) & 31];
    held &= 0xff;
  }
  return text;
}
