import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export type Flavour = 'sqlite' | 'postgres';

/** One statement at a time, each seeing what is committed. */
export type Reader = Kysely<Tables>;

/** Hand-written SQL with `?` for parameters. */
export interface Query {
  text: string;
  parameters: readonly unknown[];
}

/** For the few queries asked so often that building them each time would cost more than running them. */
export interface Selector {
  select<Row>(query: Query): Promise<Row[]>;
}

/** An open transaction; whoever waits for a topic of `wake` is told once it is committed. */
export interface Write extends Selector {
  readonly db: Transaction<Tables>;
  wake(topic: string): void;
  /** What happens in this process once it is committed, and not if it is undone or repeated. It must not throw. */
  afterCommit(effect: () => void): void;
}

/**
 * The one handle on the database. Inside `write` only the handle it gives may be used: the outer one would wait for the
 * transaction it stands in.
 */
export interface Database extends Selector {
  readonly flavour: Flavour;
  readonly read: Reader;
  /** Differs after every commit; undefined where that cannot be told without asking the server. */
  commitMark(): number | undefined;
  /** A short read-write transaction; repeated when the database asks for it, so the body has no other effects. */
  write<Result>(body: (write: Write) => Promise<Result>): Promise<Result>;
  /** Resolves true when `topic` was woken, false after `timeoutMs` or an abort. A wake-up is a hint: look again. */
  waitFor(topic: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<boolean>;
  close(): Promise<void>;
}
