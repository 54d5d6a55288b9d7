import { idPattern } from '@lebureau/kit/id';
import { listOf, pageQuery } from '../http/page.ts';
import { t } from '../http/schema.ts';
import { roles } from './roles.ts';

export const UserId = t.String({ pattern: idPattern('usr') });
export const UserParams = t.Object({ userId: UserId });
export const Role = t.Word(roles, {
  description:
    'owner: everything. admin: everything but owners. member: desktops and own keys. viewer: looks at desktops, files and events.',
});

export const User = t.Object({
  id: UserId,
  name: t.String(),
  email: t.Nullable(t.String(), { description: 'Null for who came by a link and never by a provider.' }),
  role: Role,
  createdAt: t.String({ format: 'date-time' }),
  lastSignInAt: t.Nullable(t.String({ format: 'date-time' })),
});

export const UserList = listOf(User, 'Those of the workspace, newest first.');
export const ListUsersQuery = t.Object(pageQuery);
export const UpdateUser = t.Object(
  { role: t.Optional(Role), name: t.Optional(t.String({ minLength: 1, maxLength: 100 })) },
  { additionalProperties: false, minProperties: 1 },
);
