import type { Database } from '../db/database.ts';
import { findGrant } from '../grants/store.ts';
import { isGood } from '../sessions/life.ts';
import { findSession } from '../sessions/store.ts';
import { type Caller, callerOfGrant, callerOfSession } from './auth.ts';
import { findKnownKey } from './store.ts';

/** What somebody came with: a key, the session of a person, or what a person allowed a client. */
export interface Credential {
  workspaceId: string;
  actorType: 'key' | 'user' | 'client';
  actorId: string;
  sessionId: string | null;
}

export function credentialOf({ workspaceId, actor, session }: Caller): Credential {
  const sessionId = session?.sessionId ?? null;
  return { workspaceId, actorType: actor.type as Credential['actorType'], actorId: actor.id!, sessionId };
}

/** Who it is and what they may now; undefined once it was revoked or has ended. Asks the database. */
export async function stillGood(
  database: Pick<Database, 'read'>,
  credential: Credential,
  nowMs: number,
): Promise<Caller | undefined> {
  const { workspaceId, actorType, actorId, sessionId } = credential;
  if (actorType === 'client') {
    const known = await findGrant(database.read, actorId);
    return known?.grant.workspaceId === workspaceId ? callerOfGrant(known, nowMs) : undefined;
  }
  if (sessionId === null) {
    const key = await findKnownKey(database.read, workspaceId, actorId);
    const isOver = key === undefined || key.revokedMs !== null || (key.expiresMs ?? Infinity) <= nowMs;
    return isOver ? undefined : key.caller;
  }
  const known = await findSession(database.read, sessionId);
  if (known?.member?.id !== actorId || known.member.workspaceId !== workspaceId) return undefined;
  return isGood(known.session, nowMs) ? callerOfSession(known.member, sessionId) : undefined;
}
