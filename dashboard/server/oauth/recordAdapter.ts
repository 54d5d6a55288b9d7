import { Fault } from '@lebureau/kit/fault';
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider';
import type { ClientDocuments } from './clientDocuments.ts';
import { NoPlace } from './noPlace.ts';
import type { FoundGrant, OauthCalls, RecordKind } from './oauthCalls.ts';

const kinds: Readonly<Record<string, RecordKind>> = {
  Interaction: 'request',
  AuthorizationCode: 'code',
  AccessToken: 'access',
  RefreshToken: 'refresh',
};

/** A client that registered and was never allowed in is forgotten after a day. */
const clientSeconds = 86_400;

/** Where the library keeps things: rows of the API. Of grants it reads only, and sessions of its own it has none. */
export function recordAdapters(calls: OauthCalls, documents: Pick<ClientDocuments, 'ofKnown'>): AdapterFactory {
  return (model) => {
    if (model === 'Grant') return grantAdapter(calls);
    if (model === 'Client') return clientAdapter(calls, documents);
    const kind = kinds[model];
    return kind === undefined ? nothingKept : recordAdapter(calls, kind);
  };
}

function recordAdapter(calls: OauthCalls, kind: RecordKind): Adapter {
  return {
    ...nothingKept,
    async upsert(name, payload, expiresInSeconds) {
      const grantId = payload.grantId ?? null;
      const saved = calls.save(kind, name, {
        grantId,
        payload: withoutName(payload),
        expiresInSeconds: expiresInSeconds ?? clientSeconds,
      });
      await (grantId === null ? saved : saved.catch(refuseEnded));
    },
    async find(name) {
      const kept = await calls.find(kind, name);
      if (kept === undefined) return undefined;
      const { payload, consumed } = kept;
      return { ...payload, ...nameIn(kind, name, payload), ...(consumed ? { consumed: true } : {}) } as AdapterPayload;
    },
    async consume(name) {
      if (!(await calls.consume(kind, name))) throw new errors.InvalidGrant('it was used before');
    },
    destroy: (name) => calls.forget(kind, name),
    revokeByGrantId: (grantId) => calls.end(grantId),
  };
}

/** Those that registered, and, for who was let in, those that a document names: the library itself asks only hosts. */
function clientAdapter(calls: OauthCalls, documents: Pick<ClientDocuments, 'ofKnown'>): Adapter {
  const registered = recordAdapter(calls, 'client');
  return {
    ...registered,
    async find(clientId) {
      const named = await documents.ofKnown(clientId).catch(refuseDocument);
      return named === undefined ? registered.find(clientId) : (named as AdapterPayload);
    },
  };
}

/** A client that is told that it is none any more forgets what it holds; one that finds no place is to come again. */
function refuseDocument(cause: unknown): never {
  if (!(cause instanceof NoPlace))
    throw new errors.InvalidClient('its document could not be fetched, or is not good', { cause });
  throw Object.assign(new errors.TemporarilyUnavailable(cause.message), { statusCode: 503 });
}

/** The grant ended a moment ago: that is the client's to know, and nothing broke here. */
function refuseEnded(error: unknown): never {
  if (error instanceof Fault && error.code === 'not_found') throw new errors.InvalidGrant('the grant has ended');
  throw error;
}

/** The name is the secret: only its hash is kept. */
function withoutName({ jti: _jti, returnTo, ...rest }: AdapterPayload & { returnTo?: unknown }): object {
  if (typeof returnTo !== 'string') return rest;
  return { ...rest, returnToBefore: returnTo.slice(0, returnTo.lastIndexOf('/') + 1) };
}

function nameIn(kind: RecordKind, name: string, { returnToBefore }: Record<string, unknown>): object {
  if (kind === 'client') return {};
  return { jti: name, ...(typeof returnToBefore === 'string' ? { returnTo: returnToBefore + name } : {}) };
}

function grantAdapter(calls: OauthCalls): Adapter {
  return {
    ...nothingKept,
    async find(grantId) {
      const found = await calls.grant(grantId);
      return found && payloadOf(found);
    },
    destroy: (grantId) => calls.end(grantId),
  };
}

/** What the person may still of what they allowed: a token has no more than that. */
function payloadOf({ grant, userId, resource }: FoundGrant): AdapterPayload {
  const seconds = (time: string) => Math.floor(Date.parse(time) / 1000);
  return {
    kind: 'Grant',
    jti: grant.id,
    accountId: userId,
    clientId: grant.clientId,
    iat: seconds(grant.createdAt),
    exp: seconds(grant.expiresAt),
    resources: { [resource]: grant.capabilities.join(' ') },
  };
}

const nothingKept: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};
