import { Fault } from '@lebureau/kit/fault';
import type { Clock } from '@lebureau/kit/clock';
import type { Bucket } from './operation.ts';

/** Requests a minute for each bucket; 0 is unlimited. */
export type RateLimits = Readonly<Record<Bucket, number>>;

const windowSeconds = 60;
const rememberedMax = 20_000;

interface Tokens {
  left: number;
  atMs: number;
}

/** One token bucket for each key and bucket, in this process. */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Tokens>();

  constructor(limits: RateLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Takes one token. @returns the headers of the answer. @throws Fault `rate_limited` */
  take(keyId: string, bucket: Bucket): Record<string, string> {
    const quota = this.#limits[bucket];
    if (quota === 0) return {};
    const tokens = this.#refilled(`${bucket} ${keyId}`, quota);
    const allowed = tokens.left >= 1;
    if (allowed) tokens.left -= 1;
    const headers = {
      'RateLimit-Policy': `"${bucket}";q=${quota};w=${windowSeconds}`,
      RateLimit: `"${bucket}";r=${Math.floor(tokens.left)};t=${Math.ceil(((quota - tokens.left) * windowSeconds) / quota)}`,
    };
    if (allowed) return headers;
    const retryAfterSeconds = Math.max(1, Math.ceil(((1 - tokens.left) * windowSeconds) / quota));
    throw new RateLimited(`More than ${quota} ${bucket} requests a minute.`, { retryAfterSeconds, headers });
  }

  #refilled(name: string, quota: number): Tokens {
    const nowMs = this.#clock.monotonicMs();
    let tokens = this.#tokens.get(name);
    if (tokens === undefined) {
      if (this.#tokens.size >= rememberedMax) this.#forget(nowMs);
      tokens = { left: quota, atMs: nowMs };
      this.#tokens.set(name, tokens);
    }
    tokens.left = Math.min(quota, tokens.left + ((nowMs - tokens.atMs) * quota) / (windowSeconds * 1000));
    tokens.atMs = nowMs;
    return tokens;
  }

  /** Whoever was silent for a window has a full bucket again and need not be remembered. */
  #forget(nowMs: number): void {
    for (const [name, tokens] of this.#tokens)
      if (nowMs - tokens.atMs > windowSeconds * 1000) this.#tokens.delete(name);
    if (this.#tokens.size >= rememberedMax) this.#tokens.clear();
  }
}

export class RateLimited extends Fault {
  readonly headers: Record<string, string>;

  constructor(detail: string, options: { retryAfterSeconds: number; headers: Record<string, string> }) {
    super('rate_limited', detail, { retryAfterSeconds: options.retryAfterSeconds });
    this.headers = options.headers;
  }
}
