import { DesktopParams, desktopParams } from '../desktops/schema.ts';
import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { CreateStream, EnteredPreview, EnterPreview, StreamKind, StreamTicket } from './schema.ts';

const base = { tag: 'streams' } as const;

export const createStream = operation({
  ...base,
  operationId: 'createStream',
  method: 'POST',
  path: '/v1/desktops/:desktopId/streams',
  // A page of a guest may open one for each connection, and must not use up what its viewer stops desktops with.
  bucket: 'streams',
  summary: 'Get a ticket for a live stream',
  description:
    'Open a WebSocket at `path` with `?ticket=` within 30 seconds. The ticket is good once, for this desktop and this kind. A `vnc` stream to `view` wants `desktop:view`, every other one `desktop:control`. Revoking the key that asked for it, and deleting or stopping the desktop, close the stream.',
  capability: 'desktop:view',
  params: DesktopParams,
  body: CreateStream,
  responses: { 201: { about: 'The ticket.', body: StreamTicket } },
  problems: [
    'not_found',
    'wrong_state',
    'not_ready',
    'node_unreachable',
    'guest_unreachable',
    'timeout',
    'unsupported',
  ],
});

export const connectStream = operation({
  ...base,
  operationId: 'connectStream',
  method: 'GET',
  path: '/v1/desktops/:desktopId/streams/:kind',
  summary: 'Open a live stream (WebSocket)',
  description:
    'Binary messages are bytes of the stream, where messages begin and end does not matter; text messages are JSON (docs/streams.md).',
  capability: 'none',
  params: t.Object({ ...desktopParams, kind: StreamKind }),
  query: t.Object({ ticket: t.String({ maxLength: 100 }) }),
  // Tools want a 2xx of every operation.
  responses: { 101: { about: 'The stream.' }, 200: { about: 'Never sent: a stream begins with 101.' } },
  problems: [
    'ticket_refused',
    'origin_refused',
    'wrong_state',
    'rate_limited',
    'node_unreachable',
    'guest_unreachable',
    'unsupported',
    'disk_full',
  ],
});

export const enterPreview = operation({
  operationId: 'enterPreview',
  method: 'POST',
  path: '/v1/sign-in/preview',
  tag: 'signIn',
  capability: 'gateway',
  summary: 'Whose ticket for a port of a desktop is this? It is used up',
  body: EnterPreview,
  responses: { 200: { about: 'Who is signed in there from now on.', body: EnteredPreview } },
  problems: ['ticket_refused', 'not_found', 'wrong_state', 'not_ready'],
});

export const streamOperations: readonly Operation[] = [createStream, connectStream, enterPreview];
