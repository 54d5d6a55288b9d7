import { toRfc3339 } from '@lebureau/kit/clock';
import type { Write } from '../db/database.ts';
import type { SessionRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller, SignedIn } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import { idleMs, lifeMs } from './life.ts';
import type { Session } from './schema.ts';
import { listSessionsOf, revokeSessions } from './store.ts';
import { sessionTopic } from './topic.ts';

export function sessionToWire(row: SessionRow, currentId: string | undefined): Static<typeof Session> {
  return {
    id: row.id,
    current: row.id === currentId,
    userAgent: row.userAgent,
    ipAddress: row.ipAddress,
    createdAt: toRfc3339(row.createdMs),
    lastUsedAt: toRfc3339(row.lastUsedMs),
    expiresAt: toRfc3339(row.createdMs + lifeMs),
  };
}

export async function listSessions(services: Services, own: SignedIn): Promise<Static<typeof Session>[]> {
  const nowMs = services.clock.nowMs();
  const rows = await listSessionsOf(services.database.read, own.userId, {
    createdMs: nowMs - lifeMs,
    usedMs: nowMs - idleMs,
  });
  return rows.map((row) => sessionToWire(row, own.sessionId));
}

/** @throws Fault `not_found` for one that is not theirs. One that ended before is no error. */
export async function endSessions(
  services: Services,
  write: Write,
  act: { caller: Caller; own: SignedIn; requestId: string; sessionId?: string },
): Promise<void> {
  const { caller, own, requestId, sessionId } = act;
  if (sessionId !== undefined) {
    const row = await write.db.selectFrom('sessions').select('userId').where('id', '=', sessionId).executeTakeFirst();
    if (row?.userId !== own.userId) throw notFound('session');
  }
  for (const id of await revokeSessions(write, { userId: own.userId, sessionId }, services.clock.nowMs())) {
    write.wake(sessionTopic(id));
    write.afterCommit(() => services.authenticator.forgetSession(id));
    await record(write, services.clock, {
      type: 'session.revoked',
      workspaceId: caller.workspaceId,
      actor: caller.actor,
      requestId,
      data: { sessionId: id },
    });
  }
}
