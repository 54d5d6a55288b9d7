import { describeError, isFault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import { assetResponse, type Asset } from './assets.ts';
import type { GatewayParts } from './gatewayParts.ts';
import { refuseForeign } from './guard.ts';
import { PreviewDoor } from './preview/previewDoor.ts';
import { admitPath } from './preview/previewEntry.ts';
import { problem } from './problem.ts';
import { OauthDoor } from './oauth/oauthDoor.ts';
import { passOn } from './proxy.ts';
import { isSafePath } from './safePath.ts';
import { secured } from './securityHeaders.ts';
import { answerSession, finishProvider, signInByLink, signOut, startProvider } from './signInRoutes.ts';
import { StreamDoor } from './streamDoor.ts';
import type { Visit } from './visit.ts';

/** Pages are files of the web build; the app is one page for all its paths. */
type Assets = ReadonlyMap<string, Asset>;

/** Answers every request that comes in from outside. */
export class Gateway {
  readonly #parts: GatewayParts;
  readonly #assets: Assets;
  readonly #streams: StreamDoor;
  readonly #oauth: OauthDoor;
  readonly #previews: PreviewDoor | undefined;

  constructor(parts: GatewayParts, assets: Assets) {
    this.#parts = parts;
    this.#assets = assets;
    this.#streams = new StreamDoor(parts);
    this.#oauth = new OauthDoor(parts);
    this.#previews = parts.places && new PreviewDoor(parts, parts.places);
  }

  close(): void {
    this.#previews?.close();
  }

  /** @returns undefined when the request became a socket */
  async answer(visit: Visit, server: Bun.Server<ServerSocketData>): Promise<Response | undefined> {
    const { request, url } = visit;
    const { publicOrigin, lan } = this.#parts.config;
    // A browser that once was strict lets nobody past a certificate that it does not know.
    const strictTransport = publicOrigin.startsWith('https:') && !lan;
    const isBehind = url.pathname.startsWith('/v1/') || url.pathname === '/mcp';
    const how = { kind: isBehind ? 'content' : 'page', strictTransport } as const;
    const place = this.#parts.places?.at(request.headers.get('host'));
    try {
      if (place) return await this.#previews!.answer(visit, place, server);
      const refused = this.#refuse(request, url);
      if (!refused && this.#streams.wants(visit)) {
        const answer = await this.#streams.take(visit, server);
        return answer && secured(answer, how);
      }
      return secured(refused ?? (isBehind ? await this.#pass(visit) : await this.#own(visit)), how);
    } catch (error) {
      const requestId = newId('req', this.#parts.clock.nowMs());
      this.#parts.log.error('request broke', { requestId, path: url.pathname, error: describeError(error) });
      if (isFault(error, 'unavailable')) return secured(problem(503, 'unavailable', error.message), how);
      return secured(problem(500, 'internal', `Something broke on our side (${requestId}).`), how);
    }
  }

  /** A Host of somebody else is how a page of theirs would reach a machine of ours by its own name. */
  #refuse(request: Request, url: URL): Response | undefined {
    const { publicOrigin } = this.#parts.config;
    if (request.headers.get('host') !== new URL(publicOrigin).host)
      return problem(421, 'wrong_host', `This is ${publicOrigin}.`);
    if (!isSafePath(url.pathname)) return problem(400, 'invalid_path', 'The path cannot be used.');
    return undefined;
  }

  async #own(visit: Visit): Promise<Response> {
    const { request, url } = visit;
    const { pathname } = url;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const route = `${isRead ? 'GET' : request.method} ${pathname}`;
    if (route === 'GET /healthz') return Response.json({ status: 'ok' });
    if (route === 'GET /gateway/session') return answerSession(visit, this.#parts);
    if (route === 'POST /gateway/sign-in/link') return signInByLink(visit, this.#parts);
    if (route === 'POST /gateway/sign-out') return signOut(visit, this.#parts);
    const [, way, id] = /^GET \/gateway\/(sign-in|callback)\/([a-z]{1,20})$/.exec(route) ?? [];
    if (way === 'sign-in') return startProvider(visit, this.#parts, id!);
    if (way === 'callback') return finishProvider(visit, this.#parts, id!);
    if (route === `GET ${admitPath}` && this.#previews) return this.#previews.admit(visit);
    const ofOauth = await this.#oauth.answer(visit);
    if (ofOauth !== undefined) return ofOauth;
    const asset = this.#assetOf(pathname);
    if (asset === undefined) return problem(404, 'not_found', `There is no ${pathname}.`);
    return isRead
      ? assetResponse(asset, request)
      : problem(405, 'method_not_allowed', { detail: 'It can only be read.', headers: { Allow: 'GET, HEAD' } });
  }

  #assetOf(pathname: string): Asset | undefined {
    if (/^\/(?:app|sign-in)(?:\/|$)/.test(pathname)) return this.#assets.get('app.html');
    const path = pathname.slice(1).replace(/\/$/, '');
    return this.#assets.get(path) ?? this.#assets.get(path === '' ? 'index.html' : `${path}/index.html`);
  }

  /** With a key of its own, or as who is signed in. */
  async #pass(visit: Visit): Promise<Response> {
    const { request, url } = visit;
    const { config, sessions, assertions, keys } = this.#parts;
    const target = url.pathname + url.search;
    if (url.pathname === '/mcp') return this.#oauth.mcp.pass(visit);
    const to = config.apiUrl;
    const given = request.headers.get('authorization');
    if (given !== null) {
      // An assertion is between us and the API; from outside only keys are, and access tokens are for MCP alone.
      if (!given.startsWith('Bearer lb_'))
        return problem(401, 'unauthenticated', {
          detail: 'Send an API key.',
          headers: { 'WWW-Authenticate': 'Bearer realm="lebureau"' },
        });
      if (await keys.has(given)) visit.mayBeSilent();
      return passOn(request, { to, target, authorization: given });
    }
    const who = await sessions.of(request);
    if (who === undefined)
      return problem(401, 'unauthenticated', {
        detail: 'Sign in first.',
        headers: { 'WWW-Authenticate': 'Bearer realm="lebureau"' },
      });
    const refused = refuseForeign(request, who, this.#parts);
    if (refused) return refused;
    visit.mayBeSilent();
    const authorization = await assertions.bearerOf(who);
    return passOn(request, { to, target, authorization });
  }
}
