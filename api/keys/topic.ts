import { grantTopic } from '../grants/topic.ts';
import { sessionTopic } from '../sessions/topic.ts';
import type { Caller } from './auth.ts';

/** Woken when a key is revoked. */
export function keyTopic(keyId: string): string {
  return `key ${keyId}`;
}

/** Woken when what a caller came with stops working. */
export function callerTopic({ actor, session }: Caller): string {
  if (actor.type === 'client') return grantTopic(actor.id!);
  return session === undefined ? keyTopic(actor.id ?? actor.type) : sessionTopic(session.sessionId);
}
