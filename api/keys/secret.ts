import { randomBytes } from 'node:crypto';

/** `lb_live_` + 30 base62 characters + 6 of their CRC32, so that a mistyped or made-up key costs no look-up. */

const prefix = 'lb_live_';
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const pattern = /^lb_live_[0-9A-Za-z]{36}$/;

export function newSecret(): string {
  let random = '';
  while (random.length < 30) {
    for (const byte of randomBytes(64)) if (byte < 248 && random.length < 30) random += alphabet[byte % 62];
  }
  return prefix + random + checksum(random);
}

export function isSecret(text: string): boolean {
  return pattern.test(text) && checksum(text.slice(8, 38)) === text.slice(38);
}

/** SHA-256, hexadecimal: 178 bits of randomness need no slow hash. */
export function hashSecret(secret: string): string {
  return new Bun.CryptoHasher('sha256').update(secret).digest('hex');
}

function checksum(random: string): string {
  let value = Bun.hash.crc32(prefix + random);
  let text = '';
  for (let i = 0; i < 6; i++) {
    text = alphabet[value % 62] + text;
    value = Math.floor(value / 62);
  }
  return text;
}
