import { idPattern } from '@lebureau/kit/id';
import { DesktopId } from '../desktops/schema.ts';
import { listOf, pageQuery } from '../http/page.ts';
import { t } from '../http/schema.ts';
import { allCapabilities } from './capabilities.ts';

export const CapabilityName = t.Word(allCapabilities);
export const KeyId = t.String({ pattern: idPattern('key') });
export const KeyParams = t.Object({ keyId: KeyId });

export const KeyRestriction = t.Object(
  {
    desktopIds: t.Optional(t.Array(DesktopId, { minItems: 1, maxItems: 100 })),
    labels: t.Optional(
      t.Record(t.String({ maxLength: 63 }), t.String({ maxLength: 255 }), {
        minProperties: 1,
        maxProperties: 8,
        description: 'A desktop must carry all of them. What the key creates gets them.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'The key sees only desktops with one of these ids and all of these labels; others are 404.',
  },
);

export const ApiKey = t.Object({
  id: KeyId,
  name: t.String(),
  lastFour: t.String(),
  capabilities: t.Array(CapabilityName),
  restriction: t.Nullable(KeyRestriction),
  createdBy: t.Nullable(t.String(), {
    description: 'The person or key that made it; null: it was made at the first start.',
  }),
  createdAt: t.String({ format: 'date-time' }),
  expiresAt: t.Nullable(t.String({ format: 'date-time' })),
  revokedAt: t.Nullable(t.String({ format: 'date-time' })),
  lastUsedAt: t.Nullable(t.String({ format: 'date-time' }), { description: 'To the minute.' }),
});

export const CreateKey = t.Object(
  {
    name: t.String({ minLength: 1, maxLength: 100 }),
    capabilities: t.Optional(
      t.Array(CapabilityName, {
        minItems: 1,
        maxItems: 50,
        uniqueItems: true,
        description: 'Default: desktop:read and desktop:chat. Never more than the key that creates it has.',
      }),
    ),
    restriction: t.Optional(KeyRestriction),
    expiresAt: t.Optional(
      t.String({ format: 'date-time', description: 'Default and latest: when the key that creates it expires.' }),
    ),
  },
  { additionalProperties: false },
);

export const CreatedKey = t.Object({
  key: ApiKey,
  secret: t.Optional(
    t.String({ description: 'Shown this once. Left out when an Idempotency-Key replays the answer.' }),
  ),
});

export const KeyList = listOf(ApiKey, 'Newest first; revoked ones too.');
export const ListKeysQuery = t.Object(pageQuery);
