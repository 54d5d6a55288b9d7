import { AbortedError, ApiError, type LeBureauError } from './faults.ts';

/**
 * - `any`: the request may be sent again whatever happened to it (reads, whole writes, anything with an idempotency key that is kept).
 * - `refused`: it has an effect inside a desktop, so it is sent again only after an answer which says that nothing was done.
 * - `never`: its body was a stream.
 */
export type RetryPolicy = 'any' | 'refused' | 'never';

const pauseFirstMs = 500;
const pauseMaxMs = 8000;
/** A server that asks for a longer pause is not waited for: the caller decides. */
const retryAfterMaxMs = 60_000;

export function shouldRetry(policy: RetryPolicy, fault: LeBureauError): boolean {
  if (policy === 'never' || fault instanceof AbortedError) return false;
  if (!(fault instanceof ApiError)) return policy === 'any';
  if ((fault.retryAfterMs ?? 0) > retryAfterMaxMs) return false;
  if (fault.status === 429) return true;
  if (policy === 'refused') return fault.status === 503 && refusedCodes.has(fault.code);
  if (fault.status === 409) return fault.retryable;
  return fault.status === 408 || (fault.status >= 500 && fault.problem.retryable !== false);
}

/** Answered before anything reached the desktop. */
const refusedCodes = new Set(['not_ready', 'unavailable']);

/** 0.5 s · 2ⁿ up to 8 s, of which a quarter at most is taken off by chance. */
export function backoffMs(retry: number): number {
  return Math.min(pauseMaxMs, pauseFirstMs * 2 ** retry) * (1 - Math.random() / 4);
}

/** `Retry-After` as seconds or as a date; the date is measured against the server's own clock. */
export function retryAfterMs(response: Response): number | undefined {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text) - Date.parse(response.headers.get('date') ?? '');
  return Number.isNaN(at) ? undefined : Math.max(0, at);
}
