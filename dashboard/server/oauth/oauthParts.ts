import type Provider from 'oidc-provider';
import { describeError } from '@lebureau/kit/fault';
import { noticeCookie, setCookie } from '../cookies.ts';
import type { GatewayParts } from '../gatewayParts.ts';
import { authorizationServer } from './authorizationServer.ts';
import { ClientDocuments } from './clientDocuments.ts';
import { fetchDocument } from './fetchDocument.ts';
import { OauthCalls } from './oauthCalls.ts';
import { type OauthTries, oauthTries } from './oauthTries.ts';

/** What the parts of the authorization server share. */
export interface OauthParts {
  gateway: GatewayParts;
  calls: OauthCalls;
  provider: Provider;
  /** URL of /mcp as clients know it. */
  resource: string;
  /** Where an authorization request ends that nobody is sent back for, and the cookie with what is said there. */
  refused: (detail: string) => Promise<{ location: string; cookie: string }>;
  tries: OauthTries;
}

export function oauthParts(gateway: GatewayParts): OauthParts {
  const { config, clock, log, notices } = gateway;
  const calls = new OauthCalls(gateway.ask);
  const resource = `${config.publicOrigin}/mcp`;
  const refused = async (detail: string) => ({
    location: '/app/authorize/refused',
    cookie: setCookie(noticeCookie, await notices.seal({ detail, hint: null }), notices.lifeSeconds),
  });
  const fetch = (url: string) => fetchDocument(url, { allowLoopback: config.clientMetadataLoopback, log });
  const documents = new ClientDocuments({ fetch, calls, clock, log });
  const provider = authorizationServer({
    origin: config.publicOrigin,
    resource,
    calls,
    clock,
    documents,
    refused,
    broke: (error) => log.error('authorization broke', { error: describeError(error) }),
  });
  return {
    gateway,
    calls,
    provider,
    resource,
    refused,
    tries: oauthTries(clock),
  };
}
