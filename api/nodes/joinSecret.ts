import { randomBytes } from 'node:crypto';

/**
 * What a person carries to a new node: `lbj_`, 32 random bytes in base64url, a dot, and the SHA-256 of the certificate by
 * which the node knows the API. So the node can tell the true API before it says the secret.
 */

export function newJoinSecret(fingerprint: string): string {
  return `lbj_${randomBytes(32).toString('base64url')}.${fingerprint}`;
}

/** SHA-256, hexadecimal: 256 bits of randomness need no slow hash. */
export function hashJoinSecret(secret: string): string {
  return new Bun.CryptoHasher('sha256').update(secret).digest('hex');
}
