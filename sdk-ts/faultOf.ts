import { ApiError, type ProblemBody } from './faults.ts';
import { errorClasses } from './generated/errorClasses.ts';
import { retryAfterMs } from './retry.ts';

/** The exception for an error answer: the class of its code, or `ApiError` for a code that this version does not know. */
export async function faultOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const problem = problemIn(text) ?? {
    code: `http_${response.status}`,
    detail: `HTTP ${response.status} without a problem body: ${text.slice(0, 200)}`,
  };
  const facts = {
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    retryAfterMs: retryAfterMs(response),
  };
  const Class = (errorClasses as Record<string, typeof ApiError>)[problem.code] ?? ApiError;
  return new Class(problem, facts);
}

function problemIn(text: string): ProblemBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && 'code' in body ? (body as ProblemBody) : undefined;
  } catch {
    return undefined;
  }
}
