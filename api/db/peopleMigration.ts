import { sql } from 'kysely';
import { createTable, index } from './createTable.ts';
import type { Migration } from './migration.ts';

const text = 'text';
const int = 'bigint';

/** Users, how they come in, and their sessions. */
export const people: Migration = {
  name: '0008-people',
  async up(db) {
    await createTable(db, 'users', { id: text, name: text, 'email?': text, createdMs: int, 'lastSignInMs?': int });
    await index(db, 'usersEmail', { table: 'users', columns: ['email'], unique: true });
    await createTable(db, 'identities', { issuer: text, subject: text, userId: text, createdMs: int });
    await index(db, 'identitiesSubject', { table: 'identities', columns: ['issuer', 'subject'], unique: true });
    await createTable(db, 'members', { workspaceId: text, userId: text, role: text, createdMs: int });
    await index(db, 'membersOfWorkspace', { table: 'members', columns: ['workspaceId', 'userId'], unique: true });
    await index(db, 'membersOfUser', { table: 'members', columns: ['userId'] });
    await createTable(db, 'sessions', {
      id: text,
      userId: text,
      hash: text,
      userAgent: text,
      ipAddress: text,
      createdMs: int,
      lastUsedMs: int,
      'revokedMs?': int,
    });
    await index(db, 'sessionsHash', { table: 'sessions', columns: ['hash'], unique: true });
    await index(db, 'sessionsOfUser', { table: 'sessions', columns: ['userId'] });
    await createTable(db, 'signInLinks', {
      id: text,
      workspaceId: text,
      hash: text,
      'userId?': text,
      role: text,
      name: text,
      'email?': text,
      'createdBy?': text,
      createdMs: int,
      expiresMs: int,
      'usedMs?': int,
    });
    await index(db, 'signInLinksHash', { table: 'signInLinks', columns: ['hash'], unique: true });
    await index(db, 'apiKeysCreatedBy', { table: 'apiKeys', columns: ['createdBy'] });
    // The first key may do everything, also what is new.
    await sql`update "apiKeys" set "capabilitiesJson" = substr("capabilitiesJson", 1, length("capabilitiesJson") - 1) || ',"users:read","users:write"]'
      where "createdBy" is null and "restrictionJson" is null and "capabilitiesJson" like '%"nodes:write"%'
      and "capabilitiesJson" not like '%"users:write"%'`.execute(db);
  },
};
