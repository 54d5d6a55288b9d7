import { idPattern } from '@lebureau/kit/id';
import { DesktopId, DesktopParams } from '../desktops/schema.ts';
import { type Operation, operation } from '../http/operation.ts';
import { listOf, pageQuery } from '../http/page.ts';
import { t } from '../http/schema.ts';

export const eventTypes = [
  'desktop.created',
  'desktop.updated',
  'desktop.starting',
  'desktop.started',
  'desktop.ready',
  'desktop.stopping',
  'desktop.stopped',
  'desktop.error',
  'desktop.moving',
  'desktop.moved',
  'desktop.unmoved',
  'desktop.control_taken',
  'desktop.control_released',
  'desktop.destroying',
  'desktop.destroyed',
  'key.created',
  'key.revoked',
  'user.joined',
  'user.signed_in',
  'user.updated',
  'user.removed',
  'session.revoked',
  'grant.created',
  'grant.revoked',
  'sign_in_link.created',
  'node.joined',
  'node.updated',
  'node.cordoned',
  'node.uncordoned',
  'node.draining',
  'node.drained',
  'node.fenced',
  'node.decommissioned',
  'authority.rotating',
  'authority.rotated',
] as const;

export const Event = t.Object({
  id: t.String({ pattern: idPattern('evt') }),
  type: t.Word(eventTypes),
  createdAt: t.String({ format: 'date-time' }),
  desktopId: t.Nullable(t.String()),
  actor: t.Object({
    type: t.Word(['key', 'user', 'client', 'gateway', 'node', 'system']),
    id: t.Nullable(t.String()),
    name: t.Nullable(t.String(), {
      description: 'Of a key, a person or an MCP client: what it was called then. Names are not unique, ids are.',
    }),
  }),
  requestId: t.Nullable(t.String()),
  data: t.Record(t.String(), t.Unknown()),
});

export const EventList = listOf(Event, 'The newest first.');

const types = t.String({ maxLength: 200, pattern: '^[a-z._]+(,[a-z._]+)*$', description: 'Types by comma.' });
export const ListEventsQuery = t.Object({ ...pageQuery, type: t.Optional(types) });

export const listDesktopEvents = operation({
  operationId: 'listDesktopEvents',
  method: 'GET',
  path: '/v1/desktops/:desktopId/events',
  tag: 'events',
  bucket: 'control',
  summary: 'What happened to a desktop',
  description:
    'The newest first, as far back as events are kept (`LEBUREAU_EVENT_RETENTION_DAYS`). To miss nothing, follow `/v1/events` first, then read this, and leave out what was heard already, by its id.',
  capability: 'events:read',
  params: DesktopParams,
  query: ListEventsQuery,
  responses: { 200: { about: 'One page.', body: EventList } },
  problems: ['not_found'],
});

export const streamEvents = operation({
  operationId: 'streamEvents',
  method: 'GET',
  path: '/v1/events',
  tag: 'events',
  bucket: 'control',
  summary: 'Follow events (SSE)',
  description:
    'Each `data` is one Event, each `id` a position: send the last one as `Last-Event-ID` to go on after it. Without one it begins now. Comments keep the connection open.',
  capability: 'events:read',
  query: t.Object({
    desktopId: t.Optional(DesktopId),
    type: t.Optional(types),
    after: t.Optional(
      t.String({ maxLength: 64, description: 'The same as `Last-Event-ID`; `0` begins with the oldest kept.' }),
    ),
  }),
  headers: { 'Last-Event-ID': 'The position after which to go on.' },
  responses: { 200: { about: 'Events until you leave.', body: 'events', item: Event } },
  problems: ['position_expired'],
});

export const eventOperations: readonly Operation[] = [streamEvents, listDesktopEvents];
