import type { Clock } from '@lebureau/kit/clock';
import { Tries } from '../tries.ts';

/** How often a network, and of IPv6 a site, may do what costs something before anybody is known. */
export interface OauthTries {
  authorize: Tries;
  /** Of one network. */
  register: Tries;
  /** Of all together, asked after that. */
  registerOfAll: Tries;
  token: Tries;
}

export function oauthTries(clock: Clock): OauthTries {
  return {
    authorize: new Tries(clock, { burst: 30, everyMs: 2000, ofSites: true }),
    register: new Tries(clock, { burst: 10, everyMs: 60_000, ofSites: true }),
    // Fifty networks or thirteen sites at once, or sixty and fifteen that never stop, before it keeps others out. What
    // they leave behind is bounded by the API (`ofStrangersMax`): the newest are kept, so a client that registers now has
    // more than an hour to be allowed in.
    registerOfAll: new Tries(clock, { burst: 500, everyMs: 1000 }),
    token: new Tries(clock, { burst: 120, everyMs: 500 }),
  };
}
