import type { Capability } from '../keys/capabilities.ts';
import type { ProblemCode } from './problems.ts';
import type { TSchema } from './schema.ts';

/** How a body travels when it is no JSON. */
export type Streamed = 'octets' | 'image' | 'events' | 'text';

export interface Answer {
  about: string;
  /** Absent: no body. */
  body?: TSchema | Streamed;
  /** What is answered as JSON in the place of a streamed body, where the request asks for that. */
  json?: TSchema;
  /** What the `data` of each server-sent event is. */
  item?: TSchema;
  /** Response headers besides those that every answer has: name to description. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * One operation of a contract. The router, the validation and the OpenAPI document are all made of it, so that they
 * cannot disagree.
 */
export interface Operation<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
> {
  operationId: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/v1/desktops/:desktopId` */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /**
   * The capability a key or role needs; `key`: any; `session`: somebody who signed in; `none`: no key; `gateway`: only for
   * the gateway; `node`: only for the other half of the node contract.
   */
  capability: Capability | 'key' | 'session' | 'none' | 'gateway' | 'node';
  /** Of the node contract: served to a peer that has no certificate yet. */
  unidentified?: boolean;
  /** Rate-limit bucket; absent: not limited. */
  bucket?: Bucket;
  params?: Params;
  query?: Query;
  /** Request headers that matter: name to description. */
  headers?: Readonly<Record<string, string>>;
  body?: Body | 'octets';
  /** Limit of a JSON body. Default 64 KiB. */
  bodyMaxBytes?: number;
  /** The body may be left out. */
  bodyOptional?: boolean;
  responses: Readonly<Record<number, Answer>>;
  /** Besides those that the document adds for what the operation has (key, capability, body, bucket). */
  problems?: readonly ProblemCode[];
}

/** Keeps the types of the schemas, so that a handler knows what it gets. */
export function operation<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
>(it: Operation<Params, Query, Body>): Operation<Params, Query, Body> {
  return it;
}

export const buckets = ['control', 'input', 'screenshot', 'exec', 'files', 'streams'] as const;
export type Bucket = (typeof buckets)[number];
