import type { Clock } from '@lebureau/kit/clock';
import { networkOf } from './networkOf.ts';

const addressesMax = 50_000;

/** How often an address may try to sign in: `burst` at once, then one every `everyMs`. */
export class Tries {
  readonly #clock: Clock;
  readonly #limit: { burst: number; everyMs: number };
  readonly #spent = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock, limit: { burst: number; everyMs: number }) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** Counts one try. @returns 0 when it may go on, else the seconds to wait */
  take(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const { burst, everyMs } = this.#limit;
    const name = networkOf(address);
    const known = this.#spent.get(name);
    const tokens = Math.min(burst, (known?.tokens ?? burst) + (nowMs - (known?.atMs ?? nowMs)) / everyMs);
    this.#forgetFull(nowMs);
    const left = tokens >= 1 ? tokens - 1 : tokens;
    this.#spent.set(name, { tokens: left, atMs: nowMs });
    return tokens >= 1 ? 0 : Math.max(1, Math.ceil(((1 - tokens) * everyMs) / 1000));
  }

  #forgetFull(nowMs: number): void {
    if (this.#spent.size < addressesMax) return;
    const { burst, everyMs } = this.#limit;
    for (const [name, { tokens, atMs }] of this.#spent)
      if (tokens + (nowMs - atMs) / everyMs >= burst) this.#spent.delete(name);
    // An attack from so many networks at once: everybody begins anew.
    if (this.#spent.size >= addressesMax) this.#spent.clear();
  }
}
