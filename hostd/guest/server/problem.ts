import { Fault, isFault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';

type Code = components['schemas']['ErrorCode'];

interface Kind {
  status: number;
  title: string;
  retryable?: true;
}

/** What hostd itself can answer with. A Fault with another code is a bug and answers `internal`. */
export const kinds: Partial<Record<Code, Kind>> = {
  invalid_request: { status: 400, title: 'The request is malformed' },
  out_of_bounds: { status: 400, title: 'A coordinate lies outside the screen' },
  unknown_key: { status: 400, title: 'No such key' },
  invalid_path: { status: 400, title: 'The path cannot be used' },
  permission_denied: { status: 403, title: 'The guest refused' },
  not_found: { status: 404, title: 'Not found' },
  file_not_found: { status: 404, title: 'No such file or folder' },
  method_not_allowed: { status: 405, title: 'This path has no such method' },
  wrong_state: { status: 409, title: 'Not possible in this status' },
  human_control: { status: 409, title: 'A person has control' },
  control_held: { status: 409, title: 'Somebody else has control' },
  stale_frame: { status: 409, title: 'The frame is too old' },
  file_exists: { status: 409, title: 'Something is in the way' },
  not_a_directory: { status: 409, title: 'Not a folder' },
  is_a_directory: { status: 409, title: 'It is a folder' },
  directory_not_empty: { status: 409, title: 'The folder is not empty' },
  quota_exceeded: { status: 409, title: 'The quota of the workspace is used up' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  range_not_satisfiable: { status: 416, title: 'The range lies outside the file' },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Something broke on our side', retryable: true },
  unsupported: { status: 501, title: 'The node of this desktop is too old for that' },
  capture_failed: { status: 502, title: 'The screen could not be captured', retryable: true },
  not_ready: { status: 503, title: 'The desktop is not ready', retryable: true },
  guest_unreachable: { status: 503, title: 'The desktop does not answer', retryable: true },
  unavailable: { status: 503, title: 'The service is starting or stopping', retryable: true },
  timeout: { status: 504, title: 'It took too long', retryable: true },
  disk_full: { status: 507, title: 'The disk is full' },
};

/** Turns what was thrown into the problem that goes over the wire; the cause stays behind. */
export function problemResponse(error: unknown, requestId: string): Response {
  const fault = isFault(error) ? error : new Fault('internal', 'Something broke on our side.');
  const known = kinds[fault.code as Code];
  const code = known === undefined ? 'internal' : fault.code;
  const kind = known ?? { status: 500, title: 'Something broke on our side', retryable: true };
  const body = {
    ...fault.extra.members,
    type: `/problems/${code}`,
    title: kind.title,
    status: kind.status,
    code,
    detail: known === undefined ? 'Something broke on our side.' : fault.message,
    // Without one of its own the API gives the hint of the code.
    ...(fault.extra.hint === undefined ? {} : { hint: fault.extra.hint }),
    requestId,
    retryable: kind.retryable ?? false,
  };
  const headers = new Headers({ 'content-type': 'application/problem+json', 'x-request-id': requestId });
  const retryAfter = fault.extra.retryAfterSeconds ?? (kind.status === 503 ? 1 : undefined);
  if (retryAfter !== undefined) headers.set('retry-after', String(retryAfter));
  const size = fault.extra.members?.['sizeBytes'];
  if (kind.status === 416 && typeof size === 'number') headers.set('content-range', `bytes */${size}`);
  return new Response(JSON.stringify(body), { status: kind.status, headers });
}

/** Whether the problem deserves a line in the log as an error. */
export function isBug(error: unknown): boolean {
  return !isFault(error) || kinds[error.code as Code] === undefined;
}
