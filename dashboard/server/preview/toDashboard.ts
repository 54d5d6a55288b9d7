import { problem } from '../problem.ts';
import type { Place } from './place.ts';
import { isNavigation } from './refuseStranger.ts';

/** Where the port can be opened, again; programs are only told. */
export function toDashboard(
  { request, place, publicOrigin }: { request: Request; place: Place; publicOrigin: string },
  cookies: readonly string[] = [],
): Response {
  const { desktopId, port } = place;
  if (isNavigation(request)) return seeOther(`${publicOrigin}/app/desktops/${desktopId}/ports?port=${port}`, cookies);
  const answer = problem(401, 'unauthenticated', 'Open this port from the page of the desktop.');
  for (const cookie of cookies) answer.headers.append('Set-Cookie', cookie);
  return answer;
}

/** Sends a browser on, and keeps to itself from where. */
export function seeOther(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({
    Location: location,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
  });
  for (const cookie of cookies) headers.append('Set-Cookie', cookie);
  return new Response(null, { status: 303, headers });
}
