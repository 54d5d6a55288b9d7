import { idPattern } from '@lebureau/kit/id';
import { DesktopId } from '../desktops/schema.ts';
import { type Operation, operation } from '../http/operation.ts';
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
    name: t.Nullable(t.String(), { description: 'What an MCP client calls itself; null for everybody else.' }),
  }),
  requestId: t.Nullable(t.String()),
  data: t.Record(t.String(), t.Unknown()),
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
    type: t.Optional(t.String({ maxLength: 200, pattern: '^[a-z.]+(,[a-z.]+)*$', description: 'Types by comma.' })),
    after: t.Optional(
      t.String({ maxLength: 64, description: 'The same as `Last-Event-ID`; `0` begins with the oldest kept.' }),
    ),
  }),
  headers: { 'Last-Event-ID': 'The position after which to go on.' },
  responses: { 200: { about: 'Events until you leave.', body: 'events', item: Event } },
  problems: ['position_expired'],
});

export const eventOperations: readonly Operation[] = [streamEvents];
