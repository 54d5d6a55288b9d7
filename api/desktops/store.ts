import { sql } from 'kysely';
import type { Caller } from '../keys/auth.ts';
import type { Database, Reader, Write } from '../db/database.ts';
import type { DesktopRow } from '../db/tables.ts';
import type { DesktopHead } from './wireCache.ts';
import { type DesktopView, assignmentColumns, desktopColumns } from './view.ts';

const columns = [
  ...desktopColumns.map((name) => `d."${name}"`),
  ...assignmentColumns.map((name) => `a."${name}"`),
  'n."heardMs"',
  'n."guestAddress"',
  'n."drainMs"',
  'n."fencedMs"',
  'n."decommissionedMs"',
].join(', ');
const from =
  'from "desktops" d join "assignments" a on a."id" = d."assignmentId" join "nodes" n on n."id" = a."nodeId"';

/** Which rows a query may see: always one workspace, and of a restricted key only what it is restricted to. */
export type Scope = Pick<Caller, 'workspaceId' | 'restriction'>;

export interface DesktopFilter {
  name?: string;
  labels: readonly { name: string; value?: string }[];
  /** Also those that are destroyed. */
  destroyed: boolean;
}

/** Where a query runs: outside of transactions the database itself. */
export type Source = Pick<Database, 'select'>;

interface Conditions {
  texts: string[];
  parameters: unknown[];
}

function conditionsOf(scope: Scope): Conditions {
  const conditions: Conditions = { texts: ['d."workspaceId" = ?'], parameters: [scope.workspaceId] };
  const ids = scope.restriction?.desktopIds;
  if (ids) {
    conditions.texts.push(`d."id" in (${ids.map(() => '?').join(', ')})`);
    conditions.parameters.push(...ids);
  }
  for (const [name, value] of Object.entries(scope.restriction?.labels ?? {})) labelled(conditions, { name, value });
  return conditions;
}

function labelled(conditions: Conditions, label: { name: string; value?: string }): void {
  const value = label.value === undefined ? '' : ' and l."value" = ?';
  conditions.texts.push(
    `exists (select 1 from "desktopLabels" l where l."desktopId" = d."id" and l."name" = ?${value})`,
  );
  conditions.parameters.push(label.name, ...(label.value === undefined ? [] : [label.value]));
}

export async function findDesktop(database: Source, scope: Scope, desktopId: string): Promise<DesktopView | undefined> {
  const { texts, parameters } = conditionsOf(scope);
  const text = `select ${columns} ${from} where ${texts.join(' and ')} and d."id" = ?`;
  const [view] = await database.select<DesktopView>({
    text,
    parameters: [...parameters, desktopId],
  });
  return view;
}

/** One page, newest first, of at most `limit` rows before `before`: only what tells whether one changed. */
export async function listHeads(
  source: Source,
  scope: Scope,
  page: { filter: DesktopFilter; before?: string; limit: number },
): Promise<DesktopHead[]> {
  const conditions = conditionsOf(scope);
  const { texts, parameters } = conditions;
  if (!page.filter.destroyed) texts.push('d."destroyedMs" is null');
  if (page.filter.name !== undefined) {
    texts.push('d."name" = ?');
    parameters.push(page.filter.name);
  }
  for (const label of page.filter.labels) labelled(conditions, label);
  if (page.before !== undefined) {
    texts.push('d."id" < ?');
    parameters.push(page.before);
  }
  const text = `select d."id", d."version", d."expiresMs", d."nodeId" from "desktops" d where ${texts.join(' and ')} order by d."id" desc limit ?`;
  const query = { text, parameters: [...parameters, page.limit] };
  const rows = await source.select<Omit<DesktopHead, 'heardMs'> & { nodeId: string }>(query);
  const heard = await nodesHeard(source, new Set(rows.map((row) => row.nodeId)));
  return rows.map((row) => ({
    id: row.id,
    version: row.version,
    expiresMs: row.expiresMs,
    heardMs: heard.get(row.nodeId) ?? 0,
  }));
}

async function nodesHeard(source: Source, nodeIds: ReadonlySet<string>): Promise<Map<string, number>> {
  if (nodeIds.size === 0) return new Map();
  const text = `select "id", "heardMs" from "nodes" where "id" in (${[...nodeIds].map(() => '?').join(', ')})`;
  const rows = await source.select<{ id: string; heardMs: number }>({
    text,
    parameters: [...nodeIds],
  });
  return new Map(rows.map((row) => [row.id, row.heardMs]));
}

export function listViewsById(source: Source, scope: Scope, ids: readonly string[]): Promise<DesktopView[]> {
  const { texts, parameters } = conditionsOf(scope);
  const text = `select ${columns} ${from} where ${texts.join(' and ')} and d."id" in (${ids.map(() => '?').join(', ')})`;
  return source.select<DesktopView>({ text, parameters: [...parameters, ...ids] });
}

export async function insertDesktop({ db }: Write, desktop: DesktopRow, labels: Record<string, string>): Promise<void> {
  await db.insertInto('desktops').values(desktop).execute();
  await insertLabels({ db }, desktop, labels);
}

export async function replaceLabels(
  { db }: Write,
  desktop: Pick<DesktopRow, 'id' | 'workspaceId'>,
  labels: Record<string, string>,
): Promise<void> {
  await db.deleteFrom('desktopLabels').where('desktopId', '=', desktop.id).execute();
  await insertLabels({ db }, desktop, labels);
}

async function insertLabels(
  { db }: Pick<Write, 'db'>,
  desktop: Pick<DesktopRow, 'id' | 'workspaceId'>,
  labels: Record<string, string>,
): Promise<void> {
  const rows = Object.entries(labels).map(([name, value]) => ({
    workspaceId: desktop.workspaceId,
    desktopId: desktop.id,
    name,
    value,
  }));
  if (rows.length > 0) await db.insertInto('desktopLabels').values(rows).execute();
}

/** Changes the desktop, with `ifVersion` only if it still has that version. @returns whether it did */
export async function changeDesktop(
  { db }: Write,
  at: { id: string; ifVersion?: number },
  change: Partial<DesktopRow>,
): Promise<boolean> {
  let query = db
    .updateTable('desktops')
    .set({ ...change, version: sql<number>`"version" + 1` })
    .where('id', '=', at.id);
  if (at.ifVersion !== undefined) query = query.where('version', '=', at.ifVersion);
  const { numUpdatedRows } = await query.executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Ephemeral desktops whose time is over. */
export function listExpired(db: Reader, nowMs: number): Promise<{ id: string; workspaceId: string }[]> {
  return db
    .selectFrom('desktops')
    .select(['id', 'workspaceId'])
    .where('expiresMs', '<=', nowMs)
    .where('deletedMs', 'is', null)
    .limit(100)
    .execute();
}

/** Marks one of them as deleted if its time is still over: a use may have renewed it since. @returns whether it is */
export async function markExpired({ db }: Write, desktopId: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('desktops')
    .set({ deletedMs: nowMs })
    .where('id', '=', desktopId)
    .where('expiresMs', '<=', nowMs)
    .where('deletedMs', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * Begins the time to live of these desktops anew at `nowMs`. A use is no change: who read the desktop before may still
 * change it. @returns of how many; those being deleted stay so
 */
export async function renewExpiry({ db }: Write, desktopIds: readonly string[], nowMs: number): Promise<number> {
  if (desktopIds.length === 0) return 0;
  const { numUpdatedRows } = await db
    .updateTable('desktops')
    .set({ expiresMs: sql<number>`${nowMs} + "ttlSeconds" * 1000` })
    .where('id', 'in', desktopIds)
    .where('ephemeral', '=', 1)
    .where('deletedMs', 'is', null)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}
