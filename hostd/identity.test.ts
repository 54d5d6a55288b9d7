import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import { deriveIdentity, readNodeSecret } from './identity.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'lebureau-identity-'));

test('the node secret is made once, for its owner only', () => {
  const home = folder();
  const secret = readNodeSecret(home);
  expect(readNodeSecret(home)).toEqual(secret);
  expect(secret).toHaveLength(32);
  expect(statSync(join(home, 'node-secret')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(home, 'node-secret'))).toEqual(secret);
  expect(readNodeSecret(folder())).not.toEqual(secret);
});

test('a damaged secret is refused rather than used', () => {
  const home = folder();
  writeFileSync(join(home, 'node-secret'), 'short');
  expect(() => readNodeSecret(home)).toThrow('not 32 bytes');
});

test('an identity is the same every time, and of nobody else', () => {
  const secret = Buffer.alloc(32, 7);
  const first = deriveIdentity(secret, 'asg_a');
  expect(deriveIdentity(secret, 'asg_a')).toEqual(first);
  const second = deriveIdentity(secret, 'asg_b');
  const parts = (identity: typeof first) => [
    identity.machineId,
    identity.mac,
    identity.sshHostKey.publicKey,
    identity.sshClientKey.publicKey,
  ];
  expect(
    new Set([...parts(first), ...parts(second), ...parts(deriveIdentity(Buffer.alloc(32, 8), 'asg_a'))]).size,
  ).toBe(12);
  expect(first.machineId).toMatch(/^[0-9a-f]{32}$/);
  expect(first.mac).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
});

test('its keys are ones that SSH reads, and the halves belong together', () => {
  const { sshHostKey } = deriveIdentity(Buffer.alloc(32, 7), 'asg_a');
  const parsed = ssh2.utils.parseKey(sshHostKey.privateKey);
  if (parsed instanceof Error) throw parsed;
  expect(parsed.type).toBe('ssh-ed25519');
  expect(`ssh-ed25519 ${parsed.getPublicSSH().toString('base64')}`).toBe(sshHostKey.publicKey);
  const signature = parsed.sign('text');
  const publicHalf = ssh2.utils.parseKey(sshHostKey.publicKey);
  if (publicHalf instanceof Error) throw publicHalf;
  expect(publicHalf.verify('text', signature)).toBe(true);
});
