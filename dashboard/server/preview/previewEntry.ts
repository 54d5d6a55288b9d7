import { createHash, randomBytes } from 'node:crypto';
import { isFault } from '@lebureau/kit/fault';
import { isId } from '@lebureau/kit/id';
import { clearCookie, previewCookie, previewEntriesIn, previewEntryCookie, readCookie, setCookie } from '../cookies.ts';
import type { GatewayParts } from '../gatewayParts.ts';
import { problem } from '../problem.ts';
import { Tries } from '../tries.ts';
import type { Visit } from '../visit.ts';
import { ourFolder } from './ourFolder.ts';
import type { Place, Places } from './place.ts';
import type { Grant } from './previewWays.ts';
import { seeOther, toDashboard } from './toDashboard.ts';

/** What a browser brings from the dashboard to a preview: who may see it, and which browser that was given to. */
export interface EntryCode {
  grant: Grant;
  browser: string;
}

/** Of the dashboard's origin: where the browser says whose it is. */
export const admitPath = '/gateway/preview';

const ticketPattern = /^lbt_[\w-]{43}$/;
const secretPattern = /^[\w-]{43}$/;
/** Three answers of ours on the way, and nothing that a person does. */
const entrySeconds = 60;
/** Several tabs at once; any page may begin ways, and only so many cookies stay of them. */
const entriesMax = 8;
/** Thirty at once, then one a second: somebody opens many ports, and nobody guesses tickets. */
const entriesLimit = { burst: 30, everyMs: 1_000 };

/**
 * How a browser comes from the page of a desktop to one of its ports, in three steps, all of them navigations, so that no
 * cookie is a third party's:
 *
 * 1. `open` of the preview's origin gives the browser a new secret, in a cookie that no script reads and that the secret's hash
 *    names, and sends it on with that hash.
 * 2. The dashboard's origin takes the ticket if it is of who is signed in in this very browser, and gives a code for that hash.
 * 3. `enter` of the preview's origin takes the code where the secret is.
 *
 * So nobody brings somebody else into a preview of theirs with a link, neither with a ticket nor with a code; and neither is of
 * use to whoever sees it on the way. Whoever runs scripts on that very origin, which is the guest's, may plant cookies there and
 * so bring a visitor into another's preview of the same port.
 */
export class PreviewEntry {
  readonly #parts: GatewayParts;
  readonly #places: Places;
  readonly #entries: Tries;

  constructor(parts: GatewayParts, places: Places) {
    this.#parts = parts;
    this.#places = places;
    this.#entries = new Tries(parts.clock, entriesLimit);
  }

  /** The first step, on the preview's origin. */
  begin({ request, url }: Visit, place: Place): Response {
    const ticket = url.searchParams.get('ticket') ?? '';
    if (!isPersonGoing(request) || !ticketPattern.test(ticket)) return notFromHere();
    const secret = randomBytes(32).toString('base64url');
    const browser = hashOf(secret);
    const { desktopId, port } = place;
    const query = new URLSearchParams({ desktopId, port: String(port), ticket, browser });
    const target = `${this.#parts.config.publicOrigin}${admitPath}?${query.toString()}`;
    const tooOld = previewEntriesIn(request).slice(0, 1 - entriesMax);
    return seeOther(target, [setCookie(previewEntryCookie(browser), secret, entrySeconds), ...tooOld.map(clearCookie)]);
  }

  /** The second step, on the dashboard's origin. @throws Fault `unavailable` */
  async admit({ request, url, ipAddress }: Visit): Promise<Response> {
    const place = placeIn(url.searchParams);
    const ticket = url.searchParams.get('ticket') ?? '';
    const browser = url.searchParams.get('browser') ?? '';
    if (!place || !isPersonGoing(request) || !ticketPattern.test(ticket) || !secretPattern.test(browser))
      return notFromHere();
    const seconds = this.#entries.take(ipAddress);
    if (seconds > 0)
      return problem(429, 'rate_limited', {
        detail: `Too many tries. Wait ${seconds} s.`,
        headers: { 'Retry-After': String(seconds) },
      });
    const { publicOrigin } = this.#parts.config;
    const who = await this.#parts.sessions.of(request);
    const grant = who && (await this.#grantFor(ticket, place));
    if (grant === undefined || grant.sessionId !== who?.session.id)
      return toDashboard({ request, place, publicOrigin });
    const code = await this.#parts.entryCodes.seal({ grant, browser });
    return seeOther(`${this.#places.originOf(place)}${ourFolder}enter?code=${code}`);
  }

  /** The third step, on the preview's origin. */
  async enter({ request, url }: Visit, place: Place): Promise<Response> {
    if (!isPersonGoing(request)) return notFromHere();
    const code = await this.#parts.entryCodes.open(url.searchParams.get('code') ?? undefined);
    const name = code && isSame(code.grant, place) ? previewEntryCookie(code.browser) : undefined;
    const secret = name && readCookie(request, name);
    const { publicOrigin } = this.#parts.config;
    // Any page may link here: what somebody has keeps its cookie.
    if (!code || !name || !secret || hashOf(secret) !== code.browser)
      return toDashboard({ request, place, publicOrigin });
    const { grants } = this.#parts;
    const cookie = setCookie(previewCookie, await grants.seal(code.grant), grants.lifeSeconds);
    return seeOther('/', [cookie, clearCookie(name)]);
  }

  /** Uses the ticket up. Undefined: it was none, or may no more. @throws Fault `unavailable` */
  async #grantFor(ticket: string, place: Place): Promise<Grant | undefined> {
    try {
      const { userId, sessionId } = await this.#parts.calls.enterPreview({ ticket, ...place });
      return { ...place, userId, sessionId };
    } catch (error) {
      if (isFault(error) && error.code !== 'unavailable') return undefined;
      throw error;
    }
  }
}

/** In a tab, and no script or frame. */
function isPersonGoing({ method, headers }: Request): boolean {
  const dest = headers.get('sec-fetch-dest');
  return method === 'GET' && (dest === null || dest === 'document');
}

function placeIn(query: URLSearchParams): Place | undefined {
  const desktopId = query.get('desktopId') ?? '';
  const port = query.get('port') ?? '';
  if (!isId('dsk', desktopId) || !/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) return undefined;
  return { desktopId, port: Number(port) };
}

function isSame(a: Place, b: Place): boolean {
  return a.desktopId === b.desktopId && a.port === b.port;
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function notFromHere(): Response {
  return problem(400, 'invalid_request', 'Come here from the page of the desktop.');
}
