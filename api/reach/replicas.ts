import type { Clock } from '@lebureau/kit/clock';
import type { Database, Reader } from '../db/database.ts';
import type { ReplicaRow } from '../db/tables.ts';

/** A replica whose row was not renewed for this long is gone. */
const staleMs = 30_000;
/** Long after that its row goes, too. */
const keptMs = 3_600_000;
const aliveMax = 1000;
const listedMax = 64;

/** The replicas that have a listener for nodes of other machines, as their rows say; each renews its own. */
export class Replicas {
  readonly #database: Database;
  readonly #clock: Clock;
  #alive: readonly ReplicaRow[] = [];

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Where nodes find the API, this replica or another one; as of the last time this one renewed its row. */
  get addresses(): string[] {
    return this.#alive
      .map((row) => row.address)
      .filter(isReachable)
      .slice(0, listedMax);
  }

  /** Writes the own row and looks at those of the others. */
  async renew(own: Omit<ReplicaRow, 'heardMs'>): Promise<void> {
    const heardMs = this.#clock.nowMs();
    const { id, ...change } = { ...own, heardMs };
    await this.#database.write(async ({ db }) => {
      await db
        .insertInto('replicas')
        .values({ id, ...change })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(change))
        .execute();
      await db
        .deleteFrom('replicas')
        .where('heardMs', '<', heardMs - keptMs)
        .execute();
    });
    this.#alive = await this.alive(this.#database.read);
  }

  /** Those whose rows were renewed of late. */
  alive(db: Reader): Promise<ReplicaRow[]> {
    return db
      .selectFrom('replicas')
      .selectAll()
      .where('heardMs', '>', this.#clock.nowMs() - staleMs)
      .orderBy('id')
      .limit(aliveMax)
      .execute();
  }

  async leave(id: string): Promise<void> {
    await this.#database.write(({ db }) => db.deleteFrom('replicas').where('id', '=', id).execute());
  }
}

/** One that listens everywhere and does not say as what it is known can be called by nobody. */
function isReachable(address: string): boolean {
  return address !== '' && !/^https:\/\/(0\.0\.0\.0|\[::\])(:|$)|:0$/.test(address);
}
