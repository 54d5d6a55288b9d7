import { createHash, randomBytes } from 'node:crypto';
import {
  Client,
  type OAuthClientMetadata,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import type { Service } from '../system/product.ts';
import { asPage, type Visitor } from './browser.ts';

const rawName = 'Raw';
export const redirectUri = 'http://127.0.0.1:39017/callback';

/** What the official client keeps of its OAuth flow, in memory. */
export class MemoryProvider implements OAuthClientProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: OAuthClientMetadata;
  readonly clientMetadataUrl?: string;
  /** Where it would have sent the browser. */
  authorizationUrl: URL | undefined;
  kept: { client?: never; tokens?: { access_token: string; refresh_token?: string } } = {};
  #verifier = '';
  #found: OAuthDiscoveryState | undefined;

  constructor(options: { name?: string; clientMetadataUrl?: string; redirectUri?: string } = {}) {
    this.clientMetadata = { client_name: options.name ?? 'The official client', redirect_uris: [redirectUri] };
    // A program listens at whatever port is free, and says so when it asks (RFC 8252).
    this.redirectUrl = options.redirectUri ?? redirectUri;
    if (options.clientMetadataUrl !== undefined) this.clientMetadataUrl = options.clientMetadataUrl;
  }

  state() {
    return 'state-of-the-test';
  }
  clientInformation() {
    return this.kept.client;
  }
  saveClientInformation(client: unknown) {
    this.kept.client = client as never;
  }
  tokens() {
    return this.kept.tokens as never;
  }
  saveTokens(tokens: { access_token: string; refresh_token?: string }) {
    this.kept.tokens = tokens;
  }
  redirectToAuthorization(url: URL) {
    this.authorizationUrl = url;
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  saveDiscoveryState(found: OAuthDiscoveryState) {
    this.#found = found;
  }
  discoveryState() {
    return this.#found;
  }
  invalidateCredentials(what: string) {
    if (what === 'tokens' || what === 'all') delete this.kept.tokens;
    if (what === 'client' || what === 'all') delete this.kept.client;
  }
}

export function transportOf(service: Service, provider: MemoryProvider): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(new URL(`${service.publicUrl}/mcp`), { authProvider: provider });
}

export async function connected(service: Service, provider: MemoryProvider): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(transportOf(service, provider));
  return client;
}

let places = 0;
/** From an address of its own each time, where the gateway believes that: one does not use up what others may try. */
const fromSomewhere = () => {
  places += 1;
  return { 'x-forwarded-for': `198.18.${places >> 8}.${places & 255}` };
};

/** A client that was never written by anybody's library: it sends what it is told to. */
export class RawClient {
  readonly verifier = randomBytes(32).toString('base64url');
  readonly #service: Service;
  readonly clientId: string;

  constructor(service: Service, clientId: string) {
    this.#service = service;
    this.clientId = clientId;
  }

  static async register(service: Service, metadata: object = {}): Promise<RawClient> {
    const answer = await register(service, metadata);
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    return new RawClient(service, ((await answer.json()) as { client_id: string }).client_id);
  }

  authorizeUrl(changes: Record<string, string | undefined> = {}): string {
    const url = new URL(`${this.#service.publicUrl}/oauth/authorize`);
    const all: Record<string, string | undefined> = {
      client_id: this.clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      scope: 'desktop:read',
      resource: `${this.#service.publicUrl}/mcp`,
      state: 'raw',
      ...changes,
    };
    for (const [name, value] of Object.entries(all)) if (value !== undefined) url.searchParams.set(name, value);
    return url.href;
  }

  /** As a browser goes there. */
  begin(changes: Record<string, string | undefined> = {}): Promise<Response> {
    return fetch(this.authorizeUrl(changes), { headers: fromSomewhere(), redirect: 'manual' });
  }

  /** As a browser goes on with a request that was answered. */
  resume(uid: string, cookie: string): Promise<Response> {
    const headers = { cookie, ...fromSomewhere() };
    return fetch(`${this.#service.publicUrl}/oauth/authorize/${uid}`, { headers, redirect: 'manual' });
  }

  /** Through everything, with a person that allows `allow`. @returns where the browser was sent back to */
  async allowedBy(visitor: Visitor, allow: string[], changes: Record<string, string> = {}): Promise<URL> {
    const asked = await askedOf(await this.begin(changes));
    const decided = await asked.decide(this.#service, visitor, { allow });
    if (!decided.ok) throw new Error(`${decided.status} ${await decided.text()}`);
    const { continueTo } = (await decided.json()) as { continueTo: string };
    const back = await this.resume(continueTo.split('/').at(-1)!, `${visitor.cookie}; ${asked.cookie}`);
    return new URL(back.headers.get('location')!);
  }

  token(parameters: Record<string, string>): Promise<Response> {
    return fetch(`${this.#service.publicUrl}/oauth/token`, {
      method: 'POST',
      headers: fromSomewhere(),
      body: new URLSearchParams({ client_id: this.clientId, ...parameters }),
    });
  }

  exchange(code: string, changes: Record<string, string> = {}): Promise<Response> {
    return this.token({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: this.verifier,
      ...changes,
    });
  }

  refresh(token: string, changes: Record<string, string> = {}): Promise<Response> {
    return this.token({ grant_type: 'refresh_token', refresh_token: token, ...changes });
  }

  async tokensFor(visitor: Visitor, allow = ['desktop:read']): Promise<Tokens> {
    const back = await this.allowedBy(visitor, allow, { scope: allow.join(' ') });
    return (await (await this.exchange(back.searchParams.get('code')!)).json()) as Tokens;
  }
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  scope: string;
}

export function register(service: Service, metadata: object = {}, headers: Record<string, string> = {}) {
  return fetch(`${service.publicUrl}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...fromSomewhere(), ...headers },
    body: JSON.stringify({ client_name: rawName, redirect_uris: [redirectUri], ...metadata }),
  });
}

/** The request that waits for the person, and the cookies that bind it to the browser. */
export async function askedOf(response: Response) {
  const location = response.headers.get('location') ?? '';
  const uid = /\/gateway\/authorization\/([\w-]{43})$/.exec(location)?.[1];
  if (response.status !== 303 || uid === undefined)
    throw new Error(`${response.status} ${location} ${await response.text()}`);
  const cookie = response.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  return {
    uid,
    cookie,
    setCookies: response.headers.getSetCookie(),
    decide: (service: Service, visitor: Visitor, said: { allow: string[]; name?: string }) =>
      asPage(
        service,
        { ...visitor, cookie: `${visitor.cookie}; ${cookie}` },
        { method: 'POST', path: `/gateway/authorization/${uid}/decision`, body: { name: rawName, ...said } },
      ),
  };
}

/** A bare request to /mcp with an access token. */
export function askMcp(service: Service, token: string | undefined, signal?: AbortSignal): Promise<Response> {
  return fetch(`${service.publicUrl}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
    }),
    signal,
  });
}
