import { type Operation, operation } from '../http/operation.ts';
import { CreateKey, CreatedKey, KeyList, KeyParams, ListKeysQuery } from './schema.ts';

const base = { tag: 'keys', bucket: 'control', capability: 'keys:write' } as const;

export const listKeys = operation({
  ...base,
  operationId: 'listKeys',
  method: 'GET',
  path: '/v1/keys',
  summary: 'List API keys',
  query: ListKeysQuery,
  responses: { 200: { about: 'One page.', body: KeyList } },
});

export const createKey = operation({
  ...base,
  operationId: 'createKey',
  method: 'POST',
  path: '/v1/keys',
  summary: 'Create an API key',
  description: 'A key creates only keys with a subset of its own capabilities and within its own restriction.',
  body: CreateKey,
  responses: { 201: { about: 'The key and its secret.', body: CreatedKey } },
});

export const revokeKey = operation({
  ...base,
  operationId: 'revokeKey',
  method: 'DELETE',
  path: '/v1/keys/:keyId',
  summary: 'Revoke an API key',
  description: 'It stops working within a second everywhere. Revoking again is no error.',
  params: KeyParams,
  responses: { 204: { about: 'Revoked.' } },
  problems: ['not_found'],
});

export const keyOperations: readonly Operation[] = [listKeys, createKey, revokeKey];
