import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import type { Database } from './database.ts';
import { migrate } from './migrate.ts';

/**
 * Opens and migrates the database that `url` names: `sqlite:/path`, or `postgres://…`.
 * Each driver is loaded only when it is used.
 */
export async function openDatabase(url: string, options: { clock: Clock; log: Log }): Promise<Database> {
  const database = await connect(url, options.log);
  try {
    await migrate(database, options.clock);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

async function connect(url: string, log: Log): Promise<Database> {
  if (/^postgres(ql)?:/.test(url)) {
    const { openPostgres } = await import('./postgres.ts');
    return openPostgres(url, log);
  }
  const path = url.replace(/^sqlite:/, '');
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { openSqlite } = await import('./sqlite.ts');
  return openSqlite(path);
}
