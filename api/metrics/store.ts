import type { Database, Reader, Selector, Write } from '../db/database.ts';
import type { MetricChunkRow, MetricReportRow } from '../db/tables.ts';
import { partsOf } from './journal.ts';
import type { Tier } from './tiers.ts';

export async function insertReports({ db }: Write, rows: readonly Omit<MetricReportRow, 'position'>[]): Promise<void> {
  if (rows.length > 0)
    await db
      .insertInto('metricReports')
      .values(rows as MetricReportRow[])
      .execute();
}

/** How many of a node are not rolled up yet. */
export async function countSamples(source: Selector, nodeId: string): Promise<number> {
  const text = 'select coalesce(sum("samples"), 0) as "count" from "metricReports" where "nodeId" = ?';
  const [row] = await source.select<{ count: number }>({ text, parameters: [nodeId] });
  return Number(row!.count);
}

/** What was told of this desktop by its node and is not rolled up yet, of others too. */
export async function reportsWith(database: Database, desktop: { id: string; nodeId: string }): Promise<Uint8Array[]> {
  const parts = partsOf(desktop.id);
  const text = `select "data" from "metricReports" where "nodeId" = ? and "part" in (${parts.map(() => '?').join(', ')})`;
  const rows = await database.select<{ data: Uint8Array }>({ text, parameters: [desktop.nodeId, ...parts] });
  return rows.map((row) => row.data);
}

/** Parts of nodes with reports from before `beforeMs`. */
export function partsToRoll(db: Reader, beforeMs: number): Promise<{ nodeId: string; part: number }[]> {
  return db
    .selectFrom('metricReports')
    .select(['nodeId', 'part'])
    .distinct()
    .where('receivedMs', '<', beforeMs)
    .limit(10_000)
    .execute();
}

/** Takes the oldest of them out of the table, a bounded number. */
export async function takeReports(
  { db }: Write,
  from: { nodeId: string; part: number; beforeMs: number; limit: number },
): Promise<Uint8Array[]> {
  const oldest = db
    .selectFrom('metricReports')
    .select('position')
    .where('nodeId', '=', from.nodeId)
    .where('part', '=', from.part)
    .where('receivedMs', '<', from.beforeMs)
    .orderBy('receivedMs')
    .limit(from.limit);
  const rows = await db.deleteFrom('metricReports').where('position', 'in', oldest).returning('data').execute();
  return rows.map((row) => row.data);
}

export async function chunksBetween(
  database: Database,
  of: { desktopId: string; stepSeconds: number; fromMs: number; toMs: number },
): Promise<Pick<MetricChunkRow, 'startMs' | 'data'>[]> {
  const text =
    'select "startMs", "data" from "metricChunks" where "desktopId" = ? and "stepSeconds" = ? and "startMs" >= ? and "startMs" < ? order by "startMs"';
  return database.select({ text, parameters: [of.desktopId, of.stepSeconds, of.fromMs, of.toMs] });
}

type Key = Omit<MetricChunkRow, 'data'>;

/** Those of these chunks that exist. */
export async function chunksOf(source: Selector, keys: readonly Key[]): Promise<MetricChunkRow[]> {
  const rows: MetricChunkRow[] = [];
  for (let from = 0; from < keys.length; from += 200) {
    const some = keys.slice(from, from + 200);
    const text = `select * from "metricChunks" where ("desktopId", "stepSeconds", "startMs") in (values ${some.map(() => '(?, ?, ?)').join(', ')})`;
    const typed = text.replaceAll('(?, ?, ?)', '(?, cast(? as bigint), cast(? as bigint))');
    const parameters = some.flatMap((key) => [key.desktopId, key.stepSeconds, key.startMs]);
    rows.push(...(await source.select<MetricChunkRow>({ text: typed, parameters })));
  }
  return rows;
}

export async function putChunks({ db }: Write, rows: readonly MetricChunkRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += 200) {
    await db
      .insertInto('metricChunks')
      .values(rows.slice(from, from + 200))
      .onConflict((conflict) =>
        conflict
          .columns(['desktopId', 'stepSeconds', 'startMs'])
          .doUpdateSet((set) => ({ data: set.ref('excluded.data') })),
      )
      .execute();
  }
}

export async function dropChunks({ db }: Write, tier: Tier, beforeMs: number): Promise<void> {
  await db
    .deleteFrom('metricChunks')
    .where('stepSeconds', '=', tier.stepSeconds)
    .where('startMs', '<', beforeMs)
    .execute();
}

/** Of desktops that were destroyed within these times. */
export async function dropOfDestroyed({ db }: Write, between: { fromMs: number; toMs: number }): Promise<void> {
  const gone = db
    .selectFrom('desktops')
    .select('id')
    .where('destroyedMs', '>=', between.fromMs)
    .where('destroyedMs', '<', between.toMs);
  await db.deleteFrom('metricChunks').where('desktopId', 'in', gone).execute();
}
