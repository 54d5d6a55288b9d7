import type { Reader, Write } from '../db/database.ts';
import type { ApiKeyRow } from '../db/tables.ts';
import type { Caller } from './auth.ts';

export interface KnownKey {
  caller: Caller;
  expiresMs: number | null;
  revokedMs: number | null;
}

export async function findKeyByHash(db: Reader, hash: string): Promise<KnownKey | undefined> {
  const row = await db.selectFrom('apiKeys').selectAll().where('hash', '=', hash).executeTakeFirst();
  return row && knownKeyOf(row);
}

export function knownKeyOf(row: ApiKeyRow): KnownKey {
  return {
    caller: {
      keyId: row.id,
      workspaceId: row.workspaceId,
      capabilities: new Set(JSON.parse(row.capabilitiesJson)),
      restriction: row.restrictionJson === null ? null : JSON.parse(row.restrictionJson),
    },
    expiresMs: row.expiresMs,
    revokedMs: row.revokedMs,
  };
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
  page: { before?: string; limit: number },
): Promise<ApiKeyRow[]> {
  let query = db.selectFrom('apiKeys').selectAll().where('workspaceId', '=', workspaceId);
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
