import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { sql } from 'kysely';
import type { Database, Reader, Write } from '../db/database.ts';
import type { EventRow } from '../db/tables.ts';
import { invalid } from '../http/validate.ts';
import type { Static } from '../http/schema.ts';
import type { Event } from './contract.ts';

/**
 * A position in the stream. It grows in commit order: on SQLite it is the row's number, since writers take turns. On
 * Postgres it is the transaction's number and the row's; what is above the oldest open transaction is not read yet, so
 * nothing can appear below a position that was handed out.
 */
export interface Position {
  transaction: string;
  row: string;
}

export interface PlacedEvent {
  position: Position;
  event: Static<typeof Event>;
}

/** The largest number that the columns hold; Postgres refuses a query with a larger one. */
const numberMax = 2n ** 63n - 1n;
const positionPattern = /^(0|[1-9]\d{0,18})(?:-(0|[1-9]\d{0,18}))?$/;

/** `0` is before everything. @throws Fault `invalid_request`, also for a position of the other kind of database */
export function parsePosition(text: string, flavour: Database['flavour']): Position {
  const [, first, second] = positionPattern.exec(text) ?? [];
  const fits = text === '0' || (second === undefined) === (flavour === 'sqlite');
  if (first === undefined || !fits || [first, second ?? '0'].some((part) => BigInt(part) > numberMax))
    throw invalid([{ pointer: '/query/after', code: 'pattern', message: 'is no position of this stream' }]);
  return second === undefined ? { transaction: '0', row: first } : { transaction: first, row: second };
}

export function positionText(position: Position): string {
  return position.transaction === '0' ? position.row : `${position.transaction}-${position.row}`;
}

/** The end of the stream as it is now. */
export async function lastPosition(database: Database): Promise<Position> {
  if (database.flavour === 'sqlite') {
    const { rows } = await sql<{ row: number | null }>`select max("position") as "row" from "events"`.execute(
      database.read,
    );
    return { transaction: '0', row: String(rows[0]?.row ?? 0) };
  }
  const { rows } = await sql<{ xmin: string }>`select pg_snapshot_xmin(pg_current_snapshot())::text as "xmin"`.execute(
    database.read,
  );
  return { transaction: String(BigInt(rows[0]!.xmin) - 1n), row: '9223372036854775807' };
}

const bySqlite = 'select * from "events" where "workspaceId" = ? and "position" > ? order by "position" limit ?';
const byPostgres = `select *, "xid"::text as "transaction" from "events" where "workspaceId" = ? and ("xid", "position") > (?::text::xid8, ?::bigint)
  and "xid" < pg_snapshot_xmin(pg_current_snapshot()) order by "xid", "position" limit ?`;

export async function readEvents(
  database: Database,
  at: { workspaceId: string; after: Position; limit: number },
): Promise<PlacedEvent[]> {
  const { workspaceId, after, limit } = at;
  const sqlite = database.flavour === 'sqlite';
  const rows = await database.select<EventRow & { transaction?: string }>({
    text: sqlite ? bySqlite : byPostgres,
    parameters: sqlite ? [workspaceId, Number(after.row), limit] : [workspaceId, after.transaction, after.row, limit],
  });
  return rows.map((row) => ({
    position: { transaction: row.transaction ?? '0', row: String(row.position) },
    event: toWire(row),
  }));
}

/** The newest first. Positions are unique, and one that is handed out while this is read is above those on the page or told live. */
export function listEventsOf(
  db: Reader,
  desktop: { workspaceId: string; desktopId: string },
  page: { types: readonly string[] | undefined; before: number | undefined; limit: number },
): Promise<EventRow[]> {
  const { workspaceId, desktopId } = desktop;
  const { types, before, limit } = page;
  return db
    .selectFrom('events')
    .selectAll()
    .where('workspaceId', '=', workspaceId)
    .where('desktopId', '=', desktopId)
    .$if(types !== undefined, (query) => query.where('type', 'in', types!))
    .$if(before !== undefined, (query) => query.where('position', '<', before!))
    .orderBy('position', 'desc')
    .limit(limit)
    .execute();
}

/** @throws Fault `position_expired` when events after this position were purged already */
export async function checkRetention(database: Database, after: Position): Promise<void> {
  const purged = await database.read
    .selectFrom('counters')
    .select('value')
    .where('name', '=', 'eventsPurged')
    .executeTakeFirst();
  const at = BigInt(database.flavour === 'sqlite' ? after.row : after.transaction);
  if (purged !== undefined && at !== 0n && at < BigInt(purged.value)) {
    throw new Fault('position_expired', 'Events after this position are not kept any more.');
  }
}

/** Removes what is older than `beforeMs`, a bounded number at a time, and remembers up to where. */
export async function purgeEvents(write: Write, flavour: Database['flavour'], beforeMs: number): Promise<number> {
  const mark = flavour === 'sqlite' ? sql<number>`"position"` : sql<number>`"xid"::text::bigint`;
  const rows = await write.db
    .selectFrom('events')
    .select(['position', mark.as('mark')])
    .where('createdMs', '<', beforeMs)
    .orderBy('createdMs')
    .limit(1000)
    .execute();
  if (rows.length === 0) return 0;
  await write.db
    .deleteFrom('events')
    .where(
      'position',
      'in',
      rows.map((row) => row.position),
    )
    .execute();
  const value = Math.max(...rows.map((row) => Number(row.mark)));
  await write.db
    .insertInto('counters')
    .values({ name: 'eventsPurged', value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }).where('counters.value', '<', value))
    .execute();
  return rows.length;
}

export function toWire(row: EventRow): Static<typeof Event> {
  return {
    id: row.id,
    type: row.type as Static<typeof Event>['type'],
    createdAt: toRfc3339(row.createdMs),
    desktopId: row.desktopId,
    actor: { type: row.actorType as 'key' | 'node' | 'system', id: row.actorId, name: row.actorName },
    requestId: row.requestId,
    data: JSON.parse(row.dataJson) as Record<string, unknown>,
  };
}
