import { type Operation, operation } from '../http/operation.ts';
import { ListPeoplesSessionsQuery, PeoplesSessionList, SessionList, SessionParams } from './schema.ts';

const base = { tag: 'sessions', capability: 'session' } as const;

export const listSessions = operation({
  ...base,
  bucket: 'control',
  operationId: 'listSessions',
  method: 'GET',
  path: '/v1/sessions',
  summary: 'List your own sessions',
  responses: { 200: { about: 'All.', body: SessionList } },
});

/** No bucket: whoever asked for much may always sign out. */
export const revokeSession = operation({
  ...base,
  operationId: 'revokeSession',
  method: 'DELETE',
  path: '/v1/sessions/:sessionId',
  summary: 'End one of your sessions',
  description: 'It stops within a second everywhere, with its live sockets. The one that asks: sign out.',
  params: SessionParams,
  responses: { 204: { about: 'Ended.' } },
  problems: ['not_found'],
});

/** No bucket, for the same reason. */
export const revokeAllSessions = operation({
  ...base,
  operationId: 'revokeAllSessions',
  method: 'DELETE',
  path: '/v1/sessions',
  summary: 'Sign out everywhere',
  description: 'Ends all your sessions, this one too.',
  responses: { 204: { about: 'Ended.' } },
});

export const listPeoplesSessions = operation({
  tag: 'users',
  bucket: 'control',
  capability: 'users:read',
  operationId: 'listPeoplesSessions',
  method: 'GET',
  path: '/v1/users/sessions',
  summary: 'List the sessions of all people of the workspace',
  query: ListPeoplesSessionsQuery,
  responses: { 200: { about: 'One page.', body: PeoplesSessionList } },
});

export const endPersonsSession = operation({
  tag: 'users',
  bucket: 'control',
  capability: 'users:write',
  operationId: 'endPersonsSession',
  method: 'DELETE',
  path: '/v1/users/sessions/:sessionId',
  summary: 'End a session of somebody in the workspace',
  description: 'It stops within a second everywhere, with its live sockets. Only an owner ends those of owners.',
  params: SessionParams,
  responses: { 204: { about: 'Ended.' } },
  problems: ['not_found'],
});

export const sessionOperations: readonly Operation[] = [
  listSessions,
  revokeSession,
  revokeAllSessions,
  listPeoplesSessions,
  endPersonsSession,
];
