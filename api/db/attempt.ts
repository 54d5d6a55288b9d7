import { sql } from 'kysely';
import type { Write } from './database.ts';

/**
 * Keeps what `body` wrote when it gives something. Else all of it is undone, its locks too: who tries one row after the
 * other must not wait for the next with the former still in hand, or two of them wait for each other until Postgres
 * notices, after a second.
 */
export async function attempt<Result>(
  write: Write,
  body: () => Promise<Result | undefined>,
): Promise<Result | undefined> {
  await sql`savepoint attempt`.execute(write.db);
  const result = await body();
  if (result === undefined) await sql`rollback to savepoint attempt`.execute(write.db);
  await sql`release savepoint attempt`.execute(write.db);
  return result;
}
