import type { IncomingMessage, ServerResponse } from 'node:http';
import { toFetchResponse, toReqRes } from 'fetch-to-node';

/** What a library for node:http is given and gives, for one Request. */
export interface Bridged {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  /** Its answer, once it has written one. */
  response: Promise<Response>;
}

export interface BridgedRequest {
  method: string;
  /** Path and query. */
  target: string;
  headers: Record<string, string>;
  body?: string;
}

/** @param origin how browsers know us: what the library makes URLs of */
export function bridge(origin: string, { method, target, headers, body }: BridgedRequest): Bridged {
  const { protocol, host } = new URL(origin);
  const all = new Headers(headers);
  all.set('host', host);
  all.set('x-forwarded-proto', protocol.slice(0, -1));
  if (body !== undefined) all.set('content-length', String(Buffer.byteLength(body)));
  const { req, res } = toReqRes(new Request(origin + target, { method, headers: all, body }));
  // There is no socket behind it, and the library asks it whether the connection is encrypted.
  Object.defineProperty(req, 'socket', { value: { encrypted: protocol === 'https:' } });
  return { incoming: req, outgoing: res, response: toFetchResponse(res) };
}
