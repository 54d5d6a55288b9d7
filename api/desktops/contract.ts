import { type Operation, operation } from '../http/operation.ts';
import {
  CreateDesktop,
  Desktop,
  DesktopList,
  DesktopParams,
  GetDesktopQuery,
  ListDesktopsQuery,
  UpdateDesktop,
} from './schema.ts';

const base = { tag: 'desktops', bucket: 'control' } as const;
const ifMatch = { 'If-Match': 'The ETag that was read; 412 when the desktop was changed since.' };
const etag = { ETag: 'Names this version; send it as If-Match.' };

export const listDesktops = operation({
  ...base,
  operationId: 'listDesktops',
  method: 'GET',
  path: '/v1/desktops',
  summary: 'List desktops',
  capability: 'desktop:read',
  query: ListDesktopsQuery,
  responses: { 200: { about: 'One page.', body: DesktopList } },
});

export const createDesktop = operation({
  ...base,
  operationId: 'createDesktop',
  method: 'POST',
  path: '/v1/desktops',
  summary: 'Create a desktop and start it',
  description: 'Answers at once with status `pending`. Wait with `GET /v1/desktops/{desktopId}?waitFor=ready`.',
  capability: 'desktop:create',
  body: CreateDesktop,
  bodyOptional: true,
  responses: { 201: { about: 'It will come.', body: Desktop, headers: { ...etag, Location: 'Where it is.' } } },
  problems: ['quota_exceeded', 'no_capacity', 'not_found'],
});

export const getDesktop = operation({
  ...base,
  operationId: 'getDesktop',
  method: 'GET',
  path: '/v1/desktops/:desktopId',
  summary: 'Get a desktop, or wait for a status',
  capability: 'desktop:read',
  params: DesktopParams,
  query: GetDesktopQuery,
  responses: { 200: { about: 'The desktop as it is now.', body: Desktop, headers: etag } },
  problems: ['not_found'],
});

export const updateDesktop = operation({
  ...base,
  operationId: 'updateDesktop',
  method: 'PATCH',
  path: '/v1/desktops/:desktopId',
  summary: 'Change name and labels',
  capability: 'desktop:lifecycle',
  params: DesktopParams,
  body: UpdateDesktop,
  headers: ifMatch,
  responses: { 200: { about: 'Changed.', body: Desktop, headers: etag } },
  problems: ['not_found', 'wrong_state', 'precondition_failed'],
});

export const deleteDesktop = operation({
  ...base,
  operationId: 'deleteDesktop',
  method: 'DELETE',
  path: '/v1/desktops/:desktopId',
  summary: 'Delete a desktop and its disk',
  description: 'It cannot be brought back. Possible in every status; deleting again is no error.',
  capability: 'desktop:destroy',
  params: DesktopParams,
  headers: ifMatch,
  responses: {
    202: { about: 'It is being destroyed.', body: Desktop, headers: etag },
    204: { about: 'It is destroyed already.' },
  },
  problems: ['not_found', 'precondition_failed'],
});

export const startDesktop = lifecycle('start', 'Start a stopped desktop', ['no_capacity']);
export const stopDesktop = lifecycle('stop', 'Stop a desktop; the disk is kept', []);
export const restartDesktop = lifecycle('restart', 'Stop a desktop and start it again', []);

function lifecycle(action: 'start' | 'stop' | 'restart', summary: string, problems: readonly 'no_capacity'[]) {
  return operation({
    ...base,
    operationId: `${action}Desktop`,
    method: 'POST',
    path: `/v1/desktops/:desktopId/${action}`,
    summary,
    description: 'Answers when it is queued; follow `status`.',
    capability: 'desktop:lifecycle',
    params: DesktopParams,
    responses: { 200: { about: 'Queued.', body: Desktop, headers: etag } },
    problems: ['not_found', 'wrong_state', ...problems],
  });
}

export const desktopOperations: readonly Operation[] = [
  listDesktops,
  createDesktop,
  getDesktop,
  updateDesktop,
  deleteDesktop,
  startDesktop,
  stopDesktop,
  restartDesktop,
];
