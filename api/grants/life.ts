import type { GrantRow } from '../db/tables.ts';

/** A grant that no client uses ends after this long … */
export const idleMs = 30 * 24 * 3_600_000;
/** … and every one after that: then the client asks again. */
export const lifeMs = 180 * 24 * 3_600_000;
/** How exactly its last use is written down. */
export const usedStepMs = 60_000;

/** How long a client's document that was good last stands in while its host is away. */
export const documentMs = 24 * 3_600_000;

export function isGood(grant: GrantRow, nowMs: number): boolean {
  return grant.revokedMs === null && nowMs < grant.createdMs + lifeMs && nowMs < grant.lastUsedMs + idleMs;
}
