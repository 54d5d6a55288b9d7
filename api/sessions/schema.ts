import { idPattern } from '@lebureau/kit/id';
import { listOf, pageQuery } from '../http/page.ts';
import { t } from '../http/schema.ts';

export const SessionId = t.String({ pattern: idPattern('ses') });
export const SessionParams = t.Object({ sessionId: SessionId });

export const Session = t.Object({
  id: SessionId,
  current: t.Boolean({ description: 'It is the one that asks.' }),
  userAgent: t.String({ description: 'What the browser called itself at sign-in.' }),
  ipAddress: t.String({ description: 'Where it came from at sign-in.' }),
  createdAt: t.String({ format: 'date-time' }),
  lastUsedAt: t.String({ format: 'date-time', description: 'To the minute.' }),
  expiresAt: t.String({ format: 'date-time', description: 'At the latest; earlier when it is not used.' }),
});

export const ListPeoplesSessionsQuery = t.Object(pageQuery);
export const PeoplesSession = t.Composite([
  Session,
  t.Object({ user: t.Object({ id: t.String(), name: t.String(), email: t.Nullable(t.String()) }) }),
]);
export const PeoplesSessionList = listOf(PeoplesSession, 'Those of the workspace that are good, newest first.');

export const SessionList = t.Object({
  data: t.Array(Session, { description: 'Your own that are good, newest first.' }),
});
