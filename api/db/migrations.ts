import { type Kysely, sql } from 'kysely';
import { activity } from './activityMigration.ts';
import { createTable, index } from './createTable.ts';
import type { Flavour } from './database.ts';
import { grants, grantsOfClient } from './grantsMigration.ts';
import { metrics } from './metricsMigration.ts';
import type { Migration } from './migration.ts';
import { people } from './peopleMigration.ts';

const text = 'text';
const int = 'bigint';

const first: Migration = {
  name: '0001-first-light',
  async up(db, flavour) {
    await createTable(db, 'counters', { name: text, value: int });
    await index(db, 'countersName', { table: 'counters', columns: ['name'], unique: true });
    await createTable(db, 'workspaces', {
      id: text,
      name: text,
      tier: text,
      desktopsMax: int,
      vcpusMax: int,
      memoryMiBMax: int,
      diskGiBMax: int,
      usedDesktops: int,
      usedVcpus: int,
      usedMemoryMiB: int,
      usedDiskGiB: int,
      createdMs: int,
    });
    await createTable(db, 'apiKeys', {
      id: text,
      workspaceId: text,
      name: text,
      hash: text,
      lastFour: text,
      capabilitiesJson: text,
      'restrictionJson?': text,
      'createdBy?': text,
      createdMs: int,
      'expiresMs?': int,
      'revokedMs?': int,
      'lastUsedMs?': int,
    });
    await index(db, 'apiKeysHash', { table: 'apiKeys', columns: ['hash'], unique: true });
    await createTable(db, 'nodes', {
      id: text,
      name: text,
      epoch: int,
      lastSeq: int,
      revision: int,
      heardMs: int,
      guestAddress: text,
      cordoned: int,
      vcpus: int,
      memoryMiB: int,
      diskFreeMiB: int,
      reservedVcpus: int,
      reservedMemoryMiB: int,
      reservedDiskGiB: int,
      helloJson: text,
      strangersJson: text,
      createdMs: int,
    });
    await index(db, 'nodesName', { table: 'nodes', columns: ['name'], unique: true });
    await index(db, 'nodesEpoch', { table: 'nodes', columns: ['epoch'], unique: true });
    await desktopTables(db);
    await eventTable(db, flavour);
    await createTable(db, 'idempotency', {
      keyId: text,
      idempotencyKey: text,
      requestHash: text,
      'status?': int,
      'bodyText?': text,
      createdMs: int,
    });
    await index(db, 'idempotencyKey', { table: 'idempotency', columns: ['keyId', 'idempotencyKey'], unique: true });
    await index(db, 'idempotencyCreated', { table: 'idempotency', columns: ['createdMs'] });
  },
};

async function desktopTables(db: Kysely<unknown>): Promise<void> {
  await createTable(db, 'desktops', {
    id: text,
    workspaceId: text,
    assignmentId: text,
    nodeId: text,
    name: text,
    'size?': text,
    templateName: text,
    labelsJson: text,
    timeZone: text,
    ephemeral: int,
    'ttlSeconds?': int,
    'expiresMs?': int,
    createdMs: int,
    startedMs: int,
    'runningMs?': int,
    'readyMs?': int,
    'deletedMs?': int,
    'destroyedMs?': int,
    version: int,
  });
  // Holds all that a list asks for before it reads the desktops that changed.
  await index(db, 'desktopsOfWorkspace', {
    table: 'desktops',
    columns: ['workspaceId', 'id', 'version', 'destroyedMs', 'nodeId'],
  });
  await index(db, 'desktopsExpiry', { table: 'desktops', columns: ['expiresMs'] });
  await createTable(db, 'desktopLabels', { workspaceId: text, desktopId: text, name: text, value: text });
  await index(db, 'desktopLabelsOfDesktop', { table: 'desktopLabels', columns: ['desktopId', 'name'], unique: true });
  await createTable(db, 'assignments', {
    id: text,
    workspaceId: text,
    'desktopId?': text,
    nodeId: text,
    vmRef: text,
    templateId: text,
    vcpus: int,
    memoryMiB: int,
    diskGiB: int,
    network: text,
    hostName: text,
    timeZone: text,
    configJson: text,
    gracefulStopSeconds: int,
    desired: text,
    desiredBoot: int,
    generation: int,
    cloneSeen: int,
    holdsMemory: int,
    observedGeneration: int,
    presence: text,
    power: text,
    boot: int,
    ready: int,
    agentReady: int,
    'startMode?': text,
    'ipAddress?': text,
    'faultJson?': text,
    'observedMs?': int,
    'closedMs?': int,
  });
  await index(db, 'assignmentsVmRef', { table: 'assignments', columns: ['vmRef'], unique: true });
  await index(db, 'assignmentsOfNode', { table: 'assignments', columns: ['nodeId', 'closedMs'] });
}

/** A position grows in commit order: on SQLite writers take turns; on Postgres the transaction id decides, read below the oldest open one. */
async function eventTable(db: Kysely<unknown>, flavour: Flavour): Promise<void> {
  const position = flavour === 'sqlite' ? sql`integer primary key autoincrement` : sql`bigserial primary key`;
  const transactionId = flavour === 'sqlite' ? sql`` : sql`"xid" xid8 not null default pg_current_xact_id(),`;
  await sql`create table "events" ("position" ${position}, ${transactionId} "id" text not null, "workspaceId" text not null, "type" text not null,
    "desktopId" text, "actorType" text not null, "actorId" text, "requestId" text, "dataJson" text not null, "createdMs" bigint not null)`.execute(
    db,
  );
  await index(db, 'eventsOfWorkspace', {
    table: 'events',
    columns: flavour === 'sqlite' ? ['workspaceId', 'position'] : ['workspaceId', 'xid', 'position'],
  });
  await index(db, 'eventsCreated', { table: 'events', columns: ['createdMs'] });
}

const pool: Migration = {
  name: '0002-pool',
  async up(db) {
    await db.schema.alterTable('assignments').addColumn('poolKey', text).execute();
    await db.schema
      .alterTable('assignments')
      .addColumn('identityVersion', int, (column) => column.notNull().defaultTo(0))
      .execute();
    await index(db, 'assignmentsOfPool', { table: 'assignments', columns: ['poolKey'] });
    await createTable(db, 'poolDemand', {
      poolKey: text,
      templateId: text,
      vcpus: int,
      memoryMiB: int,
      diskGiB: int,
      network: text,
      /** Creates, each counting half after ten minutes; thousandths. */
      recentMilli: int,
      lastMs: int,
    });
    await index(db, 'poolDemandKey', { table: 'poolDemand', columns: ['poolKey'], unique: true });
  },
};

const fleet: Migration = {
  name: '0003-fleet',
  async up(db) {
    const nodes = db.schema.alterTable('nodes');
    await nodes.addColumn('labelsJson', text, (column) => column.notNull().defaultTo('{}')).execute();
    await nodes.addColumn('diskMiB', int, (column) => column.notNull().defaultTo(0)).execute();
    for (const name of ['joinedMs', 'drainMs', 'drainedMs', 'fencedMs', 'decommissionedMs'])
      await nodes.addColumn(name, int).execute();
    // The first key may do everything, also what is new.
    await sql`update "apiKeys" set "capabilitiesJson" = replace("capabilitiesJson", '"nodes:read"]', '"nodes:read","nodes:write"]')
      where "createdBy" is null and "restrictionJson" is null`.execute(db);
    await createTable(db, 'authorities', { name: text, certificatePem: text, keySealed: text, createdMs: int });
    await index(db, 'authoritiesName', { table: 'authorities', columns: ['name'], unique: true });
    await createTable(db, 'joinTokens', {
      id: text,
      workspaceId: text,
      hash: text,
      'nodeName?': text,
      'nodeId?': text,
      labelsJson: text,
      createdBy: text,
      createdMs: int,
      expiresMs: int,
      'usedMs?': int,
    });
    await index(db, 'joinTokensHash', { table: 'joinTokens', columns: ['hash'], unique: true });
    await createTable(db, 'nodeCertificates', {
      serial: text,
      nodeId: text,
      createdMs: int,
      expiresMs: int,
      'revokedMs?': int,
    });
    await index(db, 'nodeCertificatesSerial', { table: 'nodeCertificates', columns: ['serial'], unique: true });
    await index(db, 'nodeCertificatesOfNode', { table: 'nodeCertificates', columns: ['nodeId'] });
    await index(db, 'desktopLabelsByValue', { table: 'desktopLabels', columns: ['workspaceId', 'name', 'value'] });
    await createTable(db, 'tunnels', { nodeId: text, replicaId: text, replicaAddress: text, heardMs: int });
    await index(db, 'tunnelsNode', { table: 'tunnels', columns: ['nodeId'], unique: true });
  },
};

const fleetRest: Migration = {
  name: '0004-fleet-rest',
  async up(db) {
    await db.schema
      .alterTable('desktops')
      .addColumn('nodeSelectorJson', text, (column) => column.notNull().defaultTo('{}'))
      .execute();
    await createTable(db, 'replicas', {
      id: text,
      address: text,
      generation: int,
      shownGeneration: int,
      heardMs: int,
    });
    for (const table of ['authorities', 'nodeCertificates', 'joinTokens'])
      await db.schema
        .alterTable(table)
        .addColumn('generation', int, (column) => column.notNull().defaultTo(1))
        .execute();
    await db.schema.dropIndex('authoritiesName').execute();
    await index(db, 'authoritiesOfGeneration', {
      table: 'authorities',
      columns: ['name', 'generation'],
      unique: true,
    });
    await createTable(db, 'authorityGenerations', {
      generation: int,
      createdMs: int,
      'deadlineMs?': int,
      'signsMs?': int,
      'shownMs?': int,
      'droppedMs?': int,
    });
    await index(db, 'authorityGenerationsNumber', {
      table: 'authorityGenerations',
      columns: ['generation'],
      unique: true,
    });
  },
};

const replacedCertificates: Migration = {
  name: '0005-replaced-certificates',
  async up(db) {
    await db.schema.alterTable('nodeCertificates').addColumn('replacedMs', int).execute();
  },
};

const move: Migration = {
  name: '0007-move',
  async up(db) {
    const nodes = db.schema.alterTable('nodes');
    for (const name of ['drainMode', 'drainUnmoved'])
      await nodes.addColumn(name, text, (column) => column.notNull().defaultTo('stop')).execute();
    const assignments = db.schema.alterTable('assignments');
    for (const name of ['moveTo', 'moveNodeId', 'moveFaultJson']) await assignments.addColumn(name, text).execute();
    await assignments.addColumn('moveHolds', int, (column) => column.notNull().defaultTo(0)).execute();
  },
};

const streams: Migration = {
  name: '0009-streams',
  async up(db) {
    await db.schema.alterTable('assignments').addColumn('controlJson', text).execute();
    await createTable(db, 'streamTickets', {
      hash: text,
      workspaceId: text,
      actorType: text,
      actorId: text,
      'sessionId?': text,
      desktopId: text,
      wishJson: text,
      expiresMs: int,
    });
    await index(db, 'streamTicketsHash', { table: 'streamTickets', columns: ['hash'], unique: true });
    await index(db, 'streamTicketsExpiry', { table: 'streamTickets', columns: ['expiresMs'] });
  },
};

const formerNodes: Migration = {
  name: '0012-former-nodes',
  async up(db) {
    await db.schema.alterTable('assignments').addColumn('formerNodesJson', text).execute();
  },
};

export const migrations: readonly Migration[] = [
  first,
  pool,
  fleet,
  fleetRest,
  replacedCertificates,
  metrics,
  move,
  people,
  streams,
  grants,
  formerNodes,
  activity,
  grantsOfClient,
];
