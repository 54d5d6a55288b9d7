import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { type ServerSocketData, serverSocketHandlers } from '@lebureau/kit/serverSocketEnd';
import type { StreamDoor } from '../../streams/streamDoor.ts';
import { readBody, readJson } from './body.ts';
import type { GuestConnection } from './connection.ts';
import type { GuestCall, GuestHandlers, GuestOperationId } from './operation.ts';
import { isBug, problemResponse } from './problem.ts';
import { matchRoute, type Route } from './routes.ts';

export interface GuestServerOptions {
  /** A Unix socket that only its owner may open. */
  socket: string;
  handlers: GuestHandlers;
  /** @throws Fault `not_found` when this node has no such assignment, `not_ready` while its guest does not answer yet. */
  connect: (assignmentId: string) => GuestConnection;
  /** What needs no guest. */
  guestless?: Partial<Record<GuestOperationId, (call: GuestCall) => Promise<Response>>>;
  /** Live streams; left out: none. */
  streams?: StreamDoor;
  clock: Clock;
  log: Log;
}

export interface GuestServer {
  /** Takes no new call and gives running ones up to `limitMs`. */
  close(limitMs: number): Promise<void>;
}

const callsPerGuestMax = 64;
/**
 * Commands, actions and waiting streams are silent for as long as they need, and each has a limit of its own. The types
 * of Bun know this option for TCP only; it works for Unix sockets, where `server.timeout(request, 0)` does not always.
 */
const patience = { idleTimeout: 0 } as object;

/** Serves the guest half of the node contract. */
export function serveGuests(options: GuestServerOptions): GuestServer {
  const folder = dirname(options.socket);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Made where nobody else can enter, and put in its place when its mode is right.
  const draft = mkdtempSync(join(folder, '.guest-'));
  const calls = new Map<string, number>();
  const server = Bun.serve<ServerSocketData>({
    unix: join(draft, 's'),
    // Files have no limit; JSON bodies are limited where they are read.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, it) => options.streams?.answer(request, it) ?? serve(options, calls, request),
    websocket: serverSocketHandlers,
    ...patience,
  });
  chmodSync(join(draft, 's'), 0o600);
  renameSync(join(draft, 's'), options.socket);
  rmdirSync(draft);
  return { close: (limitMs) => closeInTime(server, options, limitMs) };
}

async function closeInTime(
  server: Bun.Server<ServerSocketData>,
  options: GuestServerOptions,
  limitMs: number,
): Promise<void> {
  const over = new AbortController();
  options.streams?.close();
  await Promise.race([server.stop(), options.clock.sleep(limitMs, over.signal)]);
  over.abort();
  await server.stop(true);
  rmSync(options.socket, { force: true });
}

async function serve(options: GuestServerOptions, calls: Map<string, number>, request: Request): Promise<Response> {
  const requestId = request.headers.get('x-request-id')?.slice(0, 100) ?? '';
  try {
    const url = new URL(request.url);
    const route = matchRoute(request.method, url.pathname);
    if (route === 'no path') throw new Fault('not_found', 'This node serves no such path.');
    if (route === 'no method') throw new Fault('method_not_allowed', `${request.method} is not a method of this path.`);
    const response = await inTurn(calls, route.assignmentId, () => handle(options, route, { request, url }));
    response.headers.set('x-request-id', requestId);
    return response;
  } catch (error) {
    if (request.signal.aborted) return new Response(null, { status: 499 });
    const fields = { requestId, path: request.url.replace(/\?.*/, ''), error: describeError(error) };
    if (isBug(error)) options.log.error('guest call broke', fields);
    else options.log.debug('guest call failed', fields);
    return problemResponse(error, requestId);
  }
}

async function handle(
  options: GuestServerOptions,
  route: Route,
  from: { request: Request; url: URL },
): Promise<Response> {
  const call = callOf(route, from.request, from.url);
  const guestless = options.guestless?.[route.operationId];
  if (guestless !== undefined) return guestless(call);
  const handler = options.handlers[route.operationId];
  if (handler === undefined) throw new Fault('unavailable', 'This node cannot do that.');
  return handler(options.connect(route.assignmentId), call);
}

function callOf(route: Route, request: Request, url: URL): GuestCall {
  return {
    assignmentId: route.assignmentId,
    params: route.params,
    query: url.searchParams,
    headers: request.headers,
    signal: request.signal,
    json: <Body>() => readJson<Body>(request),
    stream: () => readBody(request),
  };
}

/** One guest cannot take all of hostd. */
async function inTurn<Value>(
  calls: Map<string, number>,
  assignmentId: string,
  work: () => Promise<Value>,
): Promise<Value> {
  const running = calls.get(assignmentId) ?? 0;
  if (running >= callsPerGuestMax) {
    throw new Fault('rate_limited', `${callsPerGuestMax} calls to this desktop are running already.`, {
      retryAfterSeconds: 1,
    });
  }
  calls.set(assignmentId, running + 1);
  try {
    return await work();
  } finally {
    const left = (calls.get(assignmentId) ?? 1) - 1;
    if (left === 0) calls.delete(assignmentId);
    else calls.set(assignmentId, left);
  }
}
