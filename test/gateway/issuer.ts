import { createServer, type Server } from 'node:http';
import Provider from 'oidc-provider';
import { freePort } from '../freePort.ts';

export interface Account {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
}

export interface Issuer {
  url: string;
  clientId: string;
  clientSecret: string;
  close(): Promise<void>;
}

/** A real OpenID Connect issuer (oidc-provider) whose own sign-in page asks for a login name only. */
export async function startIssuer(redirectUri: string, accounts: readonly Account[]): Promise<Issuer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [clientId, clientSecret] = ['lebureau', 'a-secret-of-the-test-client'];
  const provider = new Provider(url, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    claims: { email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    cookies: { keys: ['only for a test'] },
    findAccount: (_context: unknown, id: string) => {
      const account = accounts.find(({ sub }) => sub === id);
      return account && { accountId: id, claims: () => ({ ...account }) };
    },
  } as never);
  const server: Server = createServer(provider.callback());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url,
    clientId,
    clientSecret,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
