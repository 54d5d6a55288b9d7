import { describeError, Fault, isFault } from '@lebureau/kit/fault';
import type { ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import { clearCookie, previewCookie, readCookie } from '../cookies.ts';
import type { GatewayParts } from '../gatewayParts.ts';
import { problem } from '../problem.ts';
import type { Sealed } from '../sealed.ts';
import type { Visit } from '../visit.ts';
import { fromGuest, toGuest } from './guestHeaders.ts';
import { noWorker } from './noWorker.ts';
import { openPreviewSocket } from './openPreviewSocket.ts';
import { ourFolder } from './ourFolder.ts';
import type { Passing } from './passing.ts';
import type { Place, Places } from './place.ts';
import { PreviewEntry } from './previewEntry.ts';
import { type Grant, PreviewWays } from './previewWays.ts';
import { refuseStranger } from './refuseStranger.ts';
import { toDashboard } from './toDashboard.ts';

/** A guest has so long for the head of its answer, and the listener a little longer. */
const headLimitMs = 100_000;
const headIdleSeconds = 120;
/** With these the way to go on is through the dashboard. */
const signInAgain = ['unauthenticated', 'capability_missing', 'not_found'];

/**
 * Where browsers look into ports of desktops. No cookie and no key of the dashboard counts here: a ticket, taken to
 * `/.lebureau/open` by the desktop's page, becomes a cookie of this one origin (`previewEntry.ts`).
 */
export class PreviewDoor {
  readonly #parts: GatewayParts;
  readonly #places: Places;
  readonly #grants: Sealed<Grant>;
  readonly #ways: PreviewWays;
  readonly #entry: PreviewEntry;

  constructor(parts: GatewayParts, places: Places) {
    this.#parts = parts;
    this.#places = places;
    this.#grants = parts.grants;
    this.#ways = new PreviewWays(parts);
    this.#entry = new PreviewEntry(parts, places);
  }

  close(): void {
    this.#ways.close();
  }

  /** On the dashboard's origin: a browser says whose it is, on its way to a port. @throws Fault `unavailable` */
  admit(visit: Visit): Promise<Response> {
    return this.#entry.admit(visit);
  }

  /** @returns undefined when the request became a socket */
  async answer(visit: Visit, place: Place, server: Bun.Server<ServerSocketData>): Promise<Response | undefined> {
    const { request, url } = visit;
    if (url.pathname === `${ourFolder}open`) return this.#entry.begin(visit, place);
    if (url.pathname === `${ourFolder}enter`) return this.#entry.enter(visit, place);
    if (url.pathname.startsWith(ourFolder)) return problem(404, 'not_found', 'There is nothing of the gateway here.');
    const refused = noWorker(request) ?? refuseStranger(request, place, this.#places);
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

  /** What the browser has is none, or may no more. */
  #toDashboard(request: Request, place: Place): Response {
    const { publicOrigin } = this.#parts.config;
    return toDashboard({ request, place, publicOrigin }, [clearCookie(previewCookie)]);
  }
}
