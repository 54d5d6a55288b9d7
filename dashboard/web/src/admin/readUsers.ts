import { client } from '../client.ts';
import type { Role } from '../session.ts';
import { allPages } from '../ui/allPages.ts';

export interface User {
  id: string;
  name: string;
  email: string | null;
  role: Role;
  lastSignInAt: string | null;
}

/** Everybody in the workspace. */
export function readUsers(): Promise<User[]> {
  return allPages(
    (cursor) => client.GET('/v1/users', { params: { query: { limit: 100, cursor } } }) as never,
  ) as Promise<User[]>;
}
