/**
 * The closed list of error codes. `public.json` carries it as an enum; the SDK makes a class of each, the MCP server
 * a sentence for a model.
 */
export interface Problem {
  status: number;
  title: string;
  /** What to do next, for people and models; a Fault may bring a better one. */
  hint: string;
  /** The same request may succeed later. */
  retryable: boolean;
}

const problem = (status: number, title: string, hint: string): Problem => ({ status, title, hint, retryable: false });
const passing = (status: number, title: string, hint: string): Problem => ({ status, title, hint, retryable: true });

export const problems = {
  invalid_request: problem(
    400,
    'The request is malformed',
    'Read `errors`: each names the place and what is wanted there.',
  ),
  out_of_bounds: problem(
    400,
    'A coordinate lies outside the screen',
    'Take a screenshot and use coordinates inside it.',
  ),
  unknown_key: problem(400, 'No such key', 'Use one of the near matches, or the `type` action for text.'),
  invalid_path: problem(
    400,
    'The path cannot be used',
    'Use an absolute path, or one relative to the home folder, without NUL.',
  ),
  unauthenticated: problem(
    401,
    'No valid API key',
    'Send `Authorization: Bearer lb_live_…` with a key that is neither revoked nor expired.',
  ),
  ticket_refused: problem(
    401,
    'The ticket is not good',
    'Make a new one with POST /v1/desktops/{id}/streams: it opens one stream, within 30 seconds.',
  ),
  capability_missing: problem(
    403,
    'The key lacks a capability',
    'Use a key that has the capability named in `capability`.',
  ),
  sign_in_refused: problem(403, 'You cannot sign in', 'Ask an admin of the workspace for an invitation.'),
  origin_refused: problem(
    403,
    'Pages of this origin may not open streams',
    'Open it through the gateway, or name the origin in LEBUREAU_STREAM_ORIGINS.',
  ),
  join_refused: problem(403, 'The join token is not good', 'Make a new one with POST /v1/nodes/join-tokens.'),
  node_refused: problem(403, 'The node may not do that', 'Look at the node in the API; join anew with a new token.'),
  permission_denied: problem(
    403,
    'The guest refused',
    'Choose a path that the user `agent` may use, or run the command as root.',
  ),
  not_found: problem(404, 'Not found', 'List the resources and check the id.'),
  file_not_found: problem(404, 'No such file or folder', 'List the folder above it.'),
  method_not_allowed: problem(405, 'This path has no such method', 'Read the API reference.'),
  wrong_state: problem(409, 'Not possible in this status', 'Do one of `allowedActions` first.'),
  human_control: problem(
    409,
    'A person has control',
    'Look as much as you like. Write again once the event `desktop.control_released` came, or `control` of the desktop is null.',
  ),
  control_held: problem(
    409,
    'Somebody else has control',
    'Send the `leaseToken` in `Control-Lease` if it is yours; else wait until it is handed back or lapses.',
  ),
  stale_frame: problem(
    409,
    'The frame is too old',
    'Look at the fresh frame attached, then send the action again with its frameId.',
  ),
  idempotency_in_progress: passing(
    409,
    'The first request with this Idempotency-Key still runs',
    'Wait, then send the same request again.',
  ),
  replay_unavailable: problem(
    409,
    'The answer to this Idempotency-Key is not kept',
    'It was or may have been carried out: look at the desktop, then use a new key.',
  ),
  file_exists: problem(409, 'Something is in the way', 'Choose another name, or say `overwrite`.'),
  not_a_directory: problem(409, 'Not a folder', 'Use the path of a folder.'),
  is_a_directory: problem(409, 'It is a folder', 'Use the path of a file, or say `recursive` to delete a folder.'),
  directory_not_empty: problem(409, 'The folder is not empty', 'Say `recursive=true` to delete all that is in it.'),
  quota_exceeded: problem(409, 'The quota of the workspace is used up', 'Delete a desktop, or ask for a larger quota.'),
  epoch_superseded: problem(409, 'Another hostd has taken over this node', 'Stop this process.'),
  unsupported_version: problem(
    409,
    'The two sides share no version of the contract',
    'Upgrade the older one of hostd and the API.',
  ),
  position_expired: problem(
    410,
    'That position is past retention',
    'Read the resources anew, then follow the events from now on.',
  ),
  precondition_failed: problem(412, 'It was changed in the meantime', 'Read it again and repeat with its new ETag.'),
  payload_too_large: problem(
    413,
    'The body is too large',
    'Send less; files go through files/content, which has no limit.',
  ),
  unsupported_media_type: problem(
    415,
    'This media type is not understood',
    'Send application/json, or application/octet-stream for file content.',
  ),
  range_not_satisfiable: problem(416, 'The range lies outside the file', 'Ask for the size with files/stat.'),
  idempotency_mismatch: problem(
    422,
    'This Idempotency-Key was used for another request',
    'Make a new key for a new request.',
  ),
  rate_limited: passing(429, 'Too many requests', 'Wait as long as `Retry-After` says.'),
  internal: passing(500, 'Something broke on our side', 'Try again; give the requestId when you report it.'),
  unsupported: problem(501, 'The node of this desktop is too old for that', 'Upgrade hostd of that node.'),
  capture_failed: passing(502, 'The screen could not be captured', 'Try again; restart the desktop if it stays so.'),
  not_ready: passing(503, 'The desktop is not ready', 'Wait with GET /v1/desktops/{id}?waitFor=ready.'),
  no_capacity: passing(503, 'No node has room', 'Delete or stop desktops, choose a smaller size, or add a node.'),
  node_unreachable: passing(503, 'The node does not answer', 'Try again in a few seconds.'),
  guest_unreachable: passing(503, 'The desktop does not answer', 'Try again; restart the desktop if it stays so.'),
  unavailable: passing(503, 'The service is starting or stopping', 'Try again in a second.'),
  timeout: passing(504, 'It took too long', 'Try again, or with a longer time limit.'),
  disk_full: problem(507, 'The disk is full', 'Make room, then try again.'),
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof problems;
