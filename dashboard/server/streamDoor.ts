import { dialSocketEnd, NotSwitched } from '@lebureau/kit/dialSocketEnd';
import { joinEnds } from '@lebureau/kit/joinEnds';
import { ServerSocketEnd, type ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import { apiAddress } from './apiAddress.ts';
import type { GatewayParts } from './gatewayParts.ts';
import { refuseForeignOrigin } from './guard.ts';
import { problem } from './problem.ts';
import type { Visit } from './visit.ts';

const streamsMax = 2000;
const stallLimitMs = 60_000;
const dialLimitMs = 20_000;
const streamPath = /^\/v1\/desktops\/dsk_[0-9a-z]{26}\/streams\/[a-z]{1,20}$/;

/**
 * Where live sockets come in. The ticket says for what; that a page of ours opens it says Origin, and who sits before it
 * the session, without which a person's ticket is worth nothing.
 */
export class StreamDoor {
  readonly #parts: GatewayParts;
  #open = 0;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Whether this request wants a stream. */
  wants({ request, url }: Visit): boolean {
    return request.headers.get('upgrade')?.toLowerCase() === 'websocket' && streamPath.test(url.pathname);
  }

  /** @returns undefined when the socket is open */
  async take(visit: Visit, server: Bun.Server<ServerSocketData>): Promise<Response | undefined> {
    const { request, url } = visit;
    // Programs send no Origin and cannot be tricked; browsers always do.
    const foreign = request.headers.has('origin') ? refuseForeignOrigin(request, this.#parts) : undefined;
    if (foreign) return foreign;
    if (this.#open >= streamsMax) return problem(503, 'unavailable', 'Too many streams are open.');
    this.#open += 1;
    try {
      const to = apiAddress(this.#parts.config.apiUrl);
      const path = url.pathname + url.search;
      const headers = await this.#speakFor(request);
      const api = await dialSocketEnd({ to, path, headers, limitMs: dialLimitMs });
      return this.#join(request, server, api);
    } catch (error) {
      this.#open -= 1;
      if (error instanceof NotSwitched) return refusalOf(error);
      return problem(503, 'unavailable', 'The service behind the dashboard cannot be reached.');
    }
  }

  /** Not within `take`: what an asynchronous function was given is kept as long as any function that was made in it. */
  #join(request: Request, server: Bun.Server<ServerSocketData>, api: StreamEnd): Response | undefined {
    const viewer = new ServerSocketEnd();
    viewer.onOpen(() => joinEnds(viewer, api, { clock: this.#parts.clock, stallLimitMs }));
    viewer.onEnded(() => (this.#open -= 1));
    if (server.upgrade(request, { data: { end: viewer } })) return undefined;
    api.close(1000, 'nobody came');
    this.#open -= 1;
    return problem(400, 'invalid_request', 'That is no WebSocket handshake.');
  }

  async #speakFor(request: Request): Promise<Record<string, string>> {
    const who = await this.#parts.sessions.of(request);
    return who === undefined ? {} : { authorization: await this.#parts.assertions.bearerOf(who) };
  }
}

/** The API's own words, which name nothing of what is behind. */
function refusalOf({ status, body }: NotSwitched): Response {
  const headers = { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' };
  return new Response(body, { status, headers });
}
