import type { Answer, Operation } from '../http/operation.ts';
import type { ProblemCode } from '../http/problems.ts';
import { type TSchema, t } from '../http/schema.ts';
import { Screenshot } from './actionSchema.ts';
import { guestOperations } from './contract.ts';
import type { GuestOperation } from './guestOperation.ts';

const always: readonly ProblemCode[] = [
  'not_found',
  'wrong_state',
  'not_ready',
  'node_unreachable',
  'guest_unreachable',
  'timeout',
];
const byBucket: Record<GuestOperation['bucket'], readonly ProblemCode[]> = {
  input: ['out_of_bounds', 'unknown_key', 'stale_frame', 'capture_failed'],
  screenshot: ['out_of_bounds', 'stale_frame', 'capture_failed'],
  exec: [],
  control: [],
  files: [
    'invalid_path',
    'permission_denied',
    'file_not_found',
    'file_exists',
    'not_a_directory',
    'is_a_directory',
    'directory_not_empty',
    'disk_full',
  ],
};

/** The table of guest operations as operations below `prefix`, whose own parameter is given. */
export function guestOperationsBelow(
  prefix: string,
  prefixParams: Record<string, TSchema>,
  capability?: 'node',
): Operation[] {
  return guestOperations.map((operation) => ({
    operationId: operation.operationId,
    method: operation.method,
    path: `${prefix}${operation.path}`,
    tag: tagOf(operation.bucket),
    summary: operation.summary,
    capability: capability ?? operation.capability,
    ...(capability === 'node' ? {} : { bucket: operation.bucket }),
    params: t.Object({ ...prefixParams, ...(operation.params?.properties as Record<string, TSchema> | undefined) }),
    query: operation.query,
    body: operation.body,
    bodyMaxBytes: operation.bodyMaxBytes ?? 1_048_576,
    headers: headersOf(operation),
    responses: answersOf(operation),
    problems: [
      ...always,
      ...byBucket[operation.bucket],
      ...(operation.problems ?? []),
      ...(operation.writes ? (['human_control', 'control_held'] as const) : []),
      ...(operation.younger ? (['unsupported'] as const) : []),
      ...(operation.response === 'octets' ? (['range_not_satisfiable'] as const) : []),
    ],
  }));
}

function tagOf(bucket: GuestOperation['bucket']): string {
  if (bucket === 'files' || bucket === 'control') return bucket;
  return bucket === 'exec' ? 'shell' : 'computer';
}

function headersOf({ response, writes, operationId }: GuestOperation): Operation['headers'] {
  if (writes || operationId === 'handBackControl')
    return { 'Control-Lease': 'The `leaseToken` of whoever holds control.' };
  if (response === 'octets') return { Range: 'One range, `bytes=first-last`.' };
  if (response === 'events') return { 'Last-Event-ID': 'The `id` of the last event heard, to go on after it.' };
  return undefined;
}

function answersOf(operation: GuestOperation): Record<number, Answer> {
  const { response } = operation;
  if (response === 'nothing') return { 204: { about: 'Done.' } };
  if (response === 'image') {
    return {
      200: {
        about: 'The picture; with `as=json` a Screenshot.',
        body: 'image',
        json: Screenshot,
        headers: { Frame: 'The frame as JSON: `frameId`, size, scale, hash.', ETag: 'The frameId, quoted.' },
      },
      304: {
        about: 'Nothing changed since the frame named in `since`.',
        headers: { Frame: 'The frame as JSON.', ETag: 'The frameId, quoted.' },
      },
    };
  }
  if (response === 'octets') {
    return {
      200: {
        about: 'The bytes.',
        body: 'octets',
        headers: { 'Content-Length': 'Size in bytes.', 'Accept-Ranges': 'bytes' },
      },
      206: {
        about: 'The range asked for.',
        body: 'octets',
        headers: {
          'Content-Length': 'Size of the part in bytes.',
          'Content-Range': 'Which bytes of how many.',
          'Accept-Ranges': 'bytes',
        },
      },
    };
  }
  if (response === 'events') return { 200: { about: 'Server-sent events until the end.', body: 'events' } };
  return { [operation.status ?? 200]: { about: 'Done.', body: response } };
}
