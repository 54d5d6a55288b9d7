import { allCapabilities, type Capability } from '../keys/capabilities.ts';

/** From the most to the least. */
export const roles = ['owner', 'admin', 'member', 'viewer'] as const;
export type Role = (typeof roles)[number];

const ofViewer: readonly Capability[] = ['desktop:read', 'desktop:view', 'files:read', 'events:read', 'metrics:read'];
const ofAdminOnly: readonly Capability[] = ['keys:write', 'nodes:read', 'nodes:write', 'users:read', 'users:write'];

/** What somebody who signed in may do; an API key says it itself. */
const capabilitiesOfRole: Record<Role, ReadonlySet<Capability>> = {
  owner: new Set(allCapabilities),
  admin: new Set(allCapabilities),
  member: new Set([...allCapabilities.filter((name) => !ofAdminOnly.includes(name)), 'keys:write']),
  viewer: new Set(ofViewer),
};

export function capabilitiesOf(role: Role): ReadonlySet<Capability> {
  return capabilitiesOfRole[role];
}

/** Only an owner makes or changes an owner; an admin everybody else. */
export function mayGive(giver: Role, role: Role): boolean {
  if (giver === 'owner') return true;
  return giver === 'admin' && role !== 'owner';
}
