import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { readCookie, sessionCookie } from './cookies.ts';
import type { Found, SignInCalls } from './signInCalls.ts';

/** A session that ended stops here within this time. */
const cacheMs = 900;
const cachedMax = 10_000;

/** Somebody who is signed in, as their cookie says and the API confirmed. */
export interface SignedIn extends Found {
  csrfToken: string;
}

export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Finds out whose cookie it is. */
export class Sessions {
  readonly #calls: SignInCalls;
  readonly #clock: Clock;
  readonly #cache = new Map<string, { found: Found | undefined; untilMs: number }>();

  constructor(calls: SignInCalls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** @throws Fault `unavailable` while the API cannot be asked */
  async of(request: Request): Promise<SignedIn | undefined> {
    const secret = readCookie(request, sessionCookie);
    if (secret === undefined || !/^lbs_[\w-]{43}$/.test(secret)) return undefined;
    const hash = hashOf(secret);
    const found = await this.#find(hash);
    return found && { ...found, csrfToken: csrfTokenOf(secret) };
  }

  forget(request: Request): void {
    const secret = readCookie(request, sessionCookie);
    if (secret !== undefined) this.#cache.delete(hashOf(secret));
  }

  async #find(hash: string): Promise<Found | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const cached = this.#cache.get(hash);
    if (cached !== undefined && cached.untilMs > nowMs) return cached.found;
    const found = await this.#calls.find(hash);
    if (this.#cache.size >= cachedMax) this.#cache.clear();
    this.#cache.set(hash, { found, untilMs: nowMs + cacheMs });
    return found;
  }
}

/** Follows from the session, so that nothing needs to be kept; who can read it can read our pages. */
function csrfTokenOf(secret: string): string {
  return createHmac('sha256', secret).update('csrf').digest('base64url');
}

export function isCsrfToken(given: string | null, wanted: string): boolean {
  if (given === null) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
