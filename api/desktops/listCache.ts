import type { Database } from '../db/database.ts';

export interface ListAnswer {
  bytes: Uint8Array<ArrayBuffer>;
  /** When a node would fall silent and change what the answer says. */
  goodUntilMs: number;
}

const keptMax = 200;

/**
 * Answers of lists, each good until anything at all was committed: whoever asks again for a list while nothing happens
 * costs next to nothing. Only where the database tells cheaply that nothing was.
 */
export class ListCache {
  readonly #database: Database;
  readonly #kept = new Map<string, ListAnswer & { mark: number }>();

  constructor(database: Database) {
    this.#database = database;
  }

  async answer(key: string, nowMs: number, make: () => Promise<ListAnswer>): Promise<Uint8Array<ArrayBuffer>> {
    // Taken before the rows are read: a commit in between makes the answer stale at once, never fresh for ever.
    const mark = this.#database.commitMark();
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.mark === mark && nowMs < kept.goodUntilMs) return kept.bytes;
    const made = await make();
    if (mark !== undefined) {
      if (this.#kept.size >= keptMax) this.#kept.clear();
      this.#kept.set(key, { ...made, mark });
    }
    return made.bytes;
  }
}
