import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Secrets in database rows: AES-256-GCM under a key that is kept elsewhere, bound to the name of what it is. */

const ivBytes = 12;
const tagBytes = 16;
export const sealKeyBytes = 32;

export function seal(key: Buffer, name: string, secret: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

/** @throws Error when it was sealed with another key, or for another name */
export function unseal(key: Buffer, name: string, text: string): string {
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes))
    .setAAD(Buffer.from(name))
    .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
  return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8');
}
