import type { Reader, Write } from '../db/database.ts';
import type { UserRow } from '../db/tables.ts';
import type { Role } from './roles.ts';

/** A person and what they are in one workspace. */
export interface Member extends UserRow {
  workspaceId: string;
  role: Role;
}

function members(db: Reader) {
  return db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.userId')
    .selectAll('users')
    .select(['members.workspaceId', 'members.role']);
}

export async function findMember(db: Reader, workspaceId: string, userId: string): Promise<Member | undefined> {
  const row = await members(db)
    .where('members.workspaceId', '=', workspaceId)
    .where('users.id', '=', userId)
    .executeTakeFirst();
  return row as Member | undefined;
}

/** The one workspace of a person. */
export async function findMembership(db: Reader, userId: string): Promise<Member | undefined> {
  const row = await members(db).where('users.id', '=', userId).orderBy('members.workspaceId').executeTakeFirst();
  return row as Member | undefined;
}

export async function listMembers(
  db: Reader,
  workspaceId: string,
  page: { before?: string; limit: number },
): Promise<Member[]> {
  let query = members(db).where('members.workspaceId', '=', workspaceId);
  if (page.before !== undefined) query = query.where('users.id', '<', page.before);
  return (await query.orderBy('users.id', 'desc').limit(page.limit).execute()) as Member[];
}

/** Those who own a workspace, locked on Postgres, so that two owners cannot make way for each other at once. */
export async function lockOwners({ db }: Write, workspaceId: string): Promise<string[]> {
  const rows = await db
    .updateTable('members')
    .set({ role: 'owner' })
    .where('workspaceId', '=', workspaceId)
    .where('role', '=', 'owner')
    .returning('userId')
    .execute();
  return rows.map(({ userId }) => userId);
}

export function findIdentity(db: Reader, issuer: string, subject: string): Promise<{ userId: string } | undefined> {
  return db
    .selectFrom('identities')
    .select('userId')
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst();
}

export function findUserByEmail(db: Reader, email: string): Promise<UserRow | undefined> {
  return db.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst();
}

/** @returns false when somebody else has this address, also one who came at the same moment */
export async function insertUser({ db }: Write, row: UserRow): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('users')
    .values(row)
    .onConflict((conflict) => conflict.column('email').doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

/** Locked on Postgres until the end: of two who come as one person the second sees what the first did. */
export async function lockUser({ db }: Write, userId: string): Promise<void> {
  await db.updateTable('users').set({ id: userId }).where('id', '=', userId).execute();
}

/** @returns false when they are one already */
export async function insertMember(
  { db }: Write,
  member: { workspaceId: string; userId: string; role: Role; createdMs: number },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('members')
    .values(member)
    .onConflict((conflict) => conflict.columns(['workspaceId', 'userId']).doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}
