import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const metrics: Migration = {
  name: '0006-metrics',
  async up(db, flavour) {
    const [position, bytes] =
      flavour === 'sqlite'
        ? [sql`integer primary key autoincrement`, sql`blob`]
        : [sql`bigserial primary key`, sql`bytea`];
    await sql`create table "metricReports" ("position" ${position}, "nodeId" text not null, "part" bigint not null,
      "receivedMs" bigint not null, "samples" bigint not null, "data" ${bytes} not null)`.execute(db);
    await sql`create index "metricReportsOfNode" on "metricReports" ("nodeId", "part", "receivedMs")`.execute(db);
    await sql`create table "metricChunks" ("desktopId" text not null, "stepSeconds" bigint not null, "startMs" bigint not null,
      "data" ${bytes} not null, primary key ("desktopId", "stepSeconds", "startMs"))`.execute(db);
    await sql`create index "metricChunksAge" on "metricChunks" ("stepSeconds", "startMs")`.execute(db);
    await sql`create index "desktopsDestroyed" on "desktops" ("destroyedMs")`.execute(db);
    await sql`alter table "nodes" add column "metricsSeq" bigint not null default 0`.execute(db);
    await sql`alter table "nodes" add column "metricsMs" bigint`.execute(db);
    // The first key may do everything, also what is new.
    await sql`update "apiKeys" set "capabilitiesJson" = substr("capabilitiesJson", 1, length("capabilitiesJson") - 1) || ',"metrics:read"]'
      where "createdBy" is null and "restrictionJson" is null and "capabilitiesJson" like '%"nodes:write"%'
      and "capabilitiesJson" not like '%"metrics:read"%'`.execute(db);
  },
};
