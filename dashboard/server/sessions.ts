import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { readCookie, sessionCookie } from './cookies.ts';
import { Remembered } from './remembered.ts';
import type { Found, SignInCalls } from './signInCalls.ts';

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
  readonly #known: Remembered<Found | undefined>;

  constructor(calls: SignInCalls, clock: Clock) {
    this.#calls = calls;
    this.#known = new Remembered(clock);
  }

  /** @throws Fault `unavailable` while the API cannot be asked */
  async of(request: Request): Promise<SignedIn | undefined> {
    const secret = readCookie(request, sessionCookie);
    if (secret === undefined || !/^lbs_[\w-]{43}$/.test(secret)) return undefined;
    const hash = hashOf(secret);
    const found = await this.#known.get(hash, () => this.#calls.find(hash));
    return found && { ...found, csrfToken: csrfTokenOf(secret) };
  }

  forget(request: Request): void {
    const secret = readCookie(request, sessionCookie);
    if (secret !== undefined) this.#known.forget(hashOf(secret));
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
