import { Fault } from '@lebureau/kit/fault';
import { closeCodes } from '@lebureau/kit/streamEnd';
import { OpenUses } from '../desktops/openUses.ts';
import { getDesktop } from '../desktops/operations.ts';
import { allowedActionsOf, statusOf } from '../desktops/status.ts';
import { renewExpiry } from '../desktops/store.ts';
import type { Usage } from '../desktops/usage.ts';
import { type DesktopView, factsOf, isReady } from '../desktops/view.ts';
import { boundedText } from '../http/boundedText.ts';
import { problems } from '../http/problems.ts';
import type { Call } from '../http/route.ts';
import { credentialOf } from '../keys/stillGood.ts';
import type { Ways } from '../reach/ways.ts';
import type { Services } from '../services.ts';
import type { GuestOperation } from './guestOperation.ts';
import { saysTooOld } from './tooOld.ts';

const sentDown = [
  'content-type',
  'range',
  'accept',
  'if-none-match',
  'if-range',
  'last-event-id',
  'traceparent',
  'control-lease',
];
const sentUp = [
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'etag',
  'last-modified',
  'cache-control',
  'content-disposition',
  'frame',
  'retry-after',
];
/** Several rounds of the loop that writes down which desktops were used. */
const renewedBelowMs = 10_000;
const answerTimeoutMs = 60_000;
const longAnswerTimeoutMs = 660_000;
const problemMaxBytes = 65_536;

interface ForwardParams {
  desktopId: string;
}

/** Carries one guest operation to the node of the desktop and its answer back; bodies are streamed both ways. */
export class Forwarder {
  readonly #services: Services;
  readonly #usage: Usage;
  readonly #ways: Pick<Ways, 'socketOf'>;
  /** Who came with something that has ended since is not served to the end: the node hears it, and stops what it can. */
  readonly #open: OpenUses;

  constructor(services: Services, at: { usage: Usage; ways: Pick<Ways, 'socketOf'> }) {
    this.#services = services;
    this.#usage = at.usage;
    this.#ways = at.ways;
    const { database, clock, log } = services;
    // Without the end of the service: calls may come to theirs.
    this.#open = new OpenUses({ database, clock, log });
  }

  async forward(operation: GuestOperation, call: Call<ForwardParams>): Promise<Response> {
    const view = await getDesktop(this.#services, call.caller, call.params.desktopId);
    demandReady(view, this.#services.clock.nowMs());
    const cut = new AbortController();
    const end = this.#begin(operation, call, { view, cut });
    try {
      if (view.expiresMs !== null) await this.#renew(view, view.expiresMs);
      const answer = await this.#ask(operation, call, { view, cut: cut.signal });
      if (answer.headers.get('content-type')?.startsWith('application/problem+json')) {
        const problem = await problemFrom(answer, call.requestId, operation.younger);
        end();
        return problem;
      }
      const bodiless = answer.status === 204 || answer.status === 304;
      // What is made while it is read may last; of everything else the node is done.
      const lasts = view.ephemeral === 1 || operation.response === 'octets' || operation.response === 'events';
      const body = bodiless ? null : lasts ? ended(answer.body, end) : answer.body;
      if (body === null || !lasts) end();
      return new Response(body, { status: answer.status, headers: picked(answer.headers, sentUp) });
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Counts the call as one that runs. @returns what says that it is over */
  #begin(
    operation: GuestOperation,
    { caller, request }: Call<ForwardParams>,
    { view, cut }: { view: DesktopView; cut: AbortController },
  ): () => void {
    const endUse = view.ephemeral === 1 ? this.#usage.begin(view.id) : () => {};
    const use = {
      credential: credentialOf(caller),
      capability: operation.capability,
      desktopId: view.id,
      close: (code: number) => cut.abort(code),
    };
    this.#open.add(use);
    const end = () => {
      request.signal.removeEventListener('abort', end);
      this.#open.remove(use);
      endUse();
    };
    request.signal.addEventListener('abort', end, { once: true });
    return end;
  }

  /** The loop writes a use down later than that, and another replica may find the time over before. */
  async #renew(view: DesktopView, expiresMs: number): Promise<void> {
    const { database, clock } = this.#services;
    const nowMs = clock.nowMs();
    if (expiresMs - nowMs > renewedBelowMs) return;
    if ((await database.write((write) => renewExpiry(write, [view.id], nowMs))) === 1) return;
    throw new Fault('wrong_state', 'The desktop is being destroyed.', {
      members: { desktopStatus: 'destroying', allowedActions: [] },
    });
  }

  async #ask(
    operation: GuestOperation,
    call: Call<ForwardParams>,
    { view, cut }: { view: DesktopView; cut: AbortSignal },
  ): Promise<Response> {
    const { request, requestId, params } = call;
    const { pathname, search } = new URL(request.url);
    const path = pathname.slice(pathname.indexOf(params.desktopId) + params.desktopId.length);
    const unix = await this.#ways.socketOf(view);
    const slow =
      operation.slow || operation.bucket === 'exec' || operation.bucket === 'input' || operation.body === 'octets';
    const headersWithin = new AbortController();
    const timer = setTimeout(() => headersWithin.abort(), slow ? longAnswerTimeoutMs : answerTimeoutMs);
    if (operation.body === 'octets') clearTimeout(timer);
    try {
      return await fetch(`http://node/guest/${view.assignmentId}${path}${search}`, {
        unix,
        method: operation.method,
        headers: {
          ...picked(request.headers, sentDown),
          'x-request-id': requestId,
          'x-caller': call.caller.actor.id ?? '',
        },
        body: operation.body === 'octets' ? request.body : call.bytes,
        signal: AbortSignal.any([
          request.signal,
          headersWithin.signal,
          cut,
          // Who follows goes on elsewhere; everything else may come to its end.
          ...(operation.response === 'events' ? [this.#services.ending] : []),
        ]),
        redirect: 'manual',
        decompress: false,
        timeout: false,
      } as RequestInit);
    } catch (error) {
      const why = {
        cut: cut.aborted ? Number(cut.reason) : undefined,
        timedOut: headersWithin.signal.aborted,
        left: request.signal.aborted,
      };
      throw unreachable(error, why);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** @throws Fault that says why nobody can reach into it now */
export function demandReady(view: DesktopView, nowMs: number): void {
  const facts = factsOf(view, nowMs);
  const status = statusOf(facts);
  if (isReady(view, status)) return;
  const members = { desktopStatus: status, allowedActions: allowedActionsOf(status, facts) };
  if (status === 'unknown')
    throw new Fault('node_unreachable', 'The node of this desktop has not been heard for a while.', {
      retryAfterSeconds: 5,
      members,
    });
  if (['pending', 'booting', 'running'].includes(status))
    throw new Fault('not_ready', `The desktop is ${status} and not ready yet.`, { retryAfterSeconds: 1, members });
  throw new Fault('wrong_state', `The desktop is ${status}; it must be running.`, { members });
}

function picked(headers: Headers, names: readonly string[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) result[name] = value;
  }
  return result;
}

/** The node's problem under our request id; a code that is not of the closed list is not passed on. */
async function problemFrom(answer: Response, requestId: string, younger = false): Promise<Response> {
  const body = await membersOf(answer);
  if (younger && saysTooOld(body)) throw new Fault('unsupported', 'The node of this desktop cannot do that yet.');
  const code =
    typeof body['code'] === 'string' && body['code'] in problems ? (body['code'] as keyof typeof problems) : undefined;
  if (code === undefined) throw new Fault('internal', 'The node answered with an unknown problem.', { cause: body });
  const { status, title, hint, retryable } = problems[code];
  const headers: Record<string, string> = {
    'Content-Type': 'application/problem+json',
    ...picked(answer.headers, ['retry-after', 'content-range']),
  };
  if (status === 503) headers['retry-after'] ??= '1';
  const text = JSON.stringify({
    hint,
    detail: title,
    ...body,
    type: `/docs/errors#${code}`,
    title,
    status,
    code,
    retryable,
    requestId,
  });
  return new Response(text, { status, headers });
}

/** A node that went wrong may say anything, and as much as it likes. */
async function membersOf(answer: Response): Promise<Record<string, unknown>> {
  try {
    const members: unknown = JSON.parse((await boundedText(answer, problemMaxBytes)) ?? '');
    return typeof members === 'object' && members !== null ? { ...members } : {};
  } catch {
    return {};
  }
}

const neverConnected = new Set(['ConnectionRefused', 'FailedToOpenSocket', 'ENOENT', 'ECONNREFUSED']);

function unreachable(error: unknown, why: { cut: number | undefined; timedOut: boolean; left: boolean }): Fault {
  if (why.cut === closeCodes.restarting)
    return new Fault(
      'timeout',
      'Whether you may still do that is not known now; it may have been carried out in part.',
    );
  if (why.cut !== undefined)
    return new Fault('timeout', 'The right to do that has ended meanwhile; it may have been carried out in part.');
  if (why.timedOut) return new Fault('timeout', 'The node did not answer in time.', { cause: error });
  if (why.left) return new Fault('timeout', 'The client went away.');
  const code = (error as { code?: string }).code ?? '';
  if (neverConnected.has(code))
    return new Fault('node_unreachable', 'The node does not answer.', { cause: error, retryAfterSeconds: 2 });
  return new Fault('timeout', 'The node went away before it answered; it may have been carried out.', { cause: error });
}

/** The body, telling when it was read to its end or given up. */
function ended(body: ReadableStream<Uint8Array> | null, end: () => void): ReadableStream<Uint8Array> | null {
  if (body === null) return null;
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await reader.read().catch(() => undefined);
        if (piece?.value) controller.enqueue(piece.value);
        if (piece?.done === false) return;
        end();
        if (piece) controller.close();
        // Whoever reads must not take it for the whole. Without a reason: the runtime would print it.
        else controller.error();
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
