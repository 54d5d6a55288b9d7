import type { Reader, Write } from '../db/database.ts';
import type { ApiKeyRow } from '../db/tables.ts';
import { capabilitiesOf, type Role } from '../users/roles.ts';
import type { Caller } from './auth.ts';
import type { Capability } from './capabilities.ts';

export interface KnownKey {
  caller: Caller;
  createdBy: string | null;
  expiresMs: number | null;
  revokedMs: number | null;
}

export async function findKeyByHash(db: Reader, hash: string): Promise<KnownKey | undefined> {
  const row = await withRole(db).where('hash', '=', hash).executeTakeFirst();
  return row && knownKeyOf(row);
}

/** One key as it counts now. */
export async function findKnownKey(db: Reader, workspaceId: string, keyId: string): Promise<KnownKey | undefined> {
  const row = await withRole(db)
    .where('apiKeys.workspaceId', '=', workspaceId)
    .where('apiKeys.id', '=', keyId)
    .executeTakeFirst();
  return row && knownKeyOf(row);
}

/** With what its creator is now, where a person made it. */
function withRole(db: Reader) {
  return db
    .selectFrom('apiKeys')
    .leftJoin('members', (join) =>
      join.onRef('members.userId', '=', 'apiKeys.createdBy').onRef('members.workspaceId', '=', 'apiKeys.workspaceId'),
    )
    .selectAll('apiKeys')
    .select('members.role');
}

function knownKeyOf(row: ApiKeyRow & { role: string | null }): KnownKey {
  return {
    caller: {
      actor: { type: 'key', id: row.id, name: row.name },
      workspaceId: row.workspaceId,
      capabilities: narrowed(JSON.parse(row.capabilitiesJson), row.role as Role | null),
      restriction: row.restrictionJson === null ? null : JSON.parse(row.restrictionJson),
      ...(row.role === null ? {} : { maker: { userId: row.createdBy!, role: row.role as Role } }),
    },
    createdBy: row.createdBy,
    expiresMs: row.expiresMs,
    revokedMs: row.revokedMs,
  };
}

/** The key of a person may never do more than they may now. */
function narrowed(capabilities: Capability[], creator: Role | null): ReadonlySet<Capability> {
  if (creator === null) return new Set(capabilities);
  const allowed = capabilitiesOf(creator);
  return new Set(capabilities.filter((name) => allowed.has(name)));
}

export async function insertKey({ db }: Write, row: ApiKeyRow): Promise<void> {
  await db.insertInto('apiKeys').values(row).execute();
}

export function findKey(db: Reader, workspaceId: string, keyId: string): Promise<ApiKeyRow | undefined> {
  return db
    .selectFrom('apiKeys')
    .selectAll()
    .where('workspaceId', '=', workspaceId)
    .where('id', '=', keyId)
    .executeTakeFirst();
}

export function listKeyRows(
  db: Reader,
  workspaceId: string,
  page: { before?: string; limit: number; createdBy?: string },
): Promise<ApiKeyRow[]> {
  let query = db.selectFrom('apiKeys').selectAll().where('workspaceId', '=', workspaceId);
  if (page.createdBy !== undefined) query = query.where('createdBy', '=', page.createdBy);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return query.orderBy('id', 'desc').limit(page.limit).execute();
}

export async function markRevoked({ db }: Write, keyId: string, atMs: number): Promise<void> {
  await db
    .updateTable('apiKeys')
    .set({ revokedMs: atMs })
    .where('id', '=', keyId)
    .where('revokedMs', 'is', null)
    .execute();
}

export async function markUsed({ db }: Write, used: ReadonlyMap<string, number>): Promise<void> {
  for (const [keyId, atMs] of used)
    await db.updateTable('apiKeys').set({ lastUsedMs: atMs }).where('id', '=', keyId).execute();
}

export async function countKeys(db: Reader): Promise<number> {
  const { count } = await db
    .selectFrom('apiKeys')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Those that this user or key created. @returns their ids */
export async function revokeKeysOf({ db }: Write, createdBy: string, atMs: number): Promise<string[]> {
  const rows = await db
    .updateTable('apiKeys')
    .set({ revokedMs: atMs })
    .where('createdBy', '=', createdBy)
    .where('revokedMs', 'is', null)
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}
