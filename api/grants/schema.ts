import { idPattern } from '@lebureau/kit/id';
import { t } from '../http/schema.ts';
import { SessionId } from '../sessions/schema.ts';
import { UserId } from '../users/schema.ts';
import { grantable } from './grantable.ts';

export const GrantId = t.String({ pattern: idPattern('grt') });
export const GrantParams = t.Object({ grantId: GrantId });

/** What an MCP client can be allowed. */
export const GrantCapability = t.Word(grantable);

const clientName = t.String({ minLength: 1, maxLength: 100, description: 'What the client calls itself.' });
const redirectHost = t.String({
  minLength: 1,
  maxLength: 255,
  description: 'Where the browser was sent back to: a host, or the scheme of an app.',
});
const resource = t.String({ minLength: 1, maxLength: 500, description: 'URL of what its tokens are for.' });
const clientId = t.String({ minLength: 1, maxLength: 500 });
const capabilities = t.Array(GrantCapability, { maxItems: grantable.length, uniqueItems: true });

export const Grant = t.Object({
  id: GrantId,
  clientId,
  clientName,
  redirectHost,
  capabilities: t.Array(GrantCapability, { description: 'What was allowed and your role still has.' }),
  createdAt: t.String({ format: 'date-time' }),
  lastUsedAt: t.String({ format: 'date-time', description: 'To the minute.' }),
  expiresAt: t.String({ format: 'date-time', description: 'At the latest; earlier when it is not used.' }),
});

export const GrantList = t.Object({
  data: t.Array(Grant, { description: 'Your own that are good, newest first.' }),
});

export const CreateGrant = t.Object({
  userId: UserId,
  sessionId: SessionId,
  clientId,
  clientName,
  redirectHost,
  resource,
  capabilities,
});

/** For the gateway: with whose it is. */
export const FoundGrant = t.Object({ grant: Grant, userId: UserId, resource });

export const GrantIds = t.Object({ grantIds: t.Array(GrantId, { maxItems: 500 }) });

const Hash = t.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of what names it, hexadecimal.' });
const Kind = t.Word(['client', 'document', 'request', 'code', 'access', 'refresh']);
const Payload = t.Record(t.String(), t.Unknown(), { description: 'What the gateway wants to know again.' });

export const OauthRecordName = t.Object({ kind: Kind, hash: Hash });

export const SaveOauthRecord = t.Object({
  kind: Kind,
  hash: Hash,
  grantId: t.Nullable(GrantId),
  payload: Payload,
  expiresInSeconds: t.Integer({ minimum: 1, maximum: 40_000_000 }),
});

export const FoundOauthRecord = t.Object({ payload: Payload, consumed: t.Boolean() });
export const ConsumedOauthRecord = t.Object({
  first: t.Boolean({ description: 'False: it was consumed before, and its grant is revoked now.' }),
});
