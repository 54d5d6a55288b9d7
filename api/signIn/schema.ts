import { idPattern } from '@lebureau/kit/id';
import { t } from '../http/schema.ts';
import { Session } from '../sessions/schema.ts';
import { Role, User, UserId } from '../users/schema.ts';

const Email = t.String({ maxLength: 254, pattern: '^[^@\\s]+@[^@\\s]+$' });
const Name = t.String({ minLength: 1, maxLength: 100 });
const Hash = t.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the secret, hexadecimal.' });

export const CreateSignInLink = t.Object(
  {
    userId: t.Optional(
      t.String({ pattern: idPattern('usr'), description: 'Who signs in with it. Absent: somebody new.' }),
    ),
    role: t.Optional(Role),
    name: t.Optional(Name),
    email: t.Optional(Email),
    expiresInSeconds: t.Optional(t.Integer({ minimum: 60, maximum: 604_800, description: 'Default: a day.' })),
  },
  { additionalProperties: false, description: 'Somebody new is a member unless `role` says otherwise.' },
);

export const SignInLink = t.Object({
  id: t.String({ pattern: idPattern('sil') }),
  userId: t.Nullable(UserId),
  role: Role,
  name: t.String(),
  email: t.Nullable(t.String()),
  expiresAt: t.String({ format: 'date-time' }),
});

export const CreatedSignInLink = t.Object({
  signInLink: SignInLink,
  token: t.Optional(t.String({ description: 'Shown once. The link is `/sign-in/link#` and this, on the dashboard.' })),
});

const browser = {
  userAgent: t.String({ maxLength: 500 }),
  ipAddress: t.String({ maxLength: 64 }),
  formerSessionHash: t.Optional(t.Nullable(Hash)),
};

export const SignInByLink = t.Object({ token: t.String({ maxLength: 200 }), ...browser });

export const SignInByIdentity = t.Object({
  issuer: t.String({ minLength: 1, maxLength: 500 }),
  subject: t.String({ minLength: 1, maxLength: 255 }),
  name: Name,
  email: t.Nullable(Email),
  emailVerified: t.Boolean({ description: 'The provider says that the person reads mail sent there.' }),
  ...browser,
});

export const SignedInAnswer = t.Object({
  secret: t.String({ description: 'For the cookie; it is nowhere else.' }),
  session: Session,
  user: User,
});

export const FindSession = t.Object({ hash: Hash });
export const FoundSession = t.Object({ session: Session, user: User });
