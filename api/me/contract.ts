import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { ApiKey, CapabilityName, KeyRestriction } from '../keys/schema.ts';

const figures = { desktops: t.Integer(), vcpus: t.Integer(), memoryMiB: t.Integer(), diskGiB: t.Integer() };

export const Me = t.Object({
  workspace: t.Object({ id: t.String(), name: t.String() }),
  key: t.Pick(ApiKey, ['id', 'name', 'lastFour', 'expiresAt']),
  capabilities: t.Array(CapabilityName),
  restriction: t.Nullable(KeyRestriction),
  user: t.Nullable(t.Object({ id: t.String(), email: t.String() }), {
    description: 'Null for a key that belongs to no person.',
  }),
  role: t.Word(['owner', 'admin', 'member', 'viewer']),
  tier: t.String(),
  quota: t.Object({ limit: t.Object(figures), used: t.Object(figures) }, { description: 'Stopped desktops count.' }),
});

export const getMe = operation({
  operationId: 'getMe',
  method: 'GET',
  path: '/v1/me',
  tag: 'me',
  bucket: 'control',
  summary: 'What this key is and may do',
  capability: 'key',
  responses: { 200: { about: 'Identity, capabilities and quota.', body: Me } },
});

export const meOperations: readonly Operation[] = [getMe];
