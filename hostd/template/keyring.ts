import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { runCommand } from './command.ts';
import { suites, type SuiteName } from './suites.ts';

const fetchMaxMs = 60_000;

/** Path of the keys that sign this suite: the host's, or those of the suite's own package, checked against its pinned hash. */
export async function keyringOf(suiteName: SuiteName, cacheDir: string, signal: AbortSignal): Promise<string> {
  const { keyring, keyringPackage } = suites[suiteName];
  if (existsSync(keyring)) return keyring;
  const folder = join(cacheDir, `keyring-${suiteName}`);
  const unpacked = join(folder, keyring);
  if (existsSync(unpacked)) return unpacked;
  if (!keyringPackage) throw new Fault('needs_operator', `${keyring} is missing: install debian-archive-keyring`);
  const bytes = await download(keyringPackage.url, signal);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== keyringPackage.sha256)
    throw new Fault('needs_operator', `${keyringPackage.url} is not the expected file (${found})`);
  const making = `${folder}.new`;
  await mkdir(making, { recursive: true });
  const file = join(making, 'keyring.deb');
  await writeFile(file, bytes);
  await runCommand(['dpkg-deb', '-x', file, making], { signal, timeoutMs: fetchMaxMs });
  await rename(making, folder);
  return unpacked;
}

async function download(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(fetchMaxMs)]) });
  if (!response.ok) throw new Fault('needs_operator', `${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
