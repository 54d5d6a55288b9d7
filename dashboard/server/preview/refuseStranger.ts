import { problem } from '../problem.ts';
import type { Place, Places } from './place.ts';

/**
 * All previews are one site to a browser, so that the cookie of one comes along with what another one's page asks for.
 * Whether a request was meant: it comes from a page of the same desktop, or somebody goes there.
 * @returns the refusal, or undefined
 */
export function refuseStranger(request: Request, place: Place, places: Places): Response | undefined {
  const { headers } = request;
  const site = headers.get('sec-fetch-site');
  // Pages cannot write these headers; Origin is `null` for pages that keep their address to themselves.
  if (site === 'same-origin' || site === 'none') return undefined;
  const origin = headers.get('origin');
  const said = origin ?? headers.get('referer');
  if (said !== null && places.ofUrl(said)?.desktopId === place.desktopId) return undefined;
  if (origin === null && (site === null || isNavigation(request))) return undefined;
  return problem(403, 'foreign_origin', 'A page that is none of this desktop asked for this.');
}

/** Somebody follows a link in a tab; what a frame shows is none. */
export function isNavigation({ method, headers }: Request): boolean {
  const isRead = method === 'GET' || method === 'HEAD';
  return isRead && headers.get('sec-fetch-mode') === 'navigate' && headers.get('sec-fetch-dest') === 'document';
}
