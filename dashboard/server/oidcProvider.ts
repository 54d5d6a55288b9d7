import { Fault } from '@lebureau/kit/fault';
import { CodeChallengeMethod, OAuth2Client } from 'arctic';
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose';
import type { ProviderConfig } from './config.ts';
import { fetchJson } from './fetchJson.ts';
import type { Provider } from './provider.ts';
import { providerFault } from './providerFault.ts';
import type { Identity } from './signInCalls.ts';

/** What OpenID Connect Discovery 1.0 tells of an issuer. */
interface Discovery {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  jwks_uri: string;
  userinfo_endpoint?: string;
}

interface Known {
  discovery: Discovery;
  keys: ReturnType<typeof createRemoteJWKSet>;
}

const scopes = ['openid', 'email', 'profile'];
const clockSkewSeconds = 30;

/** Any OpenID Connect issuer: authorization code with PKCE (RFC 7636), state, nonce, and `iss` (RFC 9207) where it is sent. */
export function oidcProvider(config: ProviderConfig, redirectUri: string): Provider {
  const client = new OAuth2Client(config.clientId, config.clientSecret, redirectUri);
  let known: Promise<Known> | undefined;
  const discover = async (): Promise<Known> => {
    known ??= read(config.issuer);
    known.catch(() => (known = undefined));
    return known;
  };
  return {
    id: config.id,
    name: config.name,
    async authorize({ state, nonce, verifier }) {
      const { discovery } = await discover();
      const endpoint = discovery.authorization_endpoint;
      const url = client.createAuthorizationURLWithPKCE(endpoint, state, CodeChallengeMethod.S256, verifier, scopes);
      url.searchParams.set('nonce', nonce);
      return url;
    },
    async identify(callback, flow) {
      const { discovery, keys } = await discover();
      const iss = callback.searchParams.get('iss');
      if (iss !== null && iss !== discovery.issuer)
        throw new Fault('sign_in_refused', 'The answer came from another provider than was asked.');
      const code = codeOf(callback);
      const tokens = await client
        .validateAuthorizationCode(discovery.token_endpoint, code, flow.verifier)
        .catch((cause: unknown) => {
          throw providerFault(config.name, cause);
        });
      const { payload } = await jwtVerify(tokens.idToken(), keys, {
        issuer: discovery.issuer,
        audience: config.clientId,
        clockTolerance: clockSkewSeconds,
        requiredClaims: ['sub', 'exp', 'iat'],
      }).catch((cause: unknown) => {
        throw providerFault(config.name, cause);
      });
      if (payload['nonce'] !== flow.nonce)
        throw new Fault('sign_in_refused', 'The answer belongs to another attempt to sign in.');
      return identityOf(discovery.issuer, await withEmail(payload, discovery, tokens.accessToken()));
    },
  };
}

async function read(issuer: string): Promise<Known> {
  const discovery = await fetchJson<Discovery>(`${issuer}/.well-known/openid-configuration`);
  if (discovery.issuer.replace(/\/$/, '') !== issuer) throw new Error(`${issuer} says that it is ${discovery.issuer}`);
  return { discovery, keys: createRemoteJWKSet(new URL(discovery.jwks_uri)) };
}

function codeOf(callback: URL): string {
  const code = callback.searchParams.get('code');
  if (code !== null) return code;
  const denied = callback.searchParams.get('error') === 'access_denied';
  throw new Fault(
    'sign_in_refused',
    denied ? 'You did not agree at the provider.' : 'The provider did not say who you are.',
  );
}

/** Some issuers tell the address only when they are asked with the access token. */
async function withEmail(payload: JWTPayload, discovery: Discovery, accessToken: string): Promise<JWTPayload> {
  if (payload['email'] !== undefined || discovery.userinfo_endpoint === undefined) return payload;
  const told = await fetchJson<JWTPayload>(discovery.userinfo_endpoint, { authorization: `Bearer ${accessToken}` });
  // Who it is says the signed token alone.
  if (told.sub !== payload.sub) throw new Error('userinfo speaks of somebody else');
  return { ...told, ...payload };
}

function identityOf(issuer: string, claims: JWTPayload): Identity {
  const email = typeof claims['email'] === 'string' ? claims['email'] : null;
  const name = [claims['name'], claims['preferred_username'], email].find(
    (each) => typeof each === 'string' && each !== '',
  );
  return {
    issuer,
    subject: claims.sub!,
    name: String(name ?? 'Somebody').slice(0, 100),
    email,
    emailVerified: claims['email_verified'] === true || claims['email_verified'] === 'true',
  };
}
