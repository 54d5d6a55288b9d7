import type { Clock } from '@lebureau/kit/clock';
import { hashOf } from './sessions.ts';

const askLimitMs = 5_000;
const knownMs = 60_000;
const knownMax = 10_000;

/**
 * Which API keys the API takes. Whoever only writes something that looks like one holds no connection for longer than the
 * listener leaves it idle. What a request may do is decided by the API at each, so an answer may be a minute old.
 */
export class AcceptedKeys {
  readonly #parts: { apiUrl: string; clock: Clock };
  /** By the hash of what was sent. */
  readonly #untilMs = new Map<string, number>();

  constructor(parts: { apiUrl: string; clock: Clock }) {
    this.#parts = parts;
  }

  /** @param authorization as it was sent. @returns false, too, while the API cannot be asked */
  async has(authorization: string): Promise<boolean> {
    const { apiUrl, clock } = this.#parts;
    const hash = hashOf(authorization);
    if ((this.#untilMs.get(hash) ?? 0) > clock.monotonicMs()) return true;
    const isGood = await fetch(`${apiUrl}/v1/me`, {
      headers: { authorization },
      redirect: 'error',
      signal: AbortSignal.timeout(askLimitMs),
    }).then(
      // Who asks too often is somebody whom the API knows.
      ({ ok, status }) => ok || status === 429,
      () => false,
    );
    this.#untilMs.delete(hash);
    if (!isGood) return false;
    if (this.#untilMs.size >= knownMax) this.#untilMs.clear();
    this.#untilMs.set(hash, clock.monotonicMs() + knownMs);
    return true;
  }
}
