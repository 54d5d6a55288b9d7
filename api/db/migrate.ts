import type { Clock } from '@lebureau/kit/clock';
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { migrations } from './migrations.ts';

const lockNumber = 7_163_429;

/**
 * Brings the database to the newest shape; safe when several replicas start at once.
 * @throws Error when the database was written by a newer version.
 */
export async function migrate(database: Database, clock: Clock): Promise<void> {
  await database.write(async ({ db }) => {
    if (database.flavour === 'postgres') await sql`select pg_advisory_xact_lock(${lockNumber})`.execute(db);
    await sql`create table if not exists "migrations" ("name" text primary key, "appliedMs" bigint not null)`.execute(
      db,
    );
    const applied = new Set((await db.selectFrom('migrations').select('name').execute()).map((row) => row.name));
    for (const name of applied) {
      if (!migrations.some((migration) => migration.name === name)) {
        throw new Error(
          `The database was written by a newer version of Le Bureau (it has ${name}). Install that version again.`,
        );
      }
    }
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue;
      await migration.up(db as never, database.flavour);
      await db.insertInto('migrations').values({ name: migration.name, appliedMs: clock.nowMs() }).execute();
    }
  });
}
