import type { Write } from '../db/database.ts';
import type { Caller } from '../keys/auth.ts';
import type { Peer } from '../nodes/peer.ts';
import type { Operation } from './operation.ts';
import type { Static, TSchema } from './schema.ts';

/** One request, parsed and allowed. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  request: Request;
  requestId: string;
  /** Absent only where the operation needs no key. */
  caller: Caller;
  /** Who speaks; on a node listener only. */
  peer: Peer | undefined;
  params: Params;
  query: Query;
  body: Body;
  /** The bytes of a JSON body, to be passed on as they came. */
  bytes: Uint8Array | undefined;
}

export interface Reply {
  status: number;
  /** Sent as JSON; absent: none. */
  body?: unknown;
  /** In the place of `body`: JSON already written, or what is no JSON with its Content-Type in `headers`. */
  text?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  /** What a replay says instead of `body`, where that holds a secret. */
  replayBody?: unknown;
}

export type Handler<Params, Query, Body> = (call: Call<Params, Query, Body>) => Promise<Reply | Response>;
export type WriteHandler<Params, Query, Body> = (call: Call<Params, Query, Body>, write: Write) => Promise<Reply>;

/** An operation and what carries it out: `handle`, or `write` inside the one transaction of the request. */
export interface Route {
  operation: Operation;
  handle?: Handler<never, never, never>;
  write?: WriteHandler<never, never, never>;
}

type HandlerOf<It, Kind extends 'read' | 'write'> =
  It extends Operation<infer Params, infer Query, infer Body>
    ? Kind extends 'read'
      ? Handler<Static<Params>, Static<Query>, Static<Body>>
      : WriteHandler<Static<Params>, Static<Query>, Static<Body>>
    : never;

export function route<Params extends TSchema, Query extends TSchema, Body extends TSchema>(
  operation: Operation<Params, Query, Body>,
  handle: HandlerOf<Operation<Params, Query, Body>, 'read'>,
): Route {
  return { operation, handle: handle as Handler<never, never, never> };
}

/** A POST of this kind is idempotent with its key in the same transaction. */
export function writeRoute<Params extends TSchema, Query extends TSchema, Body extends TSchema>(
  operation: Operation<Params, Query, Body>,
  write: HandlerOf<Operation<Params, Query, Body>, 'write'>,
): Route {
  return { operation, write: write as WriteHandler<never, never, never> };
}
