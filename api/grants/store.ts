import type { ExpressionBuilder } from 'kysely';
import type { Reader, Write } from '../db/database.ts';
import type { GrantRow, Tables } from '../db/tables.ts';
import { findMember, type Member } from '../users/store.ts';

/** A grant and who gave it; `member` is undefined once they were removed from the workspace. */
export interface KnownGrant {
  grant: GrantRow;
  member: Member | undefined;
}

export async function findGrant(db: Reader, grantId: string): Promise<KnownGrant | undefined> {
  const grant = await db.selectFrom('grants').selectAll().where('id', '=', grantId).executeTakeFirst();
  return grant && { grant, member: await findMember(db, grant.workspaceId, grant.userId) };
}

export function findGrants(db: Reader, grantIds: readonly string[]): Promise<GrantRow[]> {
  return db
    .selectFrom('grants')
    .innerJoin('members', (join) =>
      join.onRef('members.userId', '=', 'grants.userId').onRef('members.workspaceId', '=', 'grants.workspaceId'),
    )
    .selectAll('grants')
    .where('grants.id', 'in', grantIds)
    .execute();
}

export function listGrantsOf(
  db: Reader,
  userId: string,
  after: { createdMs: number; usedMs: number },
): Promise<GrantRow[]> {
  return db
    .selectFrom('grants')
    .selectAll()
    .where('userId', '=', userId)
    .where('revokedMs', 'is', null)
    .where('createdMs', '>', after.createdMs)
    .where('lastUsedMs', '>', after.usedMs)
    .orderBy('id', 'desc')
    .limit(200)
    .execute();
}

export async function insertGrant({ db }: Write, row: GrantRow): Promise<void> {
  await db.insertInto('grants').values(row).execute();
}

export async function markGrantUsed({ db }: Write, grantId: string, nowMs: number): Promise<void> {
  await db.updateTable('grants').set({ lastUsedMs: nowMs }).where('id', '=', grantId).execute();
}

/** Of one client one that was not taken back. Asked in the transaction that keeps its document, so by an index. */
export function selectGrantOf(db: Reader, clientId: string) {
  return db.selectFrom('grants').select('id').where('clientId', '=', clientId).where('revokedMs', 'is', null).limit(1);
}

/** Ends them with all that was issued under them. @returns those that were good until now */
export async function endGrants(
  { db }: Write,
  which: { userId: string } | { grantId: string },
  nowMs: number,
): Promise<GrantRow[]> {
  const query = db.updateTable('grants').set({ revokedMs: nowMs }).where('revokedMs', 'is', null);
  const narrowed = 'userId' in which ? query.where('userId', '=', which.userId) : query.where('id', '=', which.grantId);
  const ended = await narrowed.returningAll().execute();
  for (const { id } of ended) await db.deleteFrom('oauthRecords').where('grantId', '=', id).execute();
  return ended;
}

/**
 * Of the records of a grant, or of none, that expire by `untilMs`, forgets the oldest beyond `kept`: whoever is in the
 * middle of something began just now. A client that was allowed in expires later, and is not among them.
 */
export async function forgetOldest(
  { db }: Write,
  { kind, grantId, kept, untilMs }: { kind: string; grantId: string | null; kept: number; untilMs: number },
): Promise<void> {
  const isOfGrant = (where: ExpressionBuilder<Tables, 'oauthRecords'>) =>
    grantId === null ? where('grantId', 'is', null) : where('grantId', '=', grantId);
  const beyond = await db
    .selectFrom('oauthRecords')
    .select('expiresMs')
    .where('kind', '=', kind)
    .where(isOfGrant)
    .where('expiresMs', '<=', untilMs)
    .orderBy('expiresMs', 'desc')
    .offset(kept)
    .limit(1)
    .executeTakeFirst();
  if (beyond === undefined) return;
  await db
    .deleteFrom('oauthRecords')
    .where('kind', '=', kind)
    .where(isOfGrant)
    .where('expiresMs', '<=', beyond.expiresMs)
    .execute();
}

/** What was allowed is asked for within the life of its request; by then nothing was, and nobody can any more. */
const unclaimedMs = 3_600_000;

/** Forgets what ended. @returns of it what ran out, which nobody was told of yet */
export async function forgetEnded(
  db: Write['db'],
  before: { createdMs: number; usedMs: number; nowMs: number },
): Promise<GrantRow[]> {
  const ended = await db
    .deleteFrom('grants')
    .where((where) => where.or([where('createdMs', '<', before.createdMs), where('lastUsedMs', '<', before.usedMs)]))
    .returningAll()
    .execute();
  await db.deleteFrom('oauthRecords').where('expiresMs', '<', before.nowMs).execute();
  return ended.filter(({ revokedMs }) => revokedMs === null);
}

/** Forgets what was allowed and nobody came for. @returns it */
export function forgetUnclaimed(db: Write['db'], nowMs: number): Promise<GrantRow[]> {
  return db
    .deleteFrom('grants')
    .where('revokedMs', 'is', null)
    .where('createdMs', '<', nowMs - unclaimedMs)
    .where((where) =>
      where.not(
        where.exists(
          where.selectFrom('oauthRecords').select('hash').whereRef('oauthRecords.grantId', '=', 'grants.id'),
        ),
      ),
    )
    .returningAll()
    .execute();
}
