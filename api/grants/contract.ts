import { type Operation, operation } from '../http/operation.ts';
import {
  ConsumedOauthRecord,
  CreateGrant,
  FoundGrant,
  FoundOauthRecord,
  GrantIds,
  GrantList,
  GrantParams,
  OauthRecordName,
  SaveOauthRecord,
} from './schema.ts';

const ofPerson = { tag: 'grants', bucket: 'control', capability: 'session' } as const;
const ofGateway = { tag: 'grants', capability: 'gateway', method: 'POST' } as const;

export const listGrants = operation({
  ...ofPerson,
  operationId: 'listGrants',
  method: 'GET',
  path: '/v1/grants',
  summary: 'List the MCP clients that you allowed in',
  responses: { 200: { about: 'All.', body: GrantList } },
});

export const revokeGrant = operation({
  ...ofPerson,
  operationId: 'revokeGrant',
  method: 'DELETE',
  path: '/v1/grants/:grantId',
  summary: 'Take back what you allowed a client',
  description: 'It stops within two seconds everywhere, calls that run too. The client must ask again.',
  params: GrantParams,
  responses: { 204: { about: 'Taken back.' } },
  problems: ['not_found'],
});

export const createGrant = operation({
  ...ofGateway,
  operationId: 'createGrant',
  path: '/v1/oauth/grants',
  summary: 'Write down that somebody allowed a client in',
  description: 'Never more than the role of the person allows, whatever the client asked for.',
  body: CreateGrant,
  responses: { 201: { about: 'The grant.', body: FoundGrant } },
  problems: ['not_found', 'capability_missing'],
});

export const findGrantOperation = operation({
  ...ofGateway,
  operationId: 'findGrant',
  path: '/v1/oauth/grants/find',
  summary: 'What does this grant allow now?',
  body: GrantParams,
  responses: { 200: { about: 'The grant and whose it is.', body: FoundGrant } },
  problems: ['not_found'],
});

export const findGoodGrants = operation({
  ...ofGateway,
  operationId: 'findGoodGrants',
  path: '/v1/oauth/grants/good',
  summary: 'Which of these grants are good still?',
  body: GrantIds,
  responses: { 200: { about: 'Those that are.', body: GrantIds } },
});

export const endGrant = operation({
  ...ofGateway,
  operationId: 'endGrant',
  path: '/v1/oauth/grants/end',
  summary: 'End a grant: the client said so, or a token was used twice',
  body: GrantParams,
  responses: { 204: { about: 'Ended.' } },
});

export const findAccess = operation({
  ...ofGateway,
  operationId: 'findAccess',
  path: '/v1/oauth/access',
  summary: 'What does this access token allow?',
  description: 'It counts as used.',
  body: OauthRecordName,
  responses: { 200: { about: 'The grant and whose it is.', body: FoundGrant } },
  problems: ['not_found'],
});

export const saveOauthRecord = operation({
  ...ofGateway,
  operationId: 'saveOauthRecord',
  path: '/v1/oauth/records',
  summary: 'Keep a code, token, open request, registered client or the document of one',
  body: SaveOauthRecord,
  responses: { 204: { about: 'Kept.' } },
  problems: ['not_found'],
});

export const findOauthRecord = operation({
  ...ofGateway,
  operationId: 'findOauthRecord',
  path: '/v1/oauth/records/find',
  summary: 'Find one that was kept',
  body: OauthRecordName,
  responses: { 200: { about: 'It.', body: FoundOauthRecord } },
  problems: ['not_found'],
});

export const consumeOauthRecord = operation({
  ...ofGateway,
  operationId: 'consumeOauthRecord',
  path: '/v1/oauth/records/consume',
  summary: 'Use one up; a second time ends the grant',
  body: OauthRecordName,
  responses: { 200: { about: 'Whether it was the first time.', body: ConsumedOauthRecord } },
  problems: ['not_found'],
});

export const deleteOauthRecord = operation({
  ...ofGateway,
  operationId: 'deleteOauthRecord',
  path: '/v1/oauth/records/delete',
  summary: 'Forget one',
  body: OauthRecordName,
  responses: { 204: { about: 'Forgotten.' } },
});

export const grantOperations: readonly Operation[] = [
  listGrants,
  revokeGrant,
  createGrant,
  findGrantOperation,
  findGoodGrants,
  endGrant,
  findAccess,
  saveOauthRecord,
  findOauthRecord,
  consumeOauthRecord,
  deleteOauthRecord,
];
