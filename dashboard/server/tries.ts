import type { Clock } from '@lebureau/kit/clock';
import { networkOf, networksOfSite, siteOf } from './networkOf.ts';

const namesMax = 50_000;

export interface TriesLimit {
  /** So many at once … */
  burst: number;
  /** … and then one in so long. */
  everyMs: number;
  /** Also all of a /48 together may do no more than a few networks: where many networks take what is there for all. */
  ofSites?: boolean;
}

/** What may be done at once now, and what at most. */
interface Bucket {
  name: string;
  tokens: number;
  times: number;
}

/** How often an address may try something. */
export class Tries {
  readonly #clock: Clock;
  readonly #limit: TriesLimit;
  readonly #spent = new Map<string, { tokens: number; times: number; atMs: number }>();

  constructor(clock: Clock, limit: TriesLimit) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** Counts one try. @returns 0 when it may go on, else the seconds to wait */
  take(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const buckets = [this.#bucket(networkOf(address), 1, nowMs)];
    const site = this.#limit.ofSites === true ? siteOf(address) : undefined;
    if (site !== undefined) buckets.push(this.#bucket(site, networksOfSite, nowMs));
    const waits = buckets.map(({ tokens, times }) => (tokens >= 1 ? 0 : ((1 - tokens) * this.#limit.everyMs) / times));
    const waitMs = Math.max(...waits);
    // What is refused costs nothing, and leaves nothing behind.
    if (waitMs > 0) return Math.max(1, Math.ceil(waitMs / 1000));
    this.#forgetFull(nowMs);
    for (const { name, tokens, times } of buckets) this.#spent.set(name, { tokens: tokens - 1, times, atMs: nowMs });
    return 0;
  }

  #bucket(name: string, times: number, nowMs: number): Bucket {
    const { burst, everyMs } = this.#limit;
    const known = this.#spent.get(name);
    if (known === undefined) return { name, tokens: burst * times, times };
    const tokens = Math.min(burst * times, known.tokens + ((nowMs - known.atMs) * times) / everyMs);
    return { name, tokens, times };
  }

  #forgetFull(nowMs: number): void {
    if (this.#spent.size < namesMax) return;
    const { burst, everyMs } = this.#limit;
    for (const [name, { tokens, times, atMs }] of this.#spent)
      if (tokens + ((nowMs - atMs) * times) / everyMs >= burst * times) this.#spent.delete(name);
    // An attack from so many networks at once: everybody begins anew.
    if (this.#spent.size >= namesMax) this.#spent.clear();
  }
}
