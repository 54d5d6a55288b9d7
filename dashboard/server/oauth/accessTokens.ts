import type { Clock } from '@lebureau/kit/clock';
import { hashOf } from '../sessions.ts';
import type { FoundGrant, OauthCalls } from './oauthCalls.ts';

/** A token that ended stops here within this time. */
const cacheMs = 900;
const cachedMax = 10_000;

/** Finds out what an access token allows. */
export class AccessTokens {
  readonly #calls: Pick<OauthCalls, 'access'>;
  readonly #clock: Clock;
  readonly #resource: string;
  readonly #cache = new Map<string, { found: FoundGrant | undefined; untilMs: number }>();

  /** @param resource the one that a token must be for */
  constructor(calls: Pick<OauthCalls, 'access'>, at: { clock: Clock; resource: string }) {
    this.#calls = calls;
    this.#clock = at.clock;
    this.#resource = at.resource;
  }

  /** @returns undefined for one that is unknown, over, or for another audience. @throws Fault `unavailable` */
  async find(token: string): Promise<FoundGrant | undefined> {
    if (!/^[\w-]{43}$/.test(token)) return undefined;
    const found = await this.#find(token);
    return found?.resource === this.#resource ? found : undefined;
  }

  async #find(token: string): Promise<FoundGrant | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const name = hashOf(token);
    const cached = this.#cache.get(name);
    if (cached !== undefined && cached.untilMs > nowMs) return cached.found;
    const found = await this.#calls.access(token);
    if (this.#cache.size >= cachedMax) this.#cache.clear();
    this.#cache.set(name, { found, untilMs: nowMs + cacheMs });
    return found;
  }
}
