import { describeError, Fault, isFault } from '@lebureau/kit/fault';
import type { ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import { clearCookie, previewCookie, readCookie, setCookie } from '../cookies.ts';
import type { GatewayParts } from '../gatewayParts.ts';
import { problem } from '../problem.ts';
import type { Sealed } from '../sealed.ts';
import { Tries } from '../tries.ts';
import type { Visit } from '../visit.ts';
import { fromGuest, toGuest } from './guestHeaders.ts';
import { openPreviewSocket } from './openPreviewSocket.ts';
import type { Passing } from './passing.ts';
import type { Place, Places } from './place.ts';
import { type Grant, PreviewWays } from './previewWays.ts';
import { isNavigation, refuseStranger } from './refuseStranger.ts';

/** Paths below belong to the gateway and are never the guest's. */
const ourFolder = '/.lebureau/';
const ticketPattern = /^lbt_[\w-]{43}$/;
/** A guest has so long for the head of its answer, and the listener a little longer. */
const headLimitMs = 100_000;
const headIdleSeconds = 120;
/** Thirty at once, then one a second: somebody opens many ports, and nobody guesses tickets. */
const entriesLimit = { burst: 30, everyMs: 1_000 };
/** With these the way to go on is through the dashboard. */
const signInAgain = ['unauthenticated', 'capability_missing', 'not_found'];

/**
 * Where browsers look into ports of desktops. Nothing of the dashboard counts here: a ticket, taken to `/.lebureau/open` by the
 * desktop's page, becomes a cookie of this one origin.
 */
export class PreviewDoor {
  readonly #parts: GatewayParts;
  readonly #places: Places;
  readonly #grants: Sealed<Grant>;
  readonly #ways: PreviewWays;
  readonly #entries: Tries;

  constructor(parts: GatewayParts, places: Places) {
    this.#parts = parts;
    this.#places = places;
    this.#grants = parts.grants;
    this.#ways = new PreviewWays(parts);
    this.#entries = new Tries(parts.clock, entriesLimit);
  }

  close(): void {
    this.#ways.close();
  }

  /** @returns undefined when the request became a socket */
  async answer(visit: Visit, place: Place, server: Bun.Server<ServerSocketData>): Promise<Response | undefined> {
    const { request, url } = visit;
    if (url.pathname === `${ourFolder}open`) return this.#enter(visit, place);
    if (url.pathname.startsWith(ourFolder)) return problem(404, 'not_found', 'There is nothing of the gateway here.');
    const refused = refuseStranger(request, place, this.#places);
    if (refused) return refused;
    const grant = await this.#grantOf(request, place);
    if (grant === undefined) return this.#toDashboard(request, place);
    try {
      const way = await this.#ways.to(grant);
      way.refusal = undefined;
      const passing = { visit, place, places: this.#places, way };
      if (request.headers.get('upgrade')?.toLowerCase() === 'websocket')
        return await openPreviewSocket(passing, server, this.#parts.clock);
      return await this.#pass(passing);
    } catch (error) {
      return this.#refusal(error, request, place);
    }
  }

  /** Nothing is sent again: whether what failed was carried out is for the page to find out. */
  async #pass({ visit, place, places, way }: Passing): Promise<Response> {
    const { request, url } = visit;
    const late = new AbortController();
    const inTime = new AbortController();
    void this.#parts.clock.sleep(headLimitMs, inTime.signal).then(() => inTime.signal.aborted || late.abort());
    visit.mayBeSilent(headIdleSeconds);
    try {
      const hasBody = request.body !== null && request.method !== 'GET' && request.method !== 'HEAD';
      const answer = await fetch(`http://localhost:${place.port}${url.pathname}${url.search}`, {
        unix: way.path,
        method: request.method,
        headers: toGuest(request, place, places),
        ...(hasBody ? { body: request.body, duplex: 'half' } : {}),
        redirect: 'manual',
        decompress: false,
        signal: AbortSignal.any([request.signal, late.signal]),
      } as RequestInit);
      const headers = fromGuest(answer.headers, place, places);
      const passed = new Response(answer.body, { status: answer.status, headers });
      visit.mayBeSilent();
      return passed;
    } catch (error) {
      throw way.refusal ?? new Fault('guest_unreachable', 'No HTTP came back.', { cause: error });
    } finally {
      inTime.abort();
    }
  }

  async #grantOf(request: Request, place: Place): Promise<Grant | undefined> {
    const grant = await this.#grants.open(readCookie(request, previewCookie));
    return grant?.desktopId === place.desktopId && grant.port === place.port ? grant : undefined;
  }

  /** Somebody comes from the desktop's page. */
  async #enter({ request, url, ipAddress }: Visit, place: Place): Promise<Response> {
    const ticket = url.searchParams.get('ticket') ?? '';
    const dest = request.headers.get('sec-fetch-dest');
    if (request.method !== 'GET' || (dest !== null && dest !== 'document') || !ticketPattern.test(ticket))
      return problem(400, 'invalid_request', 'Come here from the page of the desktop.');
    const seconds = this.#entries.take(ipAddress);
    if (seconds > 0)
      return problem(429, 'rate_limited', {
        detail: `Too many tries. Wait ${seconds} s.`,
        headers: { 'Retry-After': String(seconds) },
      });
    try {
      const who = await this.#parts.calls.enterPreview({ ticket, ...place });
      const cookie = setCookie(previewCookie, await this.#grants.seal({ ...place, ...who }), this.#grants.lifeSeconds);
      return redirect('/', { 'Set-Cookie': cookie });
    } catch (error) {
      // Any page may link here with a ticket that is none: what somebody has keeps its cookie.
      if (isFault(error) && error.code !== 'unavailable') return this.#toDashboard(request, place, {});
      throw error;
    }
  }

  #refusal(error: unknown, request: Request, place: Place): Response {
    if (!isFault(error)) throw error;
    const { code, message } = error;
    this.#parts.log.debug('preview refused', { ...place, code, error: describeError(error) });
    if (signInAgain.includes(code)) return this.#toDashboard(request, place);
    if (code === 'guest_unreachable')
      return problem(502, code, `Nothing answers on port ${place.port} of this desktop. ${message}`);
    const status = code === 'rate_limited' ? 429 : 503;
    return problem(status, code, { detail: message, headers: { 'Retry-After': '2' } });
  }

  /** Where the port can be opened, again; programs are only told. */
  #toDashboard(
    request: Request,
    { desktopId, port }: Place,
    cookie: Readonly<Record<string, string>> = { 'Set-Cookie': clearCookie(previewCookie) },
  ): Response {
    const { publicOrigin } = this.#parts.config;
    if (isNavigation(request)) return redirect(`${publicOrigin}/app/desktops/${desktopId}/ports?port=${port}`, cookie);
    return problem(401, 'unauthenticated', {
      detail: 'Open this port from the page of the desktop.',
      headers: cookie,
    });
  }
}

function redirect(location: string, cookie: Readonly<Record<string, string>>): Response {
  const headers = {
    Location: location,
    ...cookie,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
  };
  return new Response(null, { status: 303, headers });
}
