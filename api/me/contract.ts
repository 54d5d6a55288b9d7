import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { Role } from '../users/schema.ts';
import { ApiKey, CapabilityName, KeyRestriction } from '../keys/schema.ts';

const figures = { desktops: t.Integer(), vcpus: t.Integer(), memoryMiB: t.Integer(), diskGiB: t.Integer() };

export const Me = t.Object({
  workspace: t.Object({ id: t.String(), name: t.String() }),
  key: t.Nullable(t.Pick(ApiKey, ['id', 'name', 'lastFour', 'expiresAt']), {
    description: 'Null for a session and for a client.',
  }),
  grant: t.Nullable(t.Object({ id: t.String(), clientName: t.String() }), {
    description: 'What an MCP client was allowed by; null for everybody else.',
  }),
  capabilities: t.Array(CapabilityName),
  restriction: t.Nullable(KeyRestriction),
  user: t.Nullable(t.Object({ id: t.String(), name: t.String(), email: t.Nullable(t.String()) }), {
    description: 'Null for a key that belongs to no person.',
  }),
  role: Role,
  tier: t.String(),
  quota: t.Object({ limit: t.Object(figures), used: t.Object(figures) }, { description: 'Stopped desktops count.' }),
});

export const getMe = operation({
  operationId: 'getMe',
  method: 'GET',
  path: '/v1/me',
  tag: 'me',
  bucket: 'control',
  summary: 'Who asks, and what they may do',
  capability: 'key',
  responses: { 200: { about: 'Identity, capabilities and quota.', body: Me } },
});

export const meOperations: readonly Operation[] = [getMe];
