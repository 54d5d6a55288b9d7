import { sql } from 'kysely';
import type { Reader, Write } from '../db/database.ts';
import type { WorkspaceRow } from '../db/tables.ts';

export interface Amount {
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
}

/** Counts one more desktop of this size, or with `sign` -1 one less. @returns the workspace as it is then, locked */
export async function countDesktop(
  { db }: Write,
  workspaceId: string,
  change: { hardware: Amount; sign: 1 | -1 },
): Promise<WorkspaceRow> {
  const { hardware, sign } = change;
  return db
    .updateTable('workspaces')
    .set({
      usedDesktops: sql<number>`"usedDesktops" + ${sign}`,
      usedVcpus: sql<number>`"usedVcpus" + ${sign * hardware.vcpus}`,
      usedMemoryMiB: sql<number>`"usedMemoryMiB" + ${sign * hardware.memoryMiB}`,
      usedDiskGiB: sql<number>`"usedDiskGiB" + ${sign * hardware.diskGiB}`,
    })
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
