import type { Clock } from '@lebureau/kit/clock';
import { dialSocketEnd, NotSwitched } from '@lebureau/kit/dialSocketEnd';
import { Fault } from '@lebureau/kit/fault';
import { joinEnds } from '@lebureau/kit/joinEnds';
import { frameMaxBytes, ServerSocketEnd, type ServerSocketData } from '@lebureau/kit/serverSocketEnd';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import { problem } from '../problem.ts';
import { toGuest } from './guestHeaders.ts';
import { MessagesInTime } from './messagesInTime.ts';
import type { Passing } from './passing.ts';

const messageMaxBytes = 4 * frameMaxBytes;
const stallLimitMs = 60_000;
const headLimitMs = 30_000;
/** Between two pieces of a message of a guest. */
const silenceLimitMs = 60_000;

/** A WebSocket of a guest's page, message by message. @returns undefined when it is open. @throws Fault as the way says */
export async function openPreviewSocket(
  { visit, place, places, way }: Passing,
  server: Bun.Server<ServerSocketData>,
  clock: Clock,
): Promise<Response | undefined> {
  const { request, url } = visit;
  const headers = toGuest(request, place, places);
  const offered = request.headers.get('sec-websocket-protocol');
  if (offered !== null) headers.set('sec-websocket-protocol', offered);
  const messages = new MessagesInTime(way.unfinished, { clock, limitMs: silenceLimitMs });
  const guest = await dialSocketEnd({
    to: { path: way.path },
    path: url.pathname + url.search,
    headers: Object.fromEntries(headers),
    limitMs: headLimitMs,
    messageMaxBytes,
    messageBudget: messages,
  }).catch((error: unknown) => {
    if (error instanceof NotSwitched) return error;
    throw way.refusal ?? new Fault('guest_unreachable', 'No HTTP came back.', { cause: error });
  });
  if (guest instanceof NotSwitched)
    return problem(502, 'guest_unreachable', `The desktop answered ${guest.status} and opened no WebSocket.`);
  const viewed = messages.of(guest);
  const viewer = viewerOf(viewed, clock);
  const chosen = new Headers();
  if (guest.protocol !== undefined) chosen.set('Sec-WebSocket-Protocol', guest.protocol);
  if (server.upgrade(request, { data: { end: viewer }, headers: chosen })) return undefined;
  guest.close(1000, 'nobody came');
  return problem(400, 'invalid_request', 'That is no WebSocket handshake.');
}

/** Not within the function above: a function made there would keep the request as long as the socket is open. */
function viewerOf(viewed: StreamEnd, clock: Clock): ServerSocketEnd {
  const viewer = new ServerSocketEnd(frameMaxBytes);
  viewer.onOpen(() => joinEnds(viewer, viewed, { clock, stallLimitMs }));
  return viewer;
}
