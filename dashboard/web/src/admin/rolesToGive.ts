import type { Role } from '../session.ts';

/** What the API lets somebody give: an admin makes no owner. */
export function rolesToGive(own: Role | undefined): readonly Role[] {
  if (own === 'owner') return ['owner', 'admin', 'member', 'viewer'];
  return own === 'admin' ? ['admin', 'member', 'viewer'] : [];
}
