import { type Operation, operation } from '../http/operation.ts';
import { SessionList, SessionParams } from './schema.ts';

const base = { tag: 'sessions', bucket: 'control', capability: 'session' } as const;

export const listSessions = operation({
  ...base,
  operationId: 'listSessions',
  method: 'GET',
  path: '/v1/sessions',
  summary: 'List your own sessions',
  responses: { 200: { about: 'All.', body: SessionList } },
});

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

export const revokeAllSessions = operation({
  ...base,
  operationId: 'revokeAllSessions',
  method: 'DELETE',
  path: '/v1/sessions',
  summary: 'Sign out everywhere',
  description: 'Ends all your sessions, this one too.',
  responses: { 204: { about: 'Ended.' } },
});

export const sessionOperations: readonly Operation[] = [listSessions, revokeSession, revokeAllSessions];
