import { createPrivateKey, createPublicKey, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNewFile } from '@lebureau/kit/writeNewFile';
import { isFileMissing } from './home.ts';

/**
 * Everything of a guest's identity is derived from one secret of the node and the assignment's id, so hostd needs no
 * database to know it again after a restart.
 */
export interface DerivedIdentity {
  /** 32 lower-case hexadecimal digits. */
  machineId: string;
  /** `52:54:00:…` */
  mac: string;
  /** The guest's host key and the key that hostd logs in with. */
  sshHostKey: SshKey;
  sshClientKey: SshKey;
}

export interface SshKey {
  /** OpenSSH private key file. */
  privateKey: string;
  /** `ssh-ed25519 AAAA…` */
  publicKey: string;
}

const secretBytes = 32;

/** Reads the node's secret, making it once: mode 600, on the disk before it is used. */
export function readNodeSecret(home: string): Buffer {
  const path = join(home, 'node-secret');
  try {
    return checked(readFileSync(path), path);
  } catch (error) {
    if (!isFileMissing(error)) throw error;
  }
  try {
    writeNewFile(path, randomBytes(secretBytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return checked(readFileSync(path), path);
}

function checked(secret: Buffer, path: string): Buffer {
  if (secret.length !== secretBytes)
    throw new Error(
      `${path} is not ${secretBytes} bytes long; restore it from a backup, or remove it together with every desktop`,
    );
  return secret;
}

export function deriveIdentity(secret: Buffer, assignmentId: string): DerivedIdentity {
  const from = { secret, assignmentId };
  const mac = derive(from, 'mac', 3);
  return {
    machineId: derive(from, 'machine-id', 16).toString('hex'),
    mac: ['52:54:00', ...[...mac].map((byte) => byte.toString(16).padStart(2, '0'))].join(':'),
    sshHostKey: sshKey(derive(from, 'ssh-host', 32)),
    sshClientKey: sshKey(derive(from, 'ssh-client', 32)),
  };
}

function derive(from: { secret: Buffer; assignmentId: string }, purpose: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', from.secret, from.assignmentId, `lebureau/1 ${purpose}`, length));
}

/** PKCS #8 (RFC 8410) is this prefix and the 32 bytes. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

function sshKey(seed: Buffer): SshKey {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  const publicBytes = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const blob = Buffer.concat([text('ssh-ed25519'), text(publicBytes)]);
  return { publicKey: `ssh-ed25519 ${blob.toString('base64')}`, privateKey: openSshFile(blob, publicBytes, seed) };
}

/** The file format of PROTOCOL.key in OpenSSH, without a passphrase. */
function openSshFile(blob: Buffer, publicBytes: Buffer, seed: Buffer): string {
  const check = blob.subarray(-4);
  const secretPart = Buffer.concat([
    check,
    check,
    text('ssh-ed25519'),
    text(publicBytes),
    text(Buffer.concat([seed, publicBytes])),
    text(''),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secretPart.length % 8)) % 8 }, (_, at) => at + 1));
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    text('none'),
    text('none'),
    text(''),
    Buffer.from([0, 0, 0, 1]),
    text(blob),
    text(Buffer.concat([secretPart, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
