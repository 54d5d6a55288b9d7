import { Fault } from '@lebureau/kit/fault';
import { type ProblemCode, problems } from './problems.ts';

/** The problem body (RFC 9457) of a Fault; a code that is not of the closed list is `internal`. */
export function problemOf(
  fault: Fault,
  requestId: string,
): { status: number; body: Record<string, unknown>; headers: Record<string, string> } {
  const code: ProblemCode = fault.code in problems ? (fault.code as ProblemCode) : 'internal';
  const { status, title, hint, retryable } = problems[code];
  const detail = code === fault.code ? fault.message : problems.internal.title;
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' };
  if (fault.extra.retryAfterSeconds !== undefined)
    headers['Retry-After'] = String(Math.ceil(fault.extra.retryAfterSeconds));
  else if (status === 503) headers['Retry-After'] = '1';
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  return {
    status,
    body: {
      ...fault.extra.members,
      type: `/docs/errors#${code}`,
      title,
      status,
      code,
      detail,
      hint: fault.extra.hint ?? hint,
      requestId,
      retryable,
    },
    headers,
  };
}

export function problemResponse(fault: Fault, requestId: string, extraHeaders: Record<string, string> = {}): Response {
  const { status, body, headers } = problemOf(fault, requestId);
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...extraHeaders, ...headers, 'X-Request-Id': requestId },
  });
}

/** The short form for what is not there, or not there for this key. */
export function notFound(what: string): Fault {
  return new Fault('not_found', `There is no such ${what}.`);
}
