/**
 * The one error type. Expected outcomes are Faults; anything else that is thrown is a bug.
 * `code` is from the closed list of the contract, `detail` is for people and goes over the wire,
 * `cause` stays in the log.
 */
export class Fault extends Error {
  readonly code: string;
  readonly extra: FaultExtra;

  constructor(code: string, detail: string, extra: FaultExtra = {}) {
    super(detail, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = 'Fault';
    this.code = code;
    this.extra = extra;
  }
}

export interface FaultExtra {
  /** What to do next, one sentence. */
  hint?: string;
  retryAfterSeconds?: number;
  /** Further members of the problem body (RFC 9457 extension members). */
  members?: Record<string, unknown>;
  /** For the log only. */
  cause?: unknown;
}

export function isFault(error: unknown, code?: string): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

/** One line for a log: the message and those of its causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 5; depth++) {
    parts.push(at instanceof Error ? at.message : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
