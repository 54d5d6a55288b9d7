import type { ProblemCode } from '../http/problems.ts';
import type { TSchema } from '../http/schema.ts';

/** One row of the table in `contract.ts`. */
export interface GuestOperation {
  operationId: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v1/desktops/{id}` and `/guest/{assignmentId}`. */
  path: string;
  summary: string;
  capability: 'desktop:view' | 'desktop:control' | 'files:read' | 'files:write';
  /** Rate-limit bucket. */
  bucket: 'input' | 'screenshot' | 'exec' | 'files' | 'control';
  params?: TSchema;
  query?: TSchema;
  /** A schema: a JSON body. `octets`: streamed bytes. */
  body?: TSchema | 'octets';
  /** A schema: a JSON answer with `status`. The others are streamed. */
  response: TSchema | 'image' | 'octets' | 'events' | 'nothing';
  /** Default 200, and 204 for `nothing`. */
  status?: 200 | 201;
  /** Limit of a JSON body. Default 1 MiB. */
  bodyMaxBytes?: number;
  /** Besides those of its bucket. */
  problems?: readonly ProblemCode[];
  /** It writes with mouse, keyboard or clipboard, so whoever holds control may be somebody else. */
  writes?: true;
  /** Member of the answer that a replay leaves out. */
  secret?: string;
  /** Its answer may take minutes. */
  slow?: true;
  /** A hostd of 0.1.0 does not know it. */
  younger?: true;
}
