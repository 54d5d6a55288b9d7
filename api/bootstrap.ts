import { existsSync, readFileSync, rmSync } from 'node:fs';
import { newId } from '@lebureau/kit/id';
import type { ApiConfig } from './config.ts';
import { allCapabilities } from './keys/capabilities.ts';
import { newKey } from './keys/operations.ts';
import { isSecret, newSecret } from './keys/secret.ts';
import { countKeys, insertKey } from './keys/store.ts';
import type { Services } from './services.ts';
import { newLink } from './signIn/links.ts';
import { writeNewFile } from '@lebureau/kit/writeNewFile';
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
  writeNewFile(path, `${secret}\n`);
  return secret;
}

const ownerLinkSeconds = 7 * 86_400;

/**
 * A link by which the first owner signs in, in `path` with mode 600, made anew at every start while there is no owner.
 * @returns whether one was made
 */
export async function ensureOwnerLink(services: Services, path: string): Promise<boolean> {
  const { database } = services;
  const workspace = (await firstWorkspace(database.read))!;
  const owner = await database.read
    .selectFrom('members')
    .select('userId')
    .where('workspaceId', '=', workspace.id)
    .where('role', '=', 'owner')
    .executeTakeFirst();
  if (owner !== undefined) {
    rmSync(path, { force: true });
    return false;
  }
  await writeOwnerLink(services, path);
  return true;
}

/** For who runs the machine, and so may be an owner at any time. */
export async function writeOwnerLink(services: Services, path: string): Promise<void> {
  const { database, clock } = services;
  const workspace = (await firstWorkspace(database.read))!;
  const { row, secret } = newLink({
    workspaceId: workspace.id,
    userId: null,
    role: 'owner',
    name: 'Owner',
    email: null,
    createdBy: null,
    nowMs: clock.nowMs(),
    expiresInSeconds: ownerLinkSeconds,
  });
  await database.write(async ({ db }) => {
    // The last one printed is the one that works.
    await db.deleteFrom('signInLinks').where('createdBy', 'is', null).where('usedMs', 'is', null).execute();
    await db.insertInto('signInLinks').values(row).execute();
  });
  rmSync(path, { force: true });
  writeNewFile(path, `${secret}\n`);
}
