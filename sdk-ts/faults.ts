/** The body of an error answer, RFC 9457. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  code: string;
  detail?: string;
  /** What to do next. */
  hint?: string;
  requestId?: string;
  retryable?: boolean;
  errors?: { pointer?: string; code?: string; message?: string }[];
  [member: string]: unknown;
}

/** Everything that this package throws on purpose. */
export class LeBureauError extends Error {
  override readonly name: string = 'LeBureauError';
}

/** The API answered with an error. Each code has a class of its own in `@lebureau/sdk/errors`. */
export class ApiError extends LeBureauError {
  override readonly name: string = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly hint: string | undefined;
  readonly requestId: string | null;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  /** The whole body, with the members that only this code has. */
  readonly problem: ProblemBody;

  constructor(
    problem: ProblemBody,
    facts: { status: number; requestId: string | null; retryAfterMs?: number | undefined },
  ) {
    const detail = problem.detail ?? problem.title ?? `HTTP ${facts.status}`;
    super(problem.hint ? `${detail} (${problem.code}) ${problem.hint}` : `${detail} (${problem.code})`);
    this.status = facts.status;
    this.code = problem.code;
    this.detail = detail;
    this.hint = problem.hint;
    this.requestId = problem.requestId ?? facts.requestId;
    this.retryable = problem.retryable ?? false;
    this.retryAfterMs = facts.retryAfterMs;
    this.problem = problem;
  }
}

/** No answer came: the address is wrong, or the connection broke. */
export class ConnectionError extends LeBureauError {
  override readonly name = 'ConnectionError';
}

/** No answer came within `timeoutMs`. */
export class CallTimeoutError extends LeBureauError {
  override readonly name = 'CallTimeoutError';
}

/** The caller's `signal` aborted. */
export class AbortedError extends LeBureauError {
  override readonly name = 'AbortedError';
}
