import { type Operation, operation } from '../http/operation.ts';
import {
  CreateSignInLink,
  CreatedSignInLink,
  FindSession,
  FoundSession,
  SignInByIdentity,
  SignInByLink,
  SignedInAnswer,
} from './schema.ts';

const ofGateway = { tag: 'signIn', capability: 'gateway', method: 'POST' } as const;

export const createSignInLink = operation({
  operationId: 'createSignInLink',
  method: 'POST',
  path: '/v1/sign-in-links',
  tag: 'users',
  bucket: 'control',
  capability: 'users:write',
  summary: 'Invite somebody by a link that works once',
  description: 'Also for somebody who cannot sign in any more: name their `userId`.',
  body: CreateSignInLink,
  bodyOptional: true,
  responses: { 201: { about: 'The link’s token.', body: CreatedSignInLink } },
  problems: ['not_found'],
});

export const signInByLink = operation({
  ...ofGateway,
  operationId: 'signInByLink',
  path: '/v1/sign-in/link',
  summary: 'Begin a session with a link, which is used up',
  body: SignInByLink,
  responses: { 201: { about: 'The session.', body: SignedInAnswer } },
  problems: ['sign_in_refused'],
});

export const signInByIdentity = operation({
  ...ofGateway,
  operationId: 'signInByIdentity',
  path: '/v1/sign-in/identity',
  summary: 'Begin a session for whom a provider knows',
  description:
    'Somebody known by issuer and subject; else who has the same verified address; else somebody new, where the domain of the verified address is allowed.',
  body: SignInByIdentity,
  responses: { 201: { about: 'The session.', body: SignedInAnswer } },
  problems: ['sign_in_refused'],
});

export const findSessionOperation = operation({
  ...ofGateway,
  operationId: 'findSession',
  path: '/v1/sign-in/session',
  summary: 'Whose session is this cookie?',
  description: 'It counts as used. A POST, so that the hash stands in no log.',
  body: FindSession,
  responses: { 200: { about: 'The session and whose it is.', body: FoundSession } },
  problems: ['not_found'],
});

export const signInOperations: readonly Operation[] = [
  createSignInLink,
  signInByLink,
  signInByIdentity,
  findSessionOperation,
];
