import { closeSync, openSync } from 'node:fs';
import { Database as BunSqlite, type Statement } from 'bun:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Database, Query, Write } from './database.ts';
import type { Tables } from './tables.ts';
import { Wakeups } from './wakeups.ts';

const statementsMax = 200;

/** Kysely on one bun:sqlite connection; whoever holds it, holds it alone. */
class BunSqliteDriver implements Driver {
  readonly #connection: DatabaseConnection;
  readonly #sqlite: BunSqlite;
  #tail: Promise<void> = Promise.resolve();
  #release: (() => void) | undefined;

  constructor(sqlite: BunSqlite) {
    this.#sqlite = sqlite;
    const statements = new Map<string, Statement>();
    this.#connection = {
      executeQuery: async (query) => run(prepared(sqlite, statements, query.sql), query),
      streamQuery: notStreamed,
    };
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#tail;
    let release = () => {};
    this.#tail = new Promise((resolve) => (release = resolve));
    await before;
    this.#release = release;
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#release?.();
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async destroy(): Promise<void> {
    this.#sqlite.close();
  }
}

/** Bun keeps only a few statements by itself. */
function prepared(sqlite: BunSqlite, statements: Map<string, Statement>, text: string): Statement {
  const known = statements.get(text);
  if (known) return known;
  if (statements.size >= statementsMax) {
    for (const statement of statements.values()) statement.finalize();
    statements.clear();
  }
  const statement = sqlite.prepare(text);
  statements.set(text, statement);
  return statement;
}

function run<Row>(statement: Statement, query: CompiledQuery): QueryResult<Row> {
  const parameters = query.parameters as never[];
  if (statement.columnNames.length > 0) return { rows: statement.all(...parameters) as Row[] };
  const { changes } = statement.run(...parameters);
  return { rows: [], numAffectedRows: BigInt(changes) };
}

function notStreamed(): never {
  throw new Error('queries are not streamed from SQLite');
}

function selectorOn(sqlite: BunSqlite): <Row>(query: Query) => Promise<Row[]> {
  const statements = new Map<string, Statement>();
  return async <Row>({ text, parameters }: Query) =>
    prepared(sqlite, statements, text).all(...(parameters as never[])) as Row[];
}

function kyselyOn(sqlite: BunSqlite): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new BunSqliteDriver(sqlite),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
}

/**
 * Two connections: one writes, a transaction at a time; the other reads what is committed without waiting for it.
 * `synchronous=FULL`: what was acknowledged survives a power cut.
 */
export function openSqlite(path: string): Database {
  // Made by us, so that nobody else may read it; its journal takes the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const open = () => {
    const sqlite = new BunSqlite(path, { create: true, strict: true });
    sqlite.run('pragma journal_mode = wal');
    sqlite.run('pragma synchronous = full');
    sqlite.run('pragma busy_timeout = 5000');
    return sqlite;
  };
  const writer = open();
  const reader = open();
  const writing = kyselyOn(writer);
  const read = kyselyOn(reader);
  const selectWriting = selectorOn(writer);
  // Counts what other connections committed; the reader itself commits nothing.
  const dataVersion = reader.prepare('pragma data_version');
  const wakeups = new Wakeups();
  return {
    flavour: 'sqlite',
    read,
    select: selectorOn(reader),
    commitMark: () => (dataVersion.get() as { data_version: number }).data_version,
    async write(body) {
      const topics = new Set<string>();
      const effects: (() => void)[] = [];
      const wake = (topic: string) => topics.add(topic);
      const afterCommit = (effect: () => void) => effects.push(effect);
      const result = await writing
        .transaction()
        .execute((db) => body({ db, select: selectWriting, wake, afterCommit } satisfies Write));
      for (const effect of effects) effect();
      for (const topic of topics) wakeups.wake(topic);
      return result;
    },
    waitFor: (topic, options) => wakeups.waitFor(topic, options),
    async close() {
      wakeups.wakeAll();
      await Promise.all([writing.destroy(), read.destroy()]);
    },
  };
}
