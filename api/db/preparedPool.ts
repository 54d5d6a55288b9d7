import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';

/** Texts that differ by the length of a list could be many; those asked most often come first. */
const preparedMax = 200;
/** A table has other columns than when the statement was prepared: another replica has brought it to a newer shape. */
const planChanged = '0A000';

/**
 * Lets each connection keep its statements prepared: parsing and planning cost the server more than running them.
 * Statements are named by their text, and anew once the shape of a table has changed under them.
 */
export class PreparedPool implements PostgresPool {
  readonly #pool: pg.Pool;
  readonly #names = new Map<string, string>();
  #shape = 0;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  get options(): PostgresPool['options'] {
    return this.#pool.options;
  }

  /** For Kysely. Inside a transaction a statement that meets another plan undoes all of it; who opened it repeats it. */
  async connect(): Promise<PostgresPoolClient> {
    const client = await this.#pool.connect();
    let isOpen = false;
    const query = (text: string, values: readonly unknown[]) => {
      if (/^(begin|start transaction)/.test(text)) isOpen = true;
      if (/^(commit|rollback)$/.test(text)) isOpen = false;
      return isOpen ? this.#ask(client, text, values) : this.#askSurely(client, text, values);
    };
    return { query: query as never, release: () => client.release() };
  }

  end(): Promise<void> {
    return this.#pool.end();
  }

  /** One statement that stands alone. */
  query(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    return this.#askSurely(this.#pool, text, values);
  }

  async #askSurely(on: pg.Pool | pg.PoolClient, text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    try {
      return await this.#ask(on, text, values);
    } catch (error) {
      if (!isPlanChanged(error)) throw error;
      return this.#ask(on, text, values);
    }
  }

  async #ask(on: pg.Pool | pg.PoolClient, text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    const name = values.length === 0 ? undefined : this.#nameOf(text);
    try {
      return await on.query({ ...(name === undefined ? {} : { name }), text, values: [...values] });
    } catch (error) {
      if (isPlanChanged(error)) this.#forget();
      throw error;
    }
  }

  #nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size >= preparedMax) return undefined;
    const name = `lb${this.#shape}_${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  #forget(): void {
    this.#shape += 1;
    this.#names.clear();
  }
}

/** What was prepared is forgotten then, so the same asked again succeeds. */
export function isPlanChanged(error: unknown): boolean {
  return (error as { code?: string }).code === planChanged;
}
