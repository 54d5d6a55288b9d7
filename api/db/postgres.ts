import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { backoffMs } from '@lebureau/kit/loop';
import { CompiledQuery, Kysely, PostgresDialect, type Transaction, sql } from 'kysely';
import pg from 'pg';
import type { Database, Query, Write } from './database.ts';
import type { Tables } from './tables.ts';
import { PreparedPool, isPlanChanged } from './preparedPool.ts';
import { Wakeups } from './wakeups.ts';

const channel = 'lebureau';
const int8 = 20;
const triesMax = 5;
/** Serialization failure, deadlock. */
const repeatable = new Set(['40001', '40P01']);

/** Integers of 64 bits arrive as text by default; ours all fit a number. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** Postgres by a pool; wake-ups travel by NOTIFY, sent in the transaction and delivered when it commits. */
export async function openPostgres(url: string, log: Log): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    types,
    connectionTimeoutMillis: 5000,
    statement_timeout: 15_000,
    // For a server that says nothing at all, not even that a statement took too long.
    query_timeout: 20_000,
  });
  pool.on('error', (error) => log.warn('database connection lost', { error: error.message }));
  const prepared = new PreparedPool(pool);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: prepared }) });
  const wakeups = new Wakeups();
  const listener = new Listener({ url, log, wakeups });
  await listener.start();
  return {
    flavour: 'postgres',
    read: db,
    commitMark: () => undefined,
    select: async <Row>({ text, parameters }: Query) =>
      (await prepared.query(numbered(text), parameters)).rows as Row[],
    write: (body) => writeRepeated(db, body, wakeups),
    waitFor: (topic, options) => wakeups.waitFor(topic, options),
    async close() {
      await listener.stop();
      wakeups.wakeAll();
      await db.destroy();
    },
  };
}

async function writeRepeated<Result>(
  db: Kysely<Tables>,
  body: (write: Write) => Promise<Result>,
  wakeups: Wakeups,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const topics = new Set<string>();
    const effects: (() => void)[] = [];
    const wake = (topic: string) => topics.add(topic);
    const afterCommit = (effect: () => void) => effects.push(effect);
    try {
      const result = await db.transaction().execute(async (tx) => {
        const value = await body({ db: tx, select: selectorOn(tx), wake, afterCommit });
        if (topics.size > 0)
          await sql`select pg_notify(${channel}, topic) from unnest(${[...topics]}::text[]) as topic`.execute(tx);
        return value;
      });
      for (const effect of effects) effect();
      for (const topic of topics) wakeups.wake(topic);
      return result;
    } catch (error) {
      const isRepeatable = isPlanChanged(error) || repeatable.has((error as { code?: string }).code ?? '');
      if (attempt >= triesMax || !isRepeatable) throw error;
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, 500)));
    }
  }
}

function selectorOn(tx: Transaction<Tables>): Write['select'] {
  return async <Row>({ text, parameters }: Query) =>
    (await tx.executeQuery<Row>(CompiledQuery.raw(numbered(text), [...parameters]))).rows;
}

/** `?` as Postgres counts them. */
function numbered(text: string): string {
  let count = 0;
  return text.replaceAll('?', () => `$${++count}`);
}

/** Hears the wake-ups of other replicas; after a broken connection everyone looks again. */
class Listener {
  readonly #options: { url: string; log: Log; wakeups: Wakeups };
  #client: pg.Client | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: { url: string; log: Log; wakeups: Wakeups }) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      keepAlive: true,
      connectionTimeoutMillis: 5000,
    });
    client.on('notification', (message) => this.#options.wakeups.wake(message.payload ?? ''));
    client.on('error', (error) => this.#broken(client, error));
    client.on('end', () => this.#broken(client, new Error('connection ended')));
    await client.connect();
    await client.query(`listen ${channel}`);
    this.#client = client;
    this.#failures = 0;
    this.#options.wakeups.wakeAll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client?.end();
  }

  #broken(client: pg.Client, error: unknown): void {
    if (this.#stopped || this.#client !== client) return;
    this.#client = undefined;
    this.#options.log.warn('wake-up connection lost', { error: describeError(error) });
    this.#again();
  }

  #again(): void {
    this.#failures += 1;
    const timer = setTimeout(
      () => {
        if (this.#stopped) return;
        this.start().catch((error: unknown) => {
          this.#options.log.warn('wake-up connection refused', { error: describeError(error) });
          this.#again();
        });
      },
      backoffMs(this.#failures, 5000),
    );
    timer.unref();
  }
}
