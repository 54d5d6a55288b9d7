import { type Operation, operation } from '../http/operation.ts';
import { ListUsersQuery, UpdateUser, User, UserList, UserParams } from './schema.ts';

const base = { tag: 'users', bucket: 'control' } as const;

export const listUsers = operation({
  ...base,
  operationId: 'listUsers',
  method: 'GET',
  path: '/v1/users',
  capability: 'users:read',
  summary: 'List the people of the workspace',
  query: ListUsersQuery,
  responses: { 200: { about: 'One page.', body: UserList } },
});

export const updateUser = operation({
  ...base,
  operationId: 'updateUser',
  method: 'PATCH',
  path: '/v1/users/:userId',
  capability: 'users:write',
  summary: 'Change the role or name of somebody',
  description: 'It counts from their next request on. The last owner stays one, and only an owner changes owners.',
  params: UserParams,
  body: UpdateUser,
  responses: { 200: { about: 'As they are now.', body: User } },
  problems: ['not_found', 'wrong_state'],
});

export const removeUser = operation({
  ...base,
  operationId: 'removeUser',
  method: 'DELETE',
  path: '/v1/users/:userId',
  capability: 'users:write',
  summary: 'Remove somebody from the workspace',
  description:
    'Their sessions, the API keys that they created and the clients that they allowed in stop within a second. Desktops stay.',
  params: UserParams,
  responses: { 204: { about: 'Removed.' } },
  problems: ['not_found', 'wrong_state'],
});

export const userOperations: readonly Operation[] = [listUsers, updateUser, removeUser];
