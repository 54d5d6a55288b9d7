import type { operations } from '@lebureau/openapi/node';
import { Fault } from '@lebureau/kit/fault';
import type { GuestConnection } from './connection.ts';

/** Every operation of the guest half of the node contract, by the names in `openapi/node.json`. */
type SyncOperationId =
  | 'hello'
  | 'listAssignments'
  | 'reportObservations'
  | 'reportMetrics'
  | 'giveRecording'
  | 'getTrustAnchor'
  | 'join'
  | 'renewCertificate';
export type GuestOperationId = Exclude<keyof operations, SyncOperationId>;

/** One call, as a handler sees it. The API has checked it against the contract. */
export interface GuestCall {
  assignmentId: string;
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  headers: Headers;
  /** Aborts when whoever asked has gone away. */
  signal: AbortSignal;
  /** @throws Fault `invalid_request`, `payload_too_large` */
  json<Body>(): Promise<Body>;
  /** The body as it comes. It fails when the sender goes away before its end. */
  stream(): AsyncIterable<Uint8Array>;
}

export type GuestHandler = (guest: GuestConnection, call: GuestCall) => Promise<Response>;
export type GuestHandlers = Partial<Record<GuestOperationId, GuestHandler>>;

export function answer(value: unknown, status = 200): Response {
  return Response.json(value, { status });
}

export function noContent(): Response {
  return new Response(null, { status: 204 });
}

/** An optional whole number of the query. */
export function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Fault('invalid_request', `${name} wants a whole number.`);
  return Number(text);
}

/** An optional `true` or `false` of the query. */
export function truth(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (text !== 'true' && text !== 'false') throw new Fault('invalid_request', `${name} wants true or false.`);
  return text === 'true';
}

/** A word of the query that must be there. */
export function required(query: URLSearchParams, name: string): string {
  const text = query.get(name);
  if (text === null) throw new Fault('invalid_request', `${name} is missing.`);
  return text;
}
