import { t } from '../http/schema.ts';

/** Who may write: use mouse, keyboard and clipboard. One at a time. */

export const HolderKind = t.Word(['human', 'agent'], {
  description: '`human`: a person, who uses a stream; agents are refused meanwhile. `agent`: other agents are refused.',
});
const name = { minLength: 1, maxLength: 100, pattern: '^[^\\u0000-\\u001f\\u007f]+$' };

export const ControlHolder = t.Object({
  kind: HolderKind,
  name: t.String(name),
  by: t.Nullable(t.String({ maxLength: 64, description: 'The id of the key with which it was taken.' })),
  takenAt: t.String({ format: 'date-time', description: 'By the clock of the node.' }),
});

export const Control = t.Object({
  holder: t.Nullable(ControlHolder, { description: 'Null: nobody holds it, and every agent may write.' }),
  expiresAt: t.Nullable(
    t.String({ format: 'date-time', description: 'It lapses then, unless it is used or renewed.' }),
  ),
});

export const LeaseToken = t.String({ pattern: '^lease_[A-Za-z0-9_-]{43}$' });

export const TakeControl = t.Object({
  kind: HolderKind,
  name: t.Optional(t.String(name)),
  ttlSeconds: t.Optional(
    t.Integer({ minimum: 10, maximum: 3600, description: 'It lapses so long after its last use. Default 120.' }),
  ),
  takeOver: t.Optional(t.Boolean({ description: 'A person takes it from another person. Default false.' })),
  leaseToken: t.Optional(LeaseToken),
});

export const ControlLease = t.Object({
  holder: ControlHolder,
  expiresAt: t.String({ format: 'date-time' }),
  leaseToken: t.Optional(LeaseToken),
});
