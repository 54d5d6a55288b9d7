import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../system/product.ts';

/** What a browser keeps: the cookie, and the token that our page read. */
export interface Visitor {
  cookie: string;
  csrfToken: string;
  userId: string;
  sessionId: string;
}

/** Signs in with the link that the start left, as the page does. */
export async function signInAsOwner(service: Service): Promise<Visitor> {
  return signInByLink(service, readFileSync(join(service.home, 'owner-link'), 'utf8').trim());
}

export async function signInByLink(service: Service, token: string): Promise<Visitor> {
  const response = await postLink(service, token);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return visitorOf(service, cookieOf(response));
}

export function postLink(service: Service, token: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${service.publicUrl}/gateway/sign-in/link`, {
    method: 'POST',
    headers: { origin: service.publicUrl, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ token }),
  });
}

export async function visitorOf(service: Service, cookie: string): Promise<Visitor> {
  const answer = await fetch(`${service.publicUrl}/gateway/session`, { headers: { cookie } });
  const { csrfToken, user, sessionId } = (await answer.json()) as {
    csrfToken: string;
    user: { id: string } | null;
    sessionId: string;
  };
  return { cookie, csrfToken, userId: user?.id ?? '', sessionId };
}

/** `name=value` of the session cookie that an answer sets. */
export function cookieOf(response: Response): string {
  const set = response.headers.getSetCookie().find((each) => each.startsWith('__Host-lb_session=')) ?? '';
  return set.split(';')[0]!;
}

/** A request as a page of ours sends it. */
export function asPage(service: Service, visitor: Visitor, request: { method: string; path: string; body?: unknown }) {
  const { method, path, body } = request;
  return fetch(service.publicUrl + path, {
    method,
    headers: {
      cookie: visitor.cookie,
      origin: service.publicUrl,
      'x-csrf-token': visitor.csrfToken,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'manual',
  });
}
