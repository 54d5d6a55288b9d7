import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import type { SessionRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { decodeCursor, encodeCursor, limitDefault } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { Caller, SignedIn } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import { roleOf } from '../users/operations.ts';
import { mayGive } from '../users/roles.ts';
import { findMember } from '../users/store.ts';
import { idleMs, lifeMs } from './life.ts';
import type { ListPeoplesSessionsQuery, PeoplesSession, Session } from './schema.ts';
import { listSessionsIn, listSessionsOf, revokeSessions } from './store.ts';
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
  await endAndTell(services, write, { caller, requestId, userId: own.userId, sessionId });
}

async function endAndTell(
  services: Services,
  write: Write,
  act: { caller: Caller; requestId: string; userId: string; sessionId?: string },
): Promise<void> {
  const { caller, requestId, ...which } = act;
  for (const id of await revokeSessions(write, which, services.clock.nowMs())) {
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

/** Of everybody in the workspace. */
export async function listPeoplesSessions(
  services: Services,
  caller: Caller,
  query: Static<typeof ListPeoplesSessionsQuery>,
): Promise<{ data: Static<typeof PeoplesSession>[]; nextCursor: string | null }> {
  const nowMs = services.clock.nowMs();
  const limit = query.limit ?? limitDefault;
  const rows = await listSessionsIn(services.database.read, caller.workspaceId, {
    createdMs: nowMs - lifeMs,
    usedMs: nowMs - idleMs,
    before: decodeCursor(query.cursor, 'peoplesSessions'),
    limit: limit + 1,
  });
  const data = rows.slice(0, limit);
  return {
    data: data.map((row) => ({
      ...sessionToWire(row, caller.session?.sessionId),
      user: { id: row.userId, name: row.name, email: row.email },
    })),
    nextCursor: rows.length > limit ? encodeCursor(data.at(-1)!.id, 'peoplesSessions') : null,
  };
}

/** @throws Fault `not_found` for one of another workspace; `capability_missing` for an owner's, unless an owner asks */
export async function endPersonsSession(
  services: Services,
  write: Write,
  act: { caller: Caller; requestId: string; sessionId: string },
): Promise<void> {
  const row = await write.db.selectFrom('sessions').select('userId').where('id', '=', act.sessionId).executeTakeFirst();
  const { caller, requestId, sessionId } = act;
  const member = row && (await findMember(write.db, caller.workspaceId, row.userId));
  if (row === undefined || member === undefined) throw notFound('session');
  if (!mayGive(roleOf(caller), member.role))
    throw new Fault('capability_missing', 'Only an owner ends the sessions of owners.', {
      members: { capability: 'users:write' },
    });
  await endAndTell(services, write, { caller, requestId, userId: row.userId, sessionId });
}
