import { type Operation, operation } from '../http/operation.ts';
import {
  CreateJoinToken,
  CreatedJoinToken,
  JoinRequest,
  Joined,
  RenewRequest,
  Renewed,
  TrustAnchor,
} from './joinSchema.ts';

const base = { tag: 'sync', capability: 'node' } as const;

export const createJoinToken = operation({
  operationId: 'createJoinToken',
  method: 'POST',
  path: '/v1/nodes/join-tokens',
  tag: 'nodes',
  bucket: 'control',
  capability: 'nodes:write',
  summary: 'Create a token by which one node may join',
  description: 'Run `command` of the answer on the new machine before it expires.',
  body: CreateJoinToken,
  bodyOptional: true,
  responses: { 201: { about: 'The token.', body: CreatedJoinToken } },
  problems: ['not_found', 'wrong_state'],
});

export const getTrustAnchorOperation = operation({
  ...base,
  operationId: 'getTrustAnchor',
  method: 'GET',
  path: '/node/v1/authority',
  summary: 'Read the certificate by which the API is known',
  description: 'Asked before anything is trusted; the join token says whether the answer is the true one.',
  unidentified: true,
  responses: { 200: { about: 'The certificate.', body: TrustAnchor } },
});

export const joinOperation = operation({
  ...base,
  operationId: 'join',
  method: 'POST',
  path: '/node/v1/join',
  summary: 'Become a node, with a token that works once',
  unidentified: true,
  body: JoinRequest,
  responses: { 201: { about: 'The node and its certificate.', body: Joined } },
  problems: ['join_refused'],
});

export const renewCertificateOperation = operation({
  ...base,
  operationId: 'renewCertificate',
  method: 'POST',
  path: '/node/v1/certificate',
  summary: 'Get a new certificate',
  description: 'The former one works until the new one was used.',
  body: RenewRequest,
  responses: { 200: { about: 'The new certificate.', body: Renewed } },
  problems: ['node_refused'],
});

export const joinOperations: readonly Operation[] = [getTrustAnchorOperation, joinOperation, renewCertificateOperation];
