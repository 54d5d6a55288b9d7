import type { SessionRow } from '../db/tables.ts';

/** A session that nobody uses ends after this long … */
export const idleMs = 24 * 3_600_000;
/** … and every one after that. */
export const lifeMs = 30 * 24 * 3_600_000;
/** How exactly its last use is written down. */
export const usedStepMs = 60_000;

export function isGood(session: SessionRow, nowMs: number): boolean {
  return session.revokedMs === null && nowMs < session.createdMs + lifeMs && nowMs < session.lastUsedMs + idleMs;
}
