import { Fault } from '@lebureau/kit/fault';
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
  await demandStreams(ways, { caller, view, wish });
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
async function demandStreams(ways: Ways, asked: Admitted): Promise<void> {
  const { view } = asked;
  const headers = behindOf(asked.caller);
  const problem = await refusalOf(ways, view, { path: streamPathOf(asked), headers });
  // A hostd that is older cannot be asked that; whether it gives streams at all, its control says.
  const said = saysTooOld(problem ?? {})
    ? await refusalOf(ways, view, { path: `/guest/${view.assignmentId}/control`, headers })
    : problem;
  if (said !== undefined) throw faultOf(said);
}

/** @returns the node's problem; undefined: there is none */
async function refusalOf(
  ways: Ways,
  view: DesktopView,
  { path, headers }: { path: string; headers: Record<string, string> },
): Promise<Record<string, unknown> | undefined> {
  const unix = await ways.socketOf(view);
  const answer = await fetch(`http://node${path}`, {
    unix,
    headers,
    signal: AbortSignal.timeout(askLimitMs),
  } as RequestInit).catch((error: unknown) => {
    throw new Fault('node_unreachable', 'The node does not answer.', { cause: error, retryAfterSeconds: 2 });
  });
  const text = await answer.text();
  return answer.ok ? undefined : bodyOf(text);
}

function streamPathOf({ view, wish }: Pick<Admitted, 'view' | 'wish'>): string {
  const { kind, ...rest } = wish;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) query.set(name, String(value));
  return `/guest/${view.assignmentId}/streams/${kind}?${query.toString()}`;
}

/** Who calls, and whose streams hostd counts together: a person has as many as they have, not as their keys have. */
function behindOf({ actor, maker }: Caller): Record<string, string> {
  return { 'x-caller': actor.id!, 'x-behind': maker?.userId ?? actor.id! };
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
export async function dialNode(ways: Ways, admitted: Admitted): Promise<StreamEnd> {
  const socketPath = await ways.socketOf(admitted.view);
  try {
    return await dialSocketEnd({
      to: { path: socketPath },
      path: streamPathOf(admitted),
      headers: behindOf(admitted.caller),
      limitMs: dialLimitMs,
    });
  } catch (error) {
    if (error instanceof NotSwitched) throw faultOf(bodyOf(error.body));
    throw new Fault('node_unreachable', 'The node does not answer.', { cause: error, retryAfterSeconds: 2 });
  }
}

/** The node's problem as a Fault; a code that is not of the closed list is not passed on. */
function faultOf(body: Record<string, unknown>): Fault {
  if (saysTooOld(body)) return new Fault('unsupported', 'The node of this desktop gives no streams yet.');
  const { code, detail, hint } = body;
  if (typeof code !== 'string' || !(code in problems) || typeof detail !== 'string')
    return new Fault('internal', 'The node answered with an unknown problem.', {
      cause: JSON.stringify(body).slice(0, 200),
    });
  return new Fault(code, detail, typeof hint === 'string' ? { hint } : {});
}

function bodyOf(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  } catch {
    // Said below.
  }
  return { text: text.slice(0, 200) };
}
