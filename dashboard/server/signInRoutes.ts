import { randomBytes } from 'node:crypto';
import { describeError, Fault } from '@lebureau/kit/fault';
import { clearCookie, flowCookie, noticeCookie, readCookie, sessionCookie, setCookie } from './cookies.ts';
import type { GatewayParts } from './gatewayParts.ts';
import { refuseForeign, refuseForeignOrigin } from './guard.ts';
import { problem } from './problem.ts';
import { safeReturnTo } from './returnTo.ts';
import { hashOf } from './sessions.ts';
import type { Begun, Browser } from './signInCalls.ts';
import type { Visit } from './visit.ts';

/** The API ends a session earlier; the cookie need not outlive any. */
const sessionCookieSeconds = 30 * 86_400;
const bodyBytesMax = 4096;

/** Who is there, and what they need to know to begin. */
export async function answerSession(visit: Visit, parts: GatewayParts): Promise<Response> {
  const who = await parts.sessions.of(visit.request);
  const noticed = readCookie(visit.request, noticeCookie);
  const body = {
    user: who?.user ?? null,
    sessionId: who?.session.id ?? null,
    csrfToken: who?.csrfToken ?? null,
    providers: parts.providers.map(({ id, name }) => ({ id, name })),
    publicUrl: parts.config.publicOrigin,
    previewHost: parts.places?.host ?? null,
    notice: (await parts.notices.open(noticed)) ?? null,
  };
  const headers = new Headers({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  if (noticed !== undefined) headers.append('Set-Cookie', clearCookie(noticeCookie));
  return new Response(JSON.stringify(body), { headers });
}

/** POST: a look at a link, such as a mail scanner takes, must not use it up. */
export async function signInByLink(visit: Visit, parts: GatewayParts): Promise<Response> {
  const refused = refuseForeignOrigin(visit.request, parts) ?? tooMany(visit, parts);
  if (refused) return refused;
  const token = await tokenOf(visit.request);
  if (token === undefined) return problem(400, 'invalid_request', 'A JSON body with `token` is wanted.');
  try {
    const begun = await parts.calls.byLink(token, browserOf(visit));
    return signedIn(Response.json({ user: begun.user }), begun);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.extra.cause !== undefined) parts.log.warn('sign-in failed', { error: describeError(error) });
    const status = error.code === 'unavailable' ? 503 : 403;
    return problem(status, error.code, `${error.message} ${error.extra.hint ?? ''}`.trim());
  }
}

/** Sends the browser to a provider. */
export async function startProvider(visit: Visit, parts: GatewayParts, id: string): Promise<Response> {
  const provider = parts.providers.find((each) => each.id === id);
  if (provider === undefined) return problem(404, 'not_found', 'There is no such provider.');
  const seconds = parts.tries.take(visit.ipAddress);
  if (seconds > 0) return failed(parts, new Fault('rate_limited', `Too many tries. Wait ${seconds} s.`));
  const flow = {
    provider: id,
    state: random(),
    nonce: random(),
    verifier: random(),
    returnTo: safeReturnTo(visit.url.searchParams.get('returnTo')),
  };
  try {
    const target = await provider.authorize(flow);
    const cookie = setCookie(flowCookie, await parts.flows.seal(flow), parts.flows.lifeSeconds);
    return redirect(target.href, [cookie]);
  } catch (error) {
    return failed(parts, new Fault('unavailable', `${provider.name} cannot be reached.`, { cause: error }));
  }
}

/** The browser comes back. */
export async function finishProvider(visit: Visit, parts: GatewayParts, id: string): Promise<Response> {
  const flow = await parts.flows.open(readCookie(visit.request, flowCookie));
  const provider = parts.providers.find((each) => each.id === id);
  if (provider === undefined || flow?.provider !== id || flow.state !== visit.url.searchParams.get('state'))
    return failed(parts, new Fault('sign_in_refused', 'This sign-in was not begun in this browser, or too long ago.'));
  try {
    const identity = await provider.identify(visit.url, flow);
    const begun = await parts.calls.byIdentity(identity, browserOf(visit));
    // A page of ours that goes on: SameSite cookies are not sent along a redirect that another site began.
    return signedIn(redirect(flow.returnTo, [clearCookie(flowCookie)]), begun);
  } catch (error) {
    return failed(parts, error);
  }
}

export async function signOut(visit: Visit, parts: GatewayParts): Promise<Response> {
  const who = await parts.sessions.of(visit.request);
  const refused = who ? refuseForeign(visit.request, who, parts) : refuseForeignOrigin(visit.request, parts);
  if (refused) return refused;
  if (who !== undefined) {
    const authorization = await parts.assertions.bearerOf(who);
    const ended = await fetch(`${parts.config.apiUrl}/v1/sessions/${who.session.id}`, {
      method: 'DELETE',
      headers: { authorization },
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    if (!ended?.ok) return problem(503, 'unavailable', 'The session could not be ended. Try again.');
    parts.sessions.forget(visit.request);
  }
  return new Response(null, {
    status: 204,
    // Storage of ours holds nothing secret, and is of no use to who comes next.
    headers: { 'Set-Cookie': clearCookie(sessionCookie), 'Clear-Site-Data': '"cache", "storage"' },
  });
}

function tooMany({ ipAddress }: Visit, { tries }: GatewayParts): Response | undefined {
  const seconds = tries.take(ipAddress);
  if (seconds === 0) return undefined;
  return problem(429, 'rate_limited', {
    detail: `Too many tries. Wait ${seconds} s.`,
    headers: { 'Retry-After': String(seconds) },
  });
}

function browserOf({ request, ipAddress }: Visit): Browser {
  const former = readCookie(request, sessionCookie);
  return {
    userAgent: (request.headers.get('user-agent') ?? '').slice(0, 500),
    ipAddress,
    formerSessionHash: former === undefined ? null : hashOf(former),
  };
}

async function tokenOf(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get('content-length') ?? bodyBytesMax + 1) > bodyBytesMax) return undefined;
  const body = (await request.json().catch(() => undefined)) as { token?: unknown } | undefined;
  return typeof body?.token === 'string' && /^lbl_[\w-]{43}$/.test(body.token) ? body.token : undefined;
}

function signedIn(response: Response, begun: Begun): Response {
  response.headers.append('Set-Cookie', setCookie(sessionCookie, begun.secret, sessionCookieSeconds));
  response.headers.set('Cache-Control', 'no-store');
  return response;
}

/** Back to the sign-in page, which says why. */
async function failed(parts: GatewayParts, error: unknown): Promise<Response> {
  const isFault = error instanceof Fault;
  if (!isFault || error.extra.cause !== undefined) parts.log.warn('sign-in failed', { error: describeError(error) });
  const detail = isFault ? error.message : 'Something broke on our side.';
  const notice = await parts.notices.seal({ detail, hint: (isFault ? error.extra.hint : undefined) ?? null });
  return redirect('/sign-in', [setCookie(noticeCookie, notice, parts.notices.lifeSeconds), clearCookie(flowCookie)]);
}

function redirect(location: string, cookies: readonly string[]): Response {
  const headers = new Headers({ Location: location, 'Cache-Control': 'no-store' });
  for (const cookie of cookies) headers.append('Set-Cookie', cookie);
  return new Response(null, { status: 303, headers });
}

/** 256 bits. */
function random(): string {
  return randomBytes(32).toString('base64url');
}
