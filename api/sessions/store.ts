import type { Reader, Write } from '../db/database.ts';
import type { SessionRow } from '../db/tables.ts';
import { findMembership, type Member } from '../users/store.ts';

/** A session and whose it is; `member` is undefined once they were removed from the workspace. */
export interface KnownSession {
  session: SessionRow;
  member: Member | undefined;
}

export async function findSession(db: Reader, sessionId: string): Promise<KnownSession | undefined> {
  const session = await db.selectFrom('sessions').selectAll().where('id', '=', sessionId).executeTakeFirst();
  return session && { session, member: await findMembership(db, session.userId) };
}

export async function findSessionByHash(db: Reader, hash: string): Promise<KnownSession | undefined> {
  const session = await db.selectFrom('sessions').selectAll().where('hash', '=', hash).executeTakeFirst();
  return session && { session, member: await findMembership(db, session.userId) };
}

export function listSessionsOf(
  db: Reader,
  userId: string,
  after: { createdMs: number; usedMs: number },
): Promise<SessionRow[]> {
  return db
    .selectFrom('sessions')
    .selectAll()
    .where('userId', '=', userId)
    .where('revokedMs', 'is', null)
    .where('createdMs', '>', after.createdMs)
    .where('lastUsedMs', '>', after.usedMs)
    .orderBy('id', 'desc')
    .limit(100)
    .execute();
}

/** With whose they are. */
export async function listSessionsIn(
  db: Reader,
  workspaceId: string,
  page: { createdMs: number; usedMs: number; before?: string; limit: number },
): Promise<(SessionRow & { name: string; email: string | null })[]> {
  let query = db
    .selectFrom('sessions')
    .innerJoin('members', 'members.userId', 'sessions.userId')
    .innerJoin('users', 'users.id', 'sessions.userId')
    .selectAll('sessions')
    .select(['users.name', 'users.email'])
    .where('members.workspaceId', '=', workspaceId)
    .where('sessions.revokedMs', 'is', null)
    .where('sessions.createdMs', '>', page.createdMs)
    .where('sessions.lastUsedMs', '>', page.usedMs);
  if (page.before !== undefined) query = query.where('sessions.id', '<', page.before);
  return query.orderBy('sessions.id', 'desc').limit(page.limit).execute();
}

export async function insertSession({ db }: Write, row: SessionRow): Promise<void> {
  await db.insertInto('sessions').values(row).execute();
}

/** @returns their ids; none for what ended before */
export async function revokeSessions(
  { db }: Write,
  which: { userId: string; sessionId?: string },
  nowMs: number,
): Promise<string[]> {
  let query = db
    .updateTable('sessions')
    .set({ revokedMs: nowMs })
    .where('userId', '=', which.userId)
    .where('revokedMs', 'is', null);
  if (which.sessionId !== undefined) query = query.where('id', '=', which.sessionId);
  return (await query.returning('id').execute()).map(({ id }) => id);
}

export async function markSessionUsed({ db }: Write, sessionId: string, nowMs: number): Promise<void> {
  await db.updateTable('sessions').set({ lastUsedMs: nowMs }).where('id', '=', sessionId).execute();
}

/** Forgets what ended long ago. */
export async function purgeSessions(db: Write['db'], before: { createdMs: number; usedMs: number }): Promise<void> {
  await db
    .deleteFrom('sessions')
    .where((where) => where.or([where('createdMs', '<', before.createdMs), where('lastUsedMs', '<', before.usedMs)]))
    .execute();
}
