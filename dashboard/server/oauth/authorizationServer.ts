import { generateKeyPairSync } from 'node:crypto';
import { newId } from '@lebureau/kit/id';
import type { Clock } from '@lebureau/kit/clock';
import Provider, { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { ClientDocuments } from './clientDocuments.ts';
import type { OauthCalls } from './oauthCalls.ts';
import { recordAdapters } from './recordAdapter.ts';
import { scopes } from './scopes.ts';

export interface AuthorizationServerOptions {
  origin: string;
  /** URL of /mcp: the only audience that there is. */
  resource: string;
  calls: OauthCalls;
  clock: Clock;
  /** Those that client_ids name, cleaned. */
  documents: Pick<ClientDocuments, 'get' | 'ofKnown'>;
  /** Where an authorization request ends that cannot be sent back to its client. */
  refused: (detail: string) => Promise<{ location: string; cookie: string }>;
  /** What broke on our side. */
  broke: (error: unknown) => void;
}

export const paths = {
  authorize: '/oauth/authorize',
  token: '/oauth/token',
  register: '/oauth/register',
  revoke: '/oauth/revoke',
  /** The page that asks, below which its cookie is sent. */
  ask: '/gateway/authorization',
} as const;

const accessSeconds = 3600;
const refreshSeconds = 30 * 86_400;
const requestSeconds = 600;

/**
 * The OAuth 2.1 authorization server for /mcp: `oidc-provider` without OpenID Connect. It keeps nothing but rows of the
 * API, knows public clients with PKCE (S256) only, one resource, and asks the person at every authorization.
 */
export function authorizationServer(options: AuthorizationServerOptions): Provider {
  const provider = new Provider(options.origin, configuration(options));
  // The bridge says which scheme it is, and nothing of what a client sends.
  provider.proxy = true;
  provider.on('server_error', (_context, error) => options.broke(error));
  return provider;
}

function configuration(options: AuthorizationServerOptions): Configuration {
  const cookie = { httpOnly: true, sameSite: 'lax', signed: false, overwrite: true } as const;
  return {
    adapter: recordAdapters(options.calls, options.documents),
    clientDefaults: { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256' },
    clientAuthMethods: ['none'],
    responseTypes: ['code'],
    scopes: [],
    claims: {},
    // It signs nothing, and wants to have a key.
    jwks: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as never] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    pkce: { required: () => true },
    // `Secure` is added on the way out: the library knows of no browser that takes it from localhost.
    cookies: {
      names: { interaction: '__Secure-lb_ask', resume: '__Secure-lb_resume', session: '__Secure-lb_unused' },
      short: cookie,
      long: cookie,
    },
    routes: {
      authorization: paths.authorize,
      token: paths.token,
      registration: paths.register,
      revocation: paths.revoke,
    },
    ttl: {
      AccessToken: accessSeconds,
      AuthorizationCode: 60,
      Grant: refreshSeconds,
      Interaction: requestSeconds,
      RefreshToken: refreshSeconds,
      Session: requestSeconds,
    },
    features: features(options),
    interactions: { url: (_context, { uid }) => `${paths.ask}/${uid}`, policy: [alwaysAsk] as never },
    expiresWithSession: () => false,
    issueRefreshToken: async () => true,
    rotateRefreshToken: () => true,
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    renderError: (context, out, error) => renderError(options, context, { out, error }),
    fetch: (url: string | URL | Request) => options.documents.get(String(url)),
    fetchResponseBodyLimits: { 'client_id metadata document': 16_384 },
  } as Configuration;
}

function features({ resource, clock }: AuthorizationServerOptions): object {
  return {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    revocation: { enabled: true },
    registration: {
      enabled: true,
      issueRegistrationAccessToken: false,
      idFactory: () => newId('cli', clock.nowMs()),
    },
    clientIdMetadataDocument: {
      enabled: true,
      ack: 'draft-02',
      cacheDuration: { min: 60, max: 3600 },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo(_context: unknown, asked: string) {
        if (asked !== resource) throw new errors.InvalidTarget('tokens are given for the MCP server only');
        return {
          scope: scopes.join(' '),
          audience: resource,
          accessTokenFormat: 'opaque',
          accessTokenTTL: accessSeconds,
        };
      },
    },
  };
}

/** Somebody must say yes each time: there is no session here that could say it for them. */
const alwaysAsk = {
  name: 'consent',
  requestable: true,
  details: () => ({}),
  checks: [
    {
      reason: 'ask',
      description: 'the person must be asked',
      error: 'interaction_required',
      details: () => ({}),
      check: ({ oidc }: KoaContextWithOIDC) => oidc.result?.consent === undefined,
    },
  ],
};

/** Of an authorization request whose client or redirect URI is not good: nobody is sent anywhere but to a page of ours. */
async function renderError(
  { refused }: AuthorizationServerOptions,
  context: KoaContextWithOIDC,
  { out, error }: { out: { error: string; error_description?: string }; error: Error },
): Promise<void> {
  if (context.path !== paths.authorize && !context.path.startsWith(`${paths.authorize}/`)) {
    context.type = 'json';
    context.body = out;
    return;
  }
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  const detail = out.error === 'server_error' ? 'Something broke on our side. Try again.' : reasonOf(out) + cause;
  const { location, cookie } = await refused(detail);
  context.status = 303;
  context.set('Location', location);
  context.append('Set-Cookie', cookie);
  context.body = '';
}

function reasonOf({ error, error_description: description }: { error: string; error_description?: string }): string {
  return description ?? error;
}
