import { toRfc3339 } from '@lebureau/kit/clock';
import { sql } from 'kysely';
import packageJson from '../package.json' with { type: 'json' };
import type { Reader } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import type { Static } from '../http/schema.ts';
import { windowMs } from '../metrics/tiers.ts';
import { limitsOf } from '../nodes/placement.ts';
import { type Hardware, helloOf, listNodeRows } from '../nodes/store.ts';
import { listMembers } from '../pool/store.ts';
import type { Services } from '../services.ts';
import type { attentionWords, ServiceHealth } from './contract.ts';

type Health = Static<typeof ServiceHealth>;
type Attention = (typeof attentionWords)[number];

const slowMs = 250;

/** How the whole service is, in a handful of small queries. */
export async function serviceHealth(services: Services, startedMs: number): Promise<Health> {
  const { database, clock } = services;
  const nowMs = clock.nowMs();
  const beganMs = clock.monotonicMs();
  await sql`select 1`.execute(database.read);
  const answeredInMs = Math.round((clock.monotonicMs() - beganMs) * 10) / 10;
  const rows = await listNodeRows(database.read);
  const members = await listMembers(database.read);
  const ready = members.filter((member) => member.ready === 1).length;
  const found = {
    version: packageJson.version,
    startedAt: toRfc3339(startedMs),
    memoryMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    database: { kind: database.flavour, answeredInMs },
    nodes: nodesSeen(rows, services.placement.overcommit, nowMs),
    machines: await machinesSeen(database.read),
    pool: { ready, underWay: members.length - ready },
    metrics: await metricsSeen(database.read, rows),
    streamTickets: await countTickets(database.read, nowMs),
  };
  return { attention: attentionOf(found, nowMs), ...found };
}

/** Pure. */
export function attentionOf(found: Omit<Health, 'attention'>, nowMs: number): Attention[] {
  const { nodes, metrics, database, machines } = found;
  const lastReportMs = metrics.lastReportAt === null ? nowMs : Date.parse(metrics.lastReportAt);
  const isSo: Record<Attention, boolean> = {
    database_slow: database.answeredInMs > slowMs,
    no_node: nodes.up === 0,
    node_silent: nodes.silent > 0,
    node_overbooked: nodes.overBooked > 0,
    strangers: nodes.strangers > 0,
    machines_failing: machines.failing > 0,
    // Machines run on nodes that are heard, and yet nothing came for a whole window.
    metrics_behind: machines.running > 0 && nodes.up > 0 && nowMs - lastReportMs > windowMs,
    versions_differ: nodes.versions.length > 1,
  };
  return (Object.keys(isSo) as Attention[]).filter((word) => isSo[word]);
}

function nodesSeen(
  rows: readonly NodeRow[],
  overcommit: Services['placement']['overcommit'],
  nowMs: number,
): Health['nodes'] {
  const isHeard = (row: NodeRow) => nowMs - row.heardMs < nodeSilentMs;
  const strangers = rows.reduce((sum, row) => sum + (JSON.parse(row.strangersJson) as unknown[]).length, 0);
  const versions = rows.filter(isHeard).flatMap((row) => helloOf(row)?.version ?? []);
  return {
    up: rows.filter(isHeard).length,
    silent: rows.filter((row) => !isHeard(row) && row.fencedMs === null).length,
    cordoned: rows.filter((row) => row.cordoned === 1).length,
    overBooked: rows.filter((row) => isOverBooked(row, limitsOf(row, overcommit))).length,
    strangers,
    versions: [...new Set(versions)].toSorted(),
  };
}

function isOverBooked(row: NodeRow, limits: Hardware): boolean {
  return (
    row.reservedVcpus > limits.vcpus || row.reservedMemoryMiB > limits.memoryMiB || row.reservedDiskGiB > limits.diskGiB
  );
}

async function machinesSeen(db: Reader): Promise<Health['machines']> {
  const { rows } = await sql<{ desired: string; power: string; ready: number; failed: number; count: number }>`
    select "desired", "power", "ready", case when "faultJson" is null then 0 else 1 end as "failed", count(*) as "count"
    from "assignments" where "closedMs" is null and "desktopId" is not null
    group by "desired", "power", "ready", case when "faultJson" is null then 0 else 1 end`.execute(db);
  const seen = { running: 0, off: 0, underWay: 0, failing: 0 };
  for (const { desired, power, ready, failed, count } of rows) {
    const isRunning = desired === 'running' && power === 'running' && ready === 1;
    const isOff = desired === 'stopped' && power === 'off';
    const name = Number(failed) === 1 ? 'failing' : isRunning ? 'running' : isOff ? 'off' : 'underWay';
    seen[name] += Number(count);
  }
  return seen;
}

async function metricsSeen(db: Reader, rows: readonly NodeRow[]): Promise<Health['metrics']> {
  const { count } = await db
    .selectFrom('metricReports')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  const lastMs = Math.max(0, ...rows.map((row) => row.metricsMs ?? 0));
  return { reportsWaiting: Number(count), lastReportAt: lastMs === 0 ? null : toRfc3339(lastMs) };
}

async function countTickets(db: Reader, nowMs: number): Promise<number> {
  const { count } = await db
    .selectFrom('streamTickets')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('expiresMs', '>', nowMs)
    .executeTakeFirstOrThrow();
  return Number(count);
}
