import type { Clock } from '@lebureau/kit/clock';
import type { Database, Write } from '../db/database.ts';
import { type PoolKind, poolKeyOf } from './kind.ts';
import { recentCreates } from './plan.ts';

/** More kinds than this at once are nothing that a pool could serve. */
const kindsMax = 1000;

interface Noted {
  kind: PoolKind;
  count: number;
}

/**
 * How many desktops of each kind were created here of late. Written down by the loop of the pool and not with each create:
 * all creates of a kind would wait for the same row. What is lost with the process is a hint.
 */
export class Demand {
  readonly #clock: Clock;
  readonly #noted = new Map<string, Noted>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one more create of this kind, or so many. */
  note(kind: PoolKind, count = 1): void {
    const key = poolKeyOf(kind);
    const noted = this.#noted.get(key);
    if (noted !== undefined) noted.count += count;
    else if (this.#noted.size < kindsMax) this.#noted.set(key, { kind, count });
  }

  /** Adds what was noted to the rows. Where another replica is faster it is added the next time. */
  async writeDown(database: Database): Promise<void> {
    for (const { kind, count } of this.#take()) {
      let isAdded = false;
      try {
        isAdded = await database.write((write) => add(write, { kind, count, nowMs: this.#clock.nowMs() }));
      } finally {
        if (!isAdded) this.note(kind, count);
      }
    }
  }

  /** Another round may run at the same time, so each takes what it writes. */
  *#take(): Generator<Noted> {
    for (const [key, noted] of [...this.#noted]) if (this.#noted.delete(key)) yield noted;
  }
}

async function add({ db }: Write, what: Noted & { nowMs: number }): Promise<boolean> {
  const { kind, count, nowMs } = what;
  const poolKey = poolKeyOf(kind);
  const before = await db.selectFrom('poolDemand').selectAll().where('poolKey', '=', poolKey).executeTakeFirst();
  const recentMilli = Math.round(1000 * (count + (before === undefined ? 0 : recentCreates(before, nowMs))));
  const { templateId, vcpus, memoryMiB, diskGiB, network } = kind;
  const row = { poolKey, templateId, vcpus, memoryMiB, diskGiB, network, recentMilli, lastMs: nowMs };
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('poolDemand')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .column('poolKey')
        .doUpdateSet({ recentMilli, lastMs: nowMs })
        .where('poolDemand.lastMs', '=', before?.lastMs ?? -1)
        .where('poolDemand.recentMilli', '=', before?.recentMilli ?? -1),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}
