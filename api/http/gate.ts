import type { Clock } from '@lebureau/kit/clock';
import { Fault, describeError } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import type { Log } from '@lebureau/kit/log';
import type { Database } from '../db/database.ts';
import { type Authenticator, type Caller, requireCapability } from '../keys/auth.ts';
import { boundedText } from './boundedText.ts';
import { parseJson, readBody } from './body.ts';
import {
  type KeptAnswer,
  type Once,
  claim,
  forwardedKeptMax,
  keep,
  onceOf,
  outcomeUnknown,
  release,
  tooLong,
} from './idempotency.ts';
import type { Peer } from '../nodes/peer.ts';
import type { RequestMetrics } from './metrics.ts';
import type { Operation } from './operation.ts';
import { problemResponse } from './problem.ts';
import { parseQuery } from './query.ts';
import { RateLimited, type RateLimiter } from './rateLimit.ts';
import type { Call, Reply, Route } from './route.ts';
import { t } from './schema.ts';
import { invalid, validate } from './validate.ts';

export interface GateOptions {
  database: Database;
  authenticator: Authenticator;
  limiter: RateLimiter;
  metrics: RequestMetrics;
  clock: Clock;
  log: Log;
}

const noQuery = t.Object({});
const bodyMaxBytesDefault = 65_536;
/** With the second that an answer about a key is kept, it stays below the two within which a right ends. */
const admittedForMs = 500;
/** What a desktop answers is held until it is whole, to know whether it was; no more than this. */
const forwardedMaxBytes = 33_554_432;
const nobody: Caller = { actor: { type: 'system' }, workspaceId: '', capabilities: new Set(), restriction: null };

/** What every request passes on its way to an operation, and every answer on its way out. */
export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * Answers one request; every failure becomes a problem. `mayBeSilent` is called once the caller is known and a JSON
   * body was read: what follows bounds itself and may take longer than a connection is left idle.
   */
  async serve(
    route: Route,
    request: Request,
    at: { params: unknown; peer?: Peer; mayBeSilent?: () => void },
  ): Promise<Response> {
    const { metrics, clock } = this.#options;
    const startMs = clock.monotonicMs();
    const requestId = requestIdOf(request, clock);
    const headers: Record<string, string> = { 'X-Request-Id': requestId };
    let response: Response;
    try {
      response = await this.#pass(route, { ...at, request, requestId, headers });
    } catch (error) {
      response = this.fail(error, { requestId, headers, operationId: route.operation.operationId });
    }
    metrics.count(route.operation.operationId, response.status, clock.monotonicMs() - startMs);
    return response;
  }

  /** The problem answer for whatever was thrown; what is no Fault is a bug and goes to the log in full. */
  fail(error: unknown, at: { requestId: string; headers?: Record<string, string>; operationId?: string }): Response {
    const { requestId, operationId } = at;
    if (error instanceof Fault) {
      if (error.extra.cause !== undefined)
        this.#options.log.warn('request failed', {
          requestId,
          operationId,
          code: error.code,
          error: describeError(error),
        });
      return problemResponse(
        error,
        requestId,
        error instanceof RateLimited ? { ...at.headers, ...error.headers } : at.headers,
      );
    }
    if (isOverload(error)) {
      this.#options.log.warn('database overloaded', { requestId, operationId });
      return problemResponse(new Fault('unavailable', 'The database is busy.'), requestId, at.headers);
    }
    const stack = error instanceof Error ? error.stack : undefined;
    this.#options.log.error('request broke', { requestId, operationId, error: describeError(error), stack });
    return problemResponse(new Fault('internal', 'Something broke on our side.'), requestId, at.headers);
  }

  async #pass(
    route: Route,
    at: {
      request: Request;
      requestId: string;
      params: unknown;
      peer?: Peer;
      headers: Record<string, string>;
      mayBeSilent?: () => void;
    },
  ): Promise<Response> {
    const { request, requestId, headers } = at;
    const { operation } = route;
    const { clock } = this.#options;
    const admittedMs = clock.monotonicMs();
    let caller = await this.#admit(operation, request, headers);
    demandIdentity(operation, at.peer);
    const params = operation.params ? validate(operation.params, at.params, '/path') : undefined;
    const wanted = operation.query ?? noQuery;
    const query = validate(wanted, parseQuery(wanted, request.url), '/query');
    const bytes =
      operation.body && operation.body !== 'octets'
        ? await readBody(request, { maxBytes: operation.bodyMaxBytes ?? bodyMaxBytesDefault, clock })
        : undefined;
    // Whoever lets a body trickle in comes with what may have been revoked meanwhile.
    if (clock.monotonicMs() - admittedMs > admittedForMs) caller = await this.#admit(operation, request);
    if (operation.method !== 'GET') at.mayBeSilent?.();
    const body = bytes === undefined ? undefined : bodyOf(operation, bytes, request);
    const call: Call = { request, requestId, caller, peer: at.peer, params, query, body, bytes };
    const reply = await this.#carryOut(route, call as Call<never, never, never>);
    return respond(reply, headers);
  }

  /** @param headers get what is left of the rate limit; without them nothing is taken from it */
  async #admit(operation: Operation, request: Request, headers?: Record<string, string>): Promise<Caller> {
    const { capability, bucket } = operation;
    if (capability === 'none' || capability === 'node') return nobody;
    const caller = await this.#options.authenticator.authenticate(request.headers.get('authorization'));
    if (bucket && headers)
      Object.assign(headers, this.#options.limiter.take(caller.actor.id ?? caller.actor.type, bucket));
    demand(caller, capability);
    return caller;
  }

  async #carryOut(route: Route, call: Call<never, never, never>): Promise<Reply | Response> {
    const { operation, handle, write } = route;
    const once =
      operation.method === 'POST' && operation.capability !== 'node' && operation.capability !== 'gateway'
        ? onceOf(call.request, call.caller.actor.id ?? call.caller.actor.type, call.bytes)
        : undefined;
    const { database, clock } = this.#options;
    if (write) {
      return database.write(async (transaction) => {
        const kept = once && (await claim(transaction, once, clock));
        if (kept) return replayOf(kept);
        const reply = await write(call, transaction);
        if (once) await keep(transaction, once, answerOf(reply));
        return reply;
      });
    }
    if (once) return this.#carryOutOnce(once, () => handle!(call));
    return handle!(call);
  }

  /** For what happens outside the database: claimed before, kept after. */
  async #carryOutOnce(once: Once, body: () => Promise<Reply | Response>): Promise<Reply | Response> {
    const { database, clock } = this.#options;
    const kept = await database.write((transaction) => claim(transaction, once, clock));
    if (kept) return replayOf(kept);
    try {
      const reply = await body();
      const answer =
        reply instanceof Response
          ? { status: reply.status, bodyText: (await wholeText(reply.clone())) ?? tooLong }
          : answerOf(reply);
      const code = codeOf(answer);
      if (code !== undefined && refusedCodes.has(code))
        await database.write((transaction) => release(transaction, once));
      else
        await database.write((transaction) =>
          keep(transaction, once, answer.status === 503 ? outcomeUnknown : { ...answer, bodyMax: forwardedKeptMax }),
        );
      return reply;
    } catch (error) {
      const unknown = !(error instanceof Fault) || unknownCodes.has(error.code);
      await database.write((transaction) =>
        unknown ? keep(transaction, once, outcomeUnknown) : release(transaction, once),
      );
      throw error;
    }
  }
}

/** @throws Fault `timeout` for an answer that breaks off */
async function wholeText(answer: Pick<Response, 'body'>): Promise<string | undefined> {
  try {
    return await boundedText(answer, forwardedMaxBytes);
  } catch (cause) {
    throw new Fault('timeout', 'The answer broke off; it may have been carried out.', { cause });
  }
}

/** @throws Fault `capability_missing`, `unauthenticated` */
function demand(caller: Caller, capability: Exclude<Operation['capability'], 'none' | 'node'>): void {
  if (capability === 'gateway' && caller.actor.type !== 'gateway')
    throw new Fault('unauthenticated', 'Only the gateway asks this.');
  if (capability !== 'gateway' && caller.actor.type === 'gateway')
    throw new Fault('unauthenticated', 'The gateway asks this for somebody who signed in, or not at all.');
  if (capability === 'session' && caller.session === undefined)
    throw new Fault('unauthenticated', 'This wants a person who signed in; an API key has no session.');
  if (capability !== 'gateway' && capability !== 'session' && capability !== 'key')
    requireCapability(caller, capability);
}

/** No connection came free in time (pg-pool has no code for it): nothing was asked of the database yet. */
function isOverload(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect';
}

/** @throws Fault `node_refused` on the node contract, unless the operation is how one becomes known */
function demandIdentity(operation: Operation, peer: Peer | undefined): void {
  if (operation.capability !== 'node' || operation.unidentified === true) return;
  if (peer?.kind === 'local' || peer?.kind === 'node') return;
  throw new Fault('node_refused', 'This call wants the certificate of a node.');
}

/** Answered before anything was sent to the desktop. Others, `guest_unreachable` above all, also come after it. */
const refusedCodes = new Set(['not_ready', 'node_unreachable', 'unavailable', 'rate_limited']);
/** Thrown when the node took the request and its answer is missing or cannot be understood. */
const unknownCodes = new Set(['timeout', 'internal']);

/** The problem code of an answer that was refused. */
function codeOf({ status, bodyText }: KeptAnswer): string | undefined {
  if ((status !== 503 && status !== 429) || bodyText === null) return undefined;
  return (JSON.parse(bodyText) as { code?: string }).code;
}

function answerOf(reply: Reply): KeptAnswer {
  const body = reply.replayBody ?? reply.body;
  return {
    status: reply.status,
    bodyText: typeof reply.text === 'string' ? reply.text : body === undefined ? null : JSON.stringify(body),
  };
}

function replayOf(kept: KeptAnswer): Reply {
  return {
    status: kept.status,
    ...(kept.bodyText === null ? {} : { text: kept.bodyText }),
    headers: { 'Idempotent-Replayed': 'true' },
  };
}

function requestIdOf(request: Request, clock: Clock): string {
  const given = request.headers.get('x-request-id');
  return given !== null && /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : newId('req', clock.nowMs());
}

function bodyOf(operation: Operation, bytes: Uint8Array, request: Request): unknown {
  if (bytes.length === 0 && operation.bodyOptional) return validate(operation.body as never, {}, '');
  if (bytes.length === 0) throw invalid([{ pointer: '', code: 'required', message: 'a JSON body is wanted' }]);
  return validate(operation.body as never, parseJson(bytes, request.headers.get('content-type')), '');
}

function respond(reply: Reply | Response, headers: Record<string, string>): Response {
  if (reply instanceof Response) {
    for (const [name, value] of Object.entries(headers)) reply.headers.set(name, value);
    return reply;
  }
  const text = reply.text ?? (reply.body === undefined ? null : JSON.stringify(reply.body));
  const type: Record<string, string> = text === null ? {} : { 'Content-Type': 'application/json' };
  return new Response(text, { status: reply.status, headers: { ...headers, ...type, ...reply.headers } });
}
