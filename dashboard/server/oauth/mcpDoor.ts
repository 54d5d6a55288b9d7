import { problem } from '../problem.ts';
import { passOn } from '../proxy.ts';
import type { Visit } from '../visit.ts';
import { AccessTokens } from './accessTokens.ts';
import { challenge } from './metadata.ts';
import type { OauthParts } from './oauthParts.ts';
import { OpenGrants } from './openGrants.ts';
import { withEnd } from './withEnd.ts';

/** The way to lb-mcp: with an API key, or with an access token that ends here. */
export class McpDoor {
  readonly #parts: OauthParts;
  readonly #tokens: AccessTokens;
  readonly #open: OpenGrants;

  constructor(parts: OauthParts) {
    const { clock, log } = parts.gateway;
    this.#parts = parts;
    this.#tokens = new AccessTokens(parts.calls, { clock, resource: parts.resource });
    this.#open = new OpenGrants({ calls: parts.calls, clock, log });
  }

  async pass(visit: Visit): Promise<Response> {
    const given = visit.request.headers.get('authorization');
    const bearer = /^Bearer (\S+)$/i.exec(given ?? '')?.[1];
    if (bearer === undefined) return this.#refused('Connect by OAuth, or send an API key.');
    if (bearer.startsWith('lb_')) {
      const authorization = `Bearer ${bearer}`;
      if (await this.#parts.gateway.keys.has(authorization)) visit.mayBeSilent();
      return this.#answered(await this.#send(visit, authorization));
    }
    const found = await this.#tokens.find(bearer);
    if (found === undefined) return this.#refused('The access token is unknown, over, or for something else.', true);
    visit.mayBeSilent();
    const { userId, grant } = found;
    const assertion = await this.#parts.gateway.assertions.of({ userId, grantId: grant.id });
    const { signal, left } = this.#open.enter(grant.id);
    try {
      const cut = AbortSignal.any([signal, visit.request.signal]);
      return withEnd(this.#answered(await this.#send(visit, `Bearer ${assertion}`, cut)), left);
    } catch (error) {
      left();
      throw error;
    }
  }

  #send(visit: Visit, authorization: string, signal?: AbortSignal): Promise<Response> {
    const { request, url } = visit;
    const to = new URL(this.#parts.gateway.config.mcpUrl).origin;
    return passOn(request, { to, target: url.pathname + url.search, authorization, signal });
  }

  /** What is behind does not know where tokens come from. */
  #answered(answer: Response): Response {
    if (answer.status === 401) answer.headers.set('WWW-Authenticate', challenge(this.#parts, 'invalid_token'));
    return answer;
  }

  #refused(detail: string, hadToken = false): Response {
    const headers = { 'WWW-Authenticate': challenge(this.#parts, hadToken ? 'invalid_token' : undefined) };
    return problem(401, 'unauthenticated', { detail, headers });
  }
}
