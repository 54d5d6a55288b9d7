import type { Clock } from '@lebureau/kit/clock';
import { Remembered } from '../remembered.ts';
import { hashOf } from '../sessions.ts';
import type { FoundGrant, OauthCalls } from './oauthCalls.ts';

/** Finds out what an access token allows. */
export class AccessTokens {
  readonly #calls: Pick<OauthCalls, 'access'>;
  readonly #resource: string;
  readonly #known: Remembered<FoundGrant | undefined>;

  /** @param resource the one that a token must be for */
  constructor(calls: Pick<OauthCalls, 'access'>, at: { clock: Clock; resource: string }) {
    this.#calls = calls;
    this.#known = new Remembered(at.clock);
    this.#resource = at.resource;
  }

  /** @returns undefined for one that is unknown, over, or for another audience. @throws Fault `unavailable` */
  async find(token: string): Promise<FoundGrant | undefined> {
    if (!/^[\w-]{43}$/.test(token)) return undefined;
    const found = await this.#known.get(hashOf(token), () => this.#calls.access(token));
    return found?.resource === this.#resource ? found : undefined;
  }
}
