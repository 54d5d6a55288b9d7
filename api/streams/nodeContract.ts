import { operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { AssignmentId } from '../nodes/schema.ts';
import { TerminalName } from '../guest/terminalSchema.ts';
import { StreamKind, streamWish } from './schema.ts';

const whole = (maximum: number, description: string) => t.Integer({ minimum: 0, maximum, description });
const sizeMaxBytes = 33_554_432;
const piece = {
  beganAt: whole(999_999_999_999, 'Its header’s time, in seconds since 1970.'),
  offset: whole(sizeMaxBytes, 'Where this piece begins.'),
  totalBytes: whole(sizeMaxBytes, 'How long the whole recording is.'),
  changedAtMs: whole(Number.MAX_SAFE_INTEGER, 'When it was written to the last time, or deleted.'),
  deleted: t.Optional(
    t.Boolean({
      description: 'Recordings of this name that began before `changedAtMs` were deleted. There is no piece.',
    }),
  ),
};
const recordingParams = t.Object({ assignmentId: AssignmentId, terminalName: TerminalName });

/** Asked by the node that a desktop left: the API passes it on to the one that has it now. */
export const giveRecording = operation({
  operationId: 'giveRecording',
  method: 'PUT',
  path: '/node/v1/recordings/:assignmentId/:terminalName',
  tag: 'streams',
  summary: 'Send a recording after a desktop that moved, piece by piece',
  description: 'At most 4 MiB a piece, in order. With the last one it is on the disk of the other node.',
  capability: 'node',
  params: recordingParams,
  query: t.Object({ epoch: whole(Number.MAX_SAFE_INTEGER, 'Of this run of hostd.'), ...piece }),
  body: 'octets',
  responses: {
    200: {
      about: 'It was taken.',
      body: t.Object({ isWanted: t.Boolean({ description: 'False: the desktop is no more, and nobody wants it.' }) }),
    },
  },
  problems: ['epoch_superseded', 'node_refused', 'not_found', 'wrong_state', 'payload_too_large', 'node_unreachable'],
});

export const putTerminalRecording = operation({
  operationId: 'putTerminalRecording',
  method: 'PUT',
  path: '/guest/:assignmentId/terminals/:terminalName/recording',
  tag: 'streams',
  summary: 'Take a piece of what another node recorded',
  description: 'One that does not follow the piece before it is refused: begin anew at 0.',
  capability: 'node',
  params: recordingParams,
  query: t.Object(piece),
  body: 'octets',
  responses: { 204: { about: 'It was taken.' } },
  problems: ['wrong_state', 'payload_too_large', 'disk_full'],
});

/** The other half of a stream, served by hostd to the API, which has checked the ticket. */
export const openStream = operation({
  operationId: 'openStream',
  method: 'GET',
  path: '/guest/:assignmentId/streams/:kind',
  tag: 'streams',
  summary: 'Open a live stream (WebSocket); without an upgrade: whether it could be opened',
  capability: 'node',
  headers: { 'X-Behind': 'Whose streams are counted together: the person behind keys, clients and sessions.' },
  params: t.Object({ assignmentId: AssignmentId, kind: StreamKind }),
  query: t.Object(streamWish),
  responses: {
    101: { about: 'The stream.' },
    204: { about: 'It could be opened now; that was asked for without an upgrade.' },
  },
  problems: ['not_found', 'not_ready', 'rate_limited', 'guest_unreachable', 'unsupported', 'disk_full'],
});
