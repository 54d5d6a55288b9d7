import { Fault, isFault } from '@lebureau/kit/fault';
import { dialSocketEnd, NotSwitched } from '@lebureau/kit/dialSocketEnd';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import { getDesktop } from '../desktops/operations.ts';
import type { DesktopView } from '../desktops/view.ts';
import { demandReady } from '../guest/forward.ts';
import { saysTooOld } from '../guest/tooOld.ts';
import { problems } from '../http/problems.ts';
import { invalid } from '../http/validate.ts';
import { type Caller, requireCapability } from '../keys/auth.ts';
import { credentialOf, stillGood } from '../keys/stillGood.ts';
import type { Ways } from '../reach/ways.ts';
import type { Services } from '../services.ts';
import { capabilityFor } from './capabilityFor.ts';
import { issueTicket, spendTicket, type StreamWish } from './tickets.ts';

const dialLimitMs = 20_000;
const askLimitMs = 10_000;

/** @throws Fault `unsupported` when the node gives no streams; as the desktop cannot be used otherwise */
export async function createTicket(
  services: Services,
  ways: Ways,
  from: { caller: Caller; desktopId: string; wish: StreamWish },
): Promise<{ ticket: string; expiresMs: number; wish: StreamWish }> {
  const { caller, desktopId } = from;
  const wish = completed(from.wish);
  requireCapability(caller, capabilityFor(wish));
  const nowMs = services.clock.nowMs();
  const view = await getDesktop(services, caller, desktopId);
  demandReady(view, nowMs);
  await demandStreams(ways, view);
  const made = await services.database.write((write) =>
    issueTicket(write, { credential: credentialOf(caller), desktopId, wish, nowMs: services.clock.nowMs() }),
  );
  return { ...made, wish };
}

function completed(wish: StreamWish): StreamWish {
  if (wish.kind === 'port' && wish.port === undefined)
    throw invalid([{ pointer: '/port', code: 'required', message: 'a port is wanted' }]);
  if (wish.kind === 'terminal') return { ...wish, terminalName: wish.terminalName ?? 'main' };
  return wish;
}

/** Asked before a ticket is given, so that what cannot be opened is said where it can be read. */
async function demandStreams(ways: Ways, view: DesktopView): Promise<void> {
  const unix = await ways.socketOf(view);
  const answer = await fetch(`http://node/guest/${view.assignmentId}/control`, {
    unix,
    signal: AbortSignal.timeout(askLimitMs),
  } as RequestInit).catch((error: unknown) => {
    throw new Fault('node_unreachable', 'The node does not answer.', { cause: error, retryAfterSeconds: 2 });
  });
  const text = await answer.text();
  if (!answer.ok) throw faultOf(text);
}

/** Who opens a stream, and on what. */
export interface Admitted {
  caller: Caller;
  view: DesktopView;
  wish: StreamWish;
}

/** Whatever was wrong with the ticket, it is spent. @throws Fault `ticket_refused`; as the desktop cannot be used */
export async function admitTicket(
  services: Services,
  from: { ticket: string; desktopId: string; kind: string },
): Promise<Admitted> {
  const { database, clock } = services;
  const spent = await spendTicket(database, { ...from, nowMs: clock.nowMs() });
  if (spent === undefined) throw refused('It is unknown, used, expired, or for something else.');
  const caller = await stillGood(database, spent.credential, clock.nowMs());
  if (caller === undefined) throw refused('Its key or session is revoked or expired.');
  requireCapability(caller, capabilityFor(spent.wish));
  const view = await getDesktop(services, caller, spent.desktopId);
  demandReady(view, clock.nowMs());
  return { caller, view, wish: spent.wish };
}

/**
 * A person's ticket for a port as the way into its preview, which the gateway remembers. A key has no preview: whoever has
 * one uses the stream itself.
 * @throws Fault as `admitTicket`
 */
export async function enterPreview(
  services: Services,
  from: { ticket: string; desktopId: string; port: number },
): Promise<{ userId: string; sessionId: string }> {
  const { ticket, desktopId, port } = from;
  const { caller, wish } = await admitTicket(services, { ticket, desktopId, kind: 'port' });
  if (caller.session === undefined || wish.port !== port) throw refused('It is for something else.');
  const { userId, sessionId } = caller.session;
  return { userId, sessionId };
}

function refused(detail: string): Fault {
  return new Fault('ticket_refused', detail);
}

/** The half of the stream that hostd serves. @throws Fault as its problem says */
export async function dialNode(ways: Ways, { caller, view, wish }: Admitted): Promise<StreamEnd> {
  const { kind, ...rest } = wish;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) query.set(name, String(value));
  const socketPath = await ways.socketOf(view);
  const path = `/guest/${view.assignmentId}/streams/${kind}?${query.toString()}`;
  try {
    return await dialSocketEnd({
      to: { path: socketPath },
      path,
      headers: { 'x-caller': caller.actor.id! },
      limitMs: dialLimitMs,
    });
  } catch (error) {
    if (error instanceof NotSwitched) throw faultOf(error.body);
    throw new Fault('node_unreachable', 'The node does not answer.', { cause: error, retryAfterSeconds: 2 });
  }
}

/** The node's problem as a Fault; a code that is not of the closed list is not passed on. */
function faultOf(text: string): Fault {
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    if (isFault(error)) throw error;
  }
  if (saysTooOld(body)) return new Fault('unsupported', 'The node of this desktop gives no streams yet.');
  const { code, detail } = body;
  if (typeof code !== 'string' || !(code in problems) || typeof detail !== 'string')
    return new Fault('internal', 'The node answered with an unknown problem.', { cause: text.slice(0, 200) });
  return new Fault(code, detail);
}
