import { operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { AssignmentId } from '../nodes/schema.ts';
import { StreamKind, streamWish } from './schema.ts';

/** The other half of a stream, served by hostd to the API, which has checked the ticket. */
export const openStream = operation({
  operationId: 'openStream',
  method: 'GET',
  path: '/guest/:assignmentId/streams/:kind',
  tag: 'streams',
  summary: 'Open a live stream (WebSocket)',
  capability: 'node',
  params: t.Object({ assignmentId: AssignmentId, kind: StreamKind }),
  query: t.Object(streamWish),
  // Tools want a 2xx of every operation.
  responses: { 101: { about: 'The stream.' }, 200: { about: 'Never sent: a stream begins with 101.' } },
  problems: ['not_found', 'not_ready', 'rate_limited', 'guest_unreachable', 'unsupported'],
});
