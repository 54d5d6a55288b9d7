import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { AcceptedKeys } from './acceptedKeys.ts';
import { type AskApi, askApi } from './askApi.ts';
import { Assertions } from './assertions.ts';
import { ClientAddress } from './clientAddress.ts';
import type { GatewayConfig } from './config.ts';
import type { Flow } from './flow.ts';
import { Places } from './preview/place.ts';
import { previewDomainOf } from './preview/previewDomain.ts';
import type { EntryCode } from './preview/previewEntry.ts';
import type { Grant } from './preview/previewWays.ts';
import { githubProvider } from './githubProvider.ts';
import { oidcProvider } from './oidcProvider.ts';
import type { Provider } from './provider.ts';
import { Sealed } from './sealed.ts';
import { Sessions } from './sessions.ts';
import { SignInCalls } from './signInCalls.ts';
import { Tries } from './tries.ts';

/** Said once, after a sign-in that failed. */
export interface Notice {
  detail: string;
  hint: string | null;
}

/** What the parts of the gateway share. */
export interface GatewayParts {
  config: GatewayConfig;
  assertions: Assertions;
  /** What only the gateway may ask. */
  ask: AskApi;
  calls: SignInCalls;
  keys: AcceptedKeys;
  sessions: Sessions;
  providers: readonly Provider[];
  flows: Sealed<Flow>;
  notices: Sealed<Notice>;
  /** What cookies of previews say. */
  grants: Sealed<Grant>;
  /** What a browser brings to a preview from the dashboard. */
  entryCodes: Sealed<EntryCode>;
  /** Undefined where previews are off. */
  places: Places | undefined;
  tries: Tries;
  addresses: ClientAddress;
  clock: Clock;
  log: Log;
}

/** Ten tries at once, then one every six seconds. */
const triesLimit = { burst: 10, everyMs: 6_000 };

export function gatewayParts(config: GatewayConfig, at: { clock: Clock; log: Log }): GatewayParts {
  const { clock, log } = at;
  const previewDomain = previewDomainOf(config);
  const assertions = new Assertions(config.privateKey, clock);
  const ask = askApi(config.apiUrl, assertions);
  const calls = new SignInCalls(ask);
  const providers = config.providers.map((each) => {
    const redirectUri = `${config.publicOrigin}/gateway/callback/${each.id}`;
    return each.kind === 'github' ? githubProvider(each, redirectUri) : oidcProvider(each, redirectUri);
  });
  return {
    config,
    assertions,
    ask,
    calls,
    keys: new AcceptedKeys({ apiUrl: config.apiUrl, clock }),
    sessions: new Sessions(calls, clock),
    providers,
    flows: new Sealed(assertions.derived('flow'), { clock, lifeSeconds: 600 }),
    notices: new Sealed(assertions.derived('notice'), { clock, lifeSeconds: 60 }),
    grants: new Sealed(assertions.derived('preview'), { clock, lifeSeconds: 12 * 3600 }),
    entryCodes: new Sealed(assertions.derived('preview entry'), { clock, lifeSeconds: 30 }),
    places: previewDomain === undefined ? undefined : new Places(previewDomain, config.publicOrigin),
    tries: new Tries(clock, triesLimit),
    addresses: new ClientAddress(config.trustedProxies),
    clock,
    log,
  };
}
