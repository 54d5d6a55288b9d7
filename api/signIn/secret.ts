import { randomBytes } from 'node:crypto';

/** 256 random bits; what they open is said by the prefix. */
function newSecret(prefix: 'lbs' | 'lbl'): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`;
}

/** The content of a session's cookie. */
export function newSessionSecret(): string {
  return newSecret('lbs');
}

/** The part of a sign-in link that counts. */
export function newLinkSecret(): string {
  return newSecret('lbl');
}

/** SHA-256, hexadecimal: 256 bits of randomness need no slow hash. */
export function hashOf(secret: string): string {
  return new Bun.CryptoHasher('sha256').update(secret).digest('hex');
}
