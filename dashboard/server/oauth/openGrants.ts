import { describeError } from '@lebureau/kit/fault';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import type { OauthCalls } from './oauthCalls.ts';

/** With the time of one look it stays below the two seconds within which a call ends after its grant did. */
const lookEveryMs = 900;
const grantsAtOnce = 500;
const doubtMaxMs = 10_000;

/** The calls of clients that run. While there is one, every second those are cut whose grant has ended. */
export class OpenGrants {
  readonly #parts: { calls: Pick<OauthCalls, 'good'>; clock: Clock; log: Log };
  readonly #open = new Map<string, Set<AbortController>>();
  #looking = false;

  constructor(parts: { calls: Pick<OauthCalls, 'good'>; clock: Clock; log: Log }) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#open.size;
  }

  /** `signal` aborts when the grant ends; `left` says that the call is over. */
  enter(grantId: string): { signal: AbortSignal; left: () => void } {
    const cut = new AbortController();
    const calls = this.#open.get(grantId) ?? new Set();
    this.#open.set(grantId, calls.add(cut));
    this.#follow();
    return {
      signal: cut.signal,
      left: () => {
        calls.delete(cut);
        if (calls.size === 0 && this.#open.get(grantId) === calls) this.#open.delete(grantId);
      },
    };
  }

  #follow(): void {
    if (this.#looking || this.#open.size === 0) return;
    this.#looking = true;
    void this.#look().finally(() => {
      this.#looking = false;
      // One may have come in the moment after the last look.
      this.#follow();
    });
  }

  async #look(): Promise<void> {
    const { clock, calls, log } = this.#parts;
    let knownMs = clock.monotonicMs();
    while (this.#open.size > 0) {
      await clock.sleep(lookEveryMs);
      try {
        const ids = [...this.#open.keys()];
        for (let at = 0; at < ids.length; at += grantsAtOnce) {
          const asked = ids.slice(at, at + grantsAtOnce);
          const good = await calls.good(asked);
          for (const id of asked) if (!good.has(id)) this.#cut(id);
        }
        knownMs = clock.monotonicMs();
      } catch (error) {
        log.warn('grants not looked at', { error: describeError(error) });
        // Whether they may go on cannot be known; for a moment they do, and no longer.
        if (clock.monotonicMs() - knownMs > doubtMaxMs) for (const id of [...this.#open.keys()]) this.#cut(id);
      }
    }
  }

  #cut(grantId: string): void {
    for (const call of this.#open.get(grantId) ?? []) call.abort(new Error('the grant has ended'));
    this.#open.delete(grantId);
  }
}
