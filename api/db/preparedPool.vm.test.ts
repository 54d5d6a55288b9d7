import { silentLog } from '@lebureau/kit/log';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestPostgres, startTestPostgres } from '../testing/postgres.ts';
import type { Database } from './database.ts';
import { openPostgres } from './postgres.ts';

let postgres: TestPostgres;
let database: Database;
let other: Database;
beforeAll(async () => {
  postgres = await startTestPostgres();
  const url = await postgres.newDatabase();
  [database, other] = [await openPostgres(url, silentLog), await openPostgres(url, silentLog)];
  await sql`create table "counters" ("name" text primary key, "value" bigint not null)`.execute(other.read);
  await sql`insert into "counters" values ('a', 1)`.execute(other.read);
});
afterAll(async () => {
  await Promise.all([database.close(), other.close()]);
  await postgres.stop();
});

const asRead = () => database.read.selectFrom('counters').selectAll().where('name', '=', 'a').execute();
const asText = () => database.select({ text: 'select * from "counters" where "name" = ?', parameters: ['a'] });
const asWrite = () =>
  database.write(async ({ db }) => {
    await db.updateTable('counters').set({ value: 2 }).where('name', '=', 'a').execute();
    return db.selectFrom('counters').selectAll().where('name', '=', 'a').execute();
  });

/** Often enough on every connection that the server keeps plans. */
async function everywhere(): Promise<void> {
  for (let round = 0; round < 8; round++)
    await Promise.all(Array.from({ length: 10 }, () => Promise.all([asRead(), asText(), asWrite()])));
}

test('statements are kept prepared', async () => {
  await everywhere();
  const kept = await database.write(({ db }) =>
    sql<{ count: number }>`select count(*) as "count" from pg_prepared_statements where "name" like 'lb%'`.execute(db),
  );
  expect(kept.rows[0]!.count).toBeGreaterThan(1);
});

test('another replica gives a table more columns, and nobody who reads or writes notices', async () => {
  await everywhere();
  await sql`alter table "counters" add column "more" bigint not null default 7`.execute(other.read);
  await everywhere();
  for (const ask of [asRead, asText, asWrite]) expect(await ask()).toEqual([{ name: 'a', value: 2, more: 7 }]);
});
