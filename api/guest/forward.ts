import { Fault } from '@lebureau/kit/fault';
import { getDesktop } from '../desktops/operations.ts';
import { allowedActionsOf, statusOf } from '../desktops/status.ts';
import { renewExpiry } from '../desktops/store.ts';
import type { Usage } from '../desktops/usage.ts';
import { type DesktopView, factsOf, isReady } from '../desktops/view.ts';
import { boundedText } from '../http/boundedText.ts';
import { problems } from '../http/problems.ts';
import type { Call } from '../http/route.ts';
import type { Ways } from '../reach/ways.ts';
import { whileGood } from '../keys/whileGood.ts';
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
  readonly #ways: Ways;

  constructor(services: Services, at: { usage: Usage; ways: Ways }) {
    this.#services = services;
    this.#usage = at.usage;
    this.#ways = at.ways;
  }

  async forward(operation: GuestOperation, call: Call<ForwardParams>): Promise<Response> {
    const view = await getDesktop(this.#services, call.caller, call.params.desktopId);
    demandReady(view, this.#services.clock.nowMs());
    const end = view.ephemeral === 1 ? this.#usage.begin(view.id) : () => {};
    try {
      if (view.expiresMs !== null) await this.#renew(view, view.expiresMs);
      const answer = await this.#ask(operation, call, view);
      if (answer.headers.get('content-type')?.startsWith('application/problem+json'))
        return await problemFrom(answer, call.requestId, operation.younger);
      const bodiless = answer.status === 204 || answer.status === 304;
      const body = bodiless ? null : view.ephemeral === 1 ? ended(answer.body, end) : answer.body;
      if (body === null) end();
      return new Response(body, { status: answer.status, headers: picked(answer.headers, sentUp) });
    } catch (error) {
      end();
      throw error;
    }
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

  async #ask(operation: GuestOperation, call: Call<ForwardParams>, view: DesktopView): Promise<Response> {
    const { request, requestId, params } = call;
    const { pathname, search } = new URL(request.url);
    const path = pathname.slice(pathname.indexOf(params.desktopId) + params.desktopId.length);
    const unix = await this.#ways.socketOf(view);
    const slow =
      operation.slow || operation.bucket === 'exec' || operation.bucket === 'input' || operation.body === 'octets';
    const headersWithin = new AbortController();
    const timer = setTimeout(() => headersWithin.abort(), slow ? longAnswerTimeoutMs : answerTimeoutMs);
    if (operation.body === 'octets') clearTimeout(timer);
    const over = new AbortController();
    try {
      const answer = await fetch(`http://node/guest/${view.assignmentId}${path}${search}`, {
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
          // Who follows goes on elsewhere; everything else may come to its end.
          ...(operation.response === 'events'
            ? [
                this.#services.ending,
                whileGood(this.#services, call.caller, {
                  capability: operation.capability,
                  left: AbortSignal.any([request.signal, over.signal]),
                }),
              ]
            : []),
        ]),
        redirect: 'manual',
        decompress: false,
        timeout: false,
      } as RequestInit);
      return operation.response === 'events' ? endingWith(answer, over) : answer;
    } catch (error) {
      over.abort();
      throw unreachable(error, { timedOut: headersWithin.signal.aborted, left: request.signal.aborted });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The same answer; `over` is told when its body came to an end. */
function endingWith(answer: Response, over: AbortController): Response {
  const end = new TransformStream<Uint8Array, Uint8Array>({ flush: () => over.abort() });
  return new Response(answer.body?.pipeThrough(end), answer);
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

function unreachable(error: unknown, why: { timedOut: boolean; left: boolean }): Fault {
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
        const { done, value } = await reader.read().catch((error: unknown) => {
          end();
          throw error;
        });
        if (value) controller.enqueue(value);
        if (!done) return;
        end();
        controller.close();
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
