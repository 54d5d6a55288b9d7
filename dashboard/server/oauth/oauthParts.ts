import type Provider from 'oidc-provider';
import { describeError } from '@lebureau/kit/fault';
import { noticeCookie, setCookie } from '../cookies.ts';
import type { GatewayParts } from '../gatewayParts.ts';
import { Tries } from '../tries.ts';
import { authorizationServer } from './authorizationServer.ts';
import { fetchDocument } from './fetchDocument.ts';
import { OauthCalls } from './oauthCalls.ts';

/** What the parts of the authorization server share. */
export interface OauthParts {
  gateway: GatewayParts;
  calls: OauthCalls;
  provider: Provider;
  /** URL of /mcp as clients know it. */
  resource: string;
  /** Where an authorization request ends that nobody is sent back for, and the cookie with what is said there. */
  refused: (detail: string) => Promise<{ location: string; cookie: string }>;
  /** How often an address may do what costs something before anybody is known. */
  tries: { authorize: Tries; register: Tries; registerOfAll: Tries; token: Tries };
}

export function oauthParts(gateway: GatewayParts): OauthParts {
  const { config, clock, log, notices } = gateway;
  const calls = new OauthCalls(gateway.ask);
  const resource = `${config.publicOrigin}/mcp`;
  const refused = async (detail: string) => ({
    location: '/app/authorize/refused',
    cookie: setCookie(noticeCookie, await notices.seal({ detail, hint: null }), notices.lifeSeconds),
  });
  const provider = authorizationServer({
    origin: config.publicOrigin,
    resource,
    calls,
    clock,
    fetchDocument: (url) => fetchDocument(url, { allowLoopback: config.clientMetadataLoopback, log }),
    refused,
    broke: (error) => log.error('authorization broke', { error: describeError(error) }),
  });
  return {
    gateway,
    calls,
    provider,
    resource,
    refused,
    tries: {
      authorize: new Tries(clock, { burst: 30, everyMs: 2000 }),
      register: new Tries(clock, { burst: 10, everyMs: 60_000 }),
      // What strangers leave behind in a day is bounded, however many addresses they have.
      registerOfAll: new Tries(clock, { burst: 200, everyMs: 5000 }),
      token: new Tries(clock, { burst: 120, everyMs: 500 }),
    },
  };
}
