import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { newId } from '@lebureau/kit/id';
import type { ApiConfig } from './config.ts';
import { allCapabilities } from './keys/capabilities.ts';
import { newKey } from './keys/operations.ts';
import { isSecret, newSecret } from './keys/secret.ts';
import { countKeys, insertKey } from './keys/store.ts';
import type { Services } from './services.ts';
import { firstWorkspace, insertWorkspace } from './workspaces/store.ts';

/** Makes the first workspace, or brings its quota to what the configuration says. */
export async function ensureWorkspace(services: Services, quota: ApiConfig['quota']): Promise<void> {
  const { database, clock } = services;
  await database.write(async (write) => {
    const known = await firstWorkspace(write.db);
    if (known) await write.db.updateTable('workspaces').set(quota).where('id', '=', known.id).execute();
    else
      await insertWorkspace(write, {
        id: newId('wsp', clock.nowMs()),
        name: 'default',
        tier: 'max',
        ...quota,
        usedDesktops: 0,
        usedVcpus: 0,
        usedMemoryMiB: 0,
        usedDiskGiB: 0,
        createdMs: clock.nowMs(),
      });
  });
}

/**
 * Makes the first key if there is none, and puts its secret into `path` with mode 600. The file is written before the
 * row: a crash in between leaves a file that the next start completes, never a key that nobody has.
 * @returns whether a key was made
 */
export async function ensureFirstKey(services: Services, path: string): Promise<boolean> {
  const { database, clock } = services;
  if ((await countKeys(database.read)) > 0) return false;
  const secret = secretFile(path);
  return database.write(async (write) => {
    if ((await countKeys(write.db)) > 0) return false;
    const workspace = (await firstWorkspace(write.db))!;
    const { row } = newKey({
      workspaceId: workspace.id,
      name: 'first key',
      capabilities: allCapabilities,
      restriction: null,
      createdBy: null,
      nowMs: clock.nowMs(),
      secret,
    });
    await insertKey(write, row);
    return true;
  });
}

/** The secret in the file of an earlier start, or a new one, durable. */
function secretFile(path: string): string {
  if (existsSync(path)) {
    const text = readFileSync(path, 'utf8').trim();
    if (isSecret(text)) return text;
    throw new Error(`${path} exists and holds no API key. Move it away and start again.`);
  }
  const secret = newSecret();
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, `${secret}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
  return secret;
}
