import type { GatewayParts } from '../gatewayParts.ts';
import { problem } from '../problem.ts';
import type { Tries } from '../tries.ts';
import type { Visit } from '../visit.ts';
import { asker } from './asker.ts';
import { paths } from './authorizationServer.ts';
import { clientMetadataOf } from './clientMetadata.ts';
import { answerRequest, decide } from './consent.ts';
import { mayResume } from './mayResume.ts';
import { McpDoor } from './mcpDoor.ts';
import { protectedResource, serverMetadata } from './metadata.ts';
import { bridge, type BridgedRequest } from './nodeBridge.ts';
import { type OauthParts, oauthParts } from './oauthParts.ts';
import { reasonSentAway } from './reasonSentAway.ts';
import { scopesOf } from './scopes.ts';

const bodyBytesMax = 16_384;
/** An open request is a row for ten minutes, and anybody can begin one. */
const queryCharsMax = 4096;
const charsMax = { client_id: 500, state: 1024 };
const taken = [
  'client_id',
  'redirect_uri',
  'response_type',
  'code_challenge',
  'code_challenge_method',
  'state',
  'resource',
];

/** The authorization server's part of the gateway: its endpoints, its metadata, and what its page asks for. */
export class OauthDoor {
  readonly mcp: McpDoor;
  readonly #parts: OauthParts;
  readonly #serve: ReturnType<OauthParts['provider']['callback']>;

  constructor(gateway: GatewayParts) {
    this.#parts = oauthParts(gateway);
    this.#serve = this.#parts.provider.callback();
    this.mcp = new McpDoor(this.#parts);
  }

  /** @returns undefined for what is none of it */
  answer(visit: Visit): Promise<Response | undefined> {
    const mayTakeKept = visit.url.pathname === paths.token || visit.url.pathname === paths.revoke;
    return asker.run({ network: visit.ipAddress, mayTakeKept }, () => this.#answer(visit));
  }

  async #answer(visit: Visit): Promise<Response | undefined> {
    const { request, url } = visit;
    const { tries } = this.#parts;
    const { pathname } = url;
    if (pathname.startsWith('/.well-known/oauth-')) return this.#wellKnown(request, pathname);
    const [, uid, what] = /^\/gateway\/authorization\/([\w-]{43})(?:\/(request|decision))?$/.exec(pathname) ?? [];
    if (uid !== undefined) return this.#ofPage(visit, uid, what);
    if (!pathname.startsWith('/oauth/')) return undefined;
    const [, resumed] = /^\/oauth\/authorize\/([\w-]{43})$/.exec(pathname) ?? [];
    switch (`${request.method} ${resumed === undefined ? pathname : paths.authorize}`) {
      case `GET ${paths.authorize}`:
        return (
          limited(tries.authorize, visit.ipAddress) ??
          (resumed === undefined ? this.#authorize(visit) : this.#resume(visit, resumed))
        );
      case `POST ${paths.token}`:
      case `POST ${paths.revoke}`:
        return limited(tries.token, visit.ipAddress) ?? this.#post(request, pathname);
      case `POST ${paths.register}`:
        return (
          limited(tries.register, visit.ipAddress) ?? limited(tries.registerOfAll, 'all') ?? this.#register(request)
        );
      default:
        return problem(404, 'not_found', `There is no ${request.method} ${pathname}.`);
    }
  }

  #wellKnown(request: Request, pathname: string): Response | undefined {
    const what = pathname.slice('/.well-known/'.length);
    if (!/^oauth-(?:authorization-server|protected-resource(?:\/mcp)?)$/.test(what)) return undefined;
    // Nothing here is anybody's: pages of other origins may read it, as clients in browsers do.
    const headers = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Headers': '*',
      'Cache-Control': 'max-age=300',
    };
    if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers });
    const isServer = what === 'oauth-authorization-server';
    const body = isServer ? serverMetadata(this.#parts) : protectedResource(this.#parts);
    return Response.json(body, { headers });
  }

  #ofPage(visit: Visit, uid: string, what: string | undefined): Promise<Response> | Response {
    const route = `${visit.request.method} ${what ?? ''}`;
    // Its cookie is sent below this path only; the page itself is one of the app.
    if (route === 'GET ')
      return Response.redirect(`${this.#parts.gateway.config.publicOrigin}/app/authorize/${uid}`, 303);
    if (route === 'GET request') return answerRequest(visit, this.#parts, uid);
    if (route === 'POST decision') return decide(visit, this.#parts, uid);
    return problem(405, 'method_not_allowed', 'That is not how it is asked for.');
  }

  /** Nobody was asked yet, and whoever registers says where it leads: no one is sent there, also not with an error. */
  async #authorize({ request, url }: Visit): Promise<Response> {
    const tooLong = tooLongIn(url);
    if (tooLong !== undefined) return this.#refuse(`${tooLong} is too long.`);
    const query = new URLSearchParams();
    for (const name of taken) for (const value of url.searchParams.getAll(name)) query.append(name, value);
    if (url.searchParams.get('prompt') === 'none') query.set('prompt', 'none');
    query.set('scope', scopesOf(url.searchParams.get('scope') ?? '').join(' '));
    const answer = await this.#ask(asBrowser(request, `${url.pathname}?${query.toString()}`));
    const reason = reasonSentAway(answer.headers.get('location'), this.#parts.gateway.config.publicOrigin);
    return reason === undefined ? answer : this.#refuse(reason);
  }

  /** Somebody was asked: the client gets what they said. */
  async #resume(visit: Visit, uid: string): Promise<Response> {
    if (await mayResume(visit, this.#parts, uid)) return this.#ask(asBrowser(visit.request, visit.url.pathname));
    return this.#refuse('This was not answered in this browser by who is signed in here. Connect again.');
  }

  /** Nobody is sent anywhere but to a page of ours. */
  async #refuse(detail: string): Promise<Response> {
    const { location, cookie } = await this.#parts.refused(detail);
    const headers = { Location: location, 'Set-Cookie': cookie, 'Cache-Control': 'no-store' };
    return new Response(null, { status: 303, headers });
  }

  async #post(request: Request, target: string): Promise<Response> {
    const body = withoutScope(await bodyOf(request));
    if (body === undefined) return tooLarge();
    const headers = { accept: 'application/json', 'content-type': request.headers.get('content-type') ?? '' };
    return this.#ask({ method: 'POST', target, headers, body });
  }

  async #register(request: Request): Promise<Response> {
    const text = await bodyOf(request);
    if (text === undefined) return tooLarge();
    try {
      const body = JSON.stringify(clientMetadataOf(JSON.parse(text)));
      const headers = { accept: 'application/json', 'content-type': 'application/json' };
      return await this.#ask({ method: 'POST', target: paths.register, headers, body });
    } catch (error) {
      const description = error instanceof Error ? error.message : String(error);
      return Response.json(
        { error: 'invalid_client_metadata', error_description: description },
        { status: 400, headers: { 'Cache-Control': 'no-store' } },
      );
    }
  }

  async #ask(asked: BridgedRequest): Promise<Response> {
    const { incoming, outgoing, response } = bridge(this.#parts.gateway.config.publicOrigin, asked);
    await this.#serve(incoming, outgoing);
    const answer = await response;
    const headers = new Headers({ 'Cache-Control': 'no-store' });
    for (const name of ['content-type', 'location', 'www-authenticate']) {
      const value = answer.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    for (const cookie of answer.headers.getSetCookie())
      if (!cookie.startsWith('__Secure-lb_unused')) headers.append('Set-Cookie', secure(cookie));
    const isRedirect = headers.has('location');
    return new Response(isRedirect ? null : await answer.text(), { status: answer.status, headers });
  }
}

function tooLongIn({ search, searchParams }: URL): string | undefined {
  if (search.length > queryCharsMax) return 'The query of the request';
  const isTooLong = ([name, max]: [string, number]) => searchParams.getAll(name).some((value) => value.length > max);
  return Object.entries(charsMax).find(isTooLong)?.[0];
}

function asBrowser(request: Request, target: string): BridgedRequest {
  const headers = { accept: 'text/html', cookie: request.headers.get('cookie') ?? '' };
  return { method: 'GET', target, headers };
}

function secure(cookie: string): string {
  return /;\s*secure/i.test(cookie) ? cookie : `${cookie}; secure`;
}

async function bodyOf(request: Request): Promise<string | undefined> {
  const length = request.headers.get('content-length');
  return length === null || Number(length) > bodyBytesMax ? undefined : request.text();
}

/**
 * A token allows what its grant does. A refresh that asks for less is answered with what the token truly allows (RFC 6749,
 * 5.1), not with a scope that nothing keeps to. Elsewhere none is said.
 */
function withoutScope(body: string | undefined): string | undefined {
  if (body === undefined) return undefined;
  const parameters = new URLSearchParams(body);
  parameters.delete('scope');
  return parameters.toString();
}

function tooLarge(): Response {
  return problem(413, 'invalid_request', `A body of at most ${bodyBytesMax} bytes with its length is wanted.`);
}

function limited(tries: Tries, name: string): Response | undefined {
  const seconds = tries.take(name);
  if (seconds === 0) return undefined;
  return problem(429, 'rate_limited', {
    detail: `Too many tries. Wait ${seconds} s.`,
    headers: { 'Retry-After': String(seconds) },
  });
}
