import type { GrantRow } from '../db/tables.ts';
import { capabilitiesOf, type Role } from '../users/roles.ts';
import type { grantable } from './grantable.ts';

/** A client may never do more than who allowed it in may now. */
export function allowedBy(grant: GrantRow, role: Role): (typeof grantable)[number][] {
  const mayThemselves = capabilitiesOf(role);
  const given = JSON.parse(grant.capabilitiesJson) as (typeof grantable)[number][];
  return given.filter((name) => mayThemselves.has(name));
}
