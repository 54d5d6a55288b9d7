import { sql } from 'kysely';
import type { Reader, Write } from '../db/database.ts';
import type { WorkspaceRow } from '../db/tables.ts';

/** Makes whoever else counts against the quota of this workspace wait until the transaction ends. */
export async function lockWorkspace({ db }: Write, workspaceId: string): Promise<WorkspaceRow> {
  return db
    .updateTable('workspaces')
    .set({ version: sql<number>`"version" + 1` })
    .where('id', '=', workspaceId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export function findWorkspace(db: Reader, workspaceId: string): Promise<WorkspaceRow> {
  return db.selectFrom('workspaces').selectAll().where('id', '=', workspaceId).executeTakeFirstOrThrow();
}

export function firstWorkspace(db: Reader): Promise<WorkspaceRow | undefined> {
  return db.selectFrom('workspaces').selectAll().orderBy('id').limit(1).executeTakeFirst();
}

export async function insertWorkspace({ db }: Write, row: WorkspaceRow): Promise<void> {
  await db.insertInto('workspaces').values(row).execute();
}
