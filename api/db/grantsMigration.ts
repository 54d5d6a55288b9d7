import { createTable, index } from './createTable.ts';
import type { Migration } from './migration.ts';

const text = 'text';
const int = 'bigint';

/** What people allowed MCP clients, and what those clients hold. */
export const grants: Migration = {
  name: '0010-grants',
  async up(db) {
    await createTable(db, 'grants', {
      id: text,
      workspaceId: text,
      userId: text,
      clientId: text,
      clientName: text,
      redirectHost: text,
      resource: text,
      capabilitiesJson: text,
      createdMs: int,
      lastUsedMs: int,
      'revokedMs?': int,
    });
    await index(db, 'grantsOfUser', { table: 'grants', columns: ['userId'] });
    await createTable(db, 'oauthRecords', {
      kind: text,
      hash: text,
      'grantId?': text,
      payloadJson: text,
      expiresMs: int,
      'consumedMs?': int,
    });
    await index(db, 'oauthRecordsHash', { table: 'oauthRecords', columns: ['kind', 'hash'], unique: true });
    await index(db, 'oauthRecordsOfGrant', { table: 'oauthRecords', columns: ['grantId'] });
    await index(db, 'oauthRecordsExpiry', { table: 'oauthRecords', columns: ['expiresMs'] });
    await db.schema.alterTable('events').addColumn('actorName', text).execute();
  },
};

/** Whether somebody let a client in is asked while its document is kept, in the transaction that writes it. */
export const grantsOfClient: Migration = {
  name: '0014-grants-of-client',
  async up(db) {
    await index(db, 'grantsOfClient', { table: 'grants', columns: ['clientId'] });
  },
};
