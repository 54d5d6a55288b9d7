import { Fault } from '@lebureau/kit/fault';
import { CodeChallengeMethod, OAuth2Client } from 'arctic';
import type { ProviderConfig } from './config.ts';
import { fetchJson } from './fetchJson.ts';
import type { Provider } from './provider.ts';
import { providerFault } from './providerFault.ts';

interface GitHubUser {
  id: number;
  login: string;
  name: string | null;
}

interface GitHubEmail {
  email: string;
  primary: boolean;
  verified: boolean;
}

const scopes = ['read:user', 'user:email'];

/** GitHub, or GitHub Enterprise: OAuth with PKCE; who it is says its REST API (`/user`, `/user/emails`). */
export function githubProvider(config: ProviderConfig, redirectUri: string): Provider {
  const client = new OAuth2Client(config.clientId, config.clientSecret, redirectUri);
  const api = config.issuer === 'https://github.com' ? 'https://api.github.com' : `${config.issuer}/api/v3`;
  return {
    id: config.id,
    name: config.name,
    authorize: ({ state, verifier }) => {
      const endpoint = `${config.issuer}/login/oauth/authorize`;
      return Promise.resolve(
        client.createAuthorizationURLWithPKCE(endpoint, state, CodeChallengeMethod.S256, verifier, scopes),
      );
    },
    async identify(callback, flow) {
      const code = callback.searchParams.get('code');
      if (code === null) throw new Fault('sign_in_refused', 'You did not agree at GitHub.');
      try {
        const endpoint = `${config.issuer}/login/oauth/access_token`;
        const tokens = await client.validateAuthorizationCode(endpoint, code, flow.verifier);
        const headers = { authorization: `Bearer ${tokens.accessToken()}` };
        const user = await fetchJson<GitHubUser>(`${api}/user`, headers);
        const emails = await fetchJson<GitHubEmail[]>(`${api}/user/emails`, headers);
        const primary = emails.find((each) => each.primary && each.verified) ?? emails.find((each) => each.verified);
        return {
          issuer: config.issuer,
          subject: String(user.id),
          name: (user.name ?? user.login).slice(0, 100),
          email: primary?.email ?? null,
          emailVerified: primary !== undefined,
        };
      } catch (cause) {
        throw providerFault(config.name, cause);
      }
    },
  };
}
