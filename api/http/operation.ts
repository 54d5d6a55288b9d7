import type { Capability } from '../keys/capabilities.ts';
import type { ProblemCode } from './problems.ts';
import type { TSchema } from './schema.ts';

/** How a body travels when it is no JSON. */
export type Streamed = 'octets' | 'image' | 'events' | 'text';

export interface Answer {
  about: string;
  /** Absent: no body. */
  body?: TSchema | Streamed;
  /** Response headers besides those that every answer has: name to description. */
  headers?: Readonly<Record<string, string>>;
  example?: unknown;
}

/**
 * One operation of a contract. The router, the validation and the OpenAPI document are all made of it, so that they
 * cannot disagree.
 */
export interface Operation {
  operationId: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/v1/desktops/:desktopId` */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** The capability a key needs; `key`: any key; `none`: no key; `node`: only for the other half of the node contract. */
  capability: Capability | 'key' | 'none' | 'node';
  /** Rate-limit bucket; absent: not limited. */
  bucket?: Bucket;
  params?: TSchema;
  query?: TSchema;
  /** Request headers that matter: name to description. */
  headers?: Readonly<Record<string, string>>;
  body?: TSchema | 'octets';
  /** Limit of a JSON body. Default 64 KiB. */
  bodyMaxBytes?: number;
  requestExample?: unknown;
  responses: Readonly<Record<number, Answer>>;
  /** Besides those that the document adds for what the operation has (key, capability, body, bucket). */
  problems?: readonly ProblemCode[];
}

export const buckets = ['control', 'input', 'screenshot', 'exec', 'files'] as const;
export type Bucket = (typeof buckets)[number];
