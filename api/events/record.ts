import type { Clock } from '@lebureau/kit/clock';
import { newId } from '@lebureau/kit/id';
import type { Write } from '../db/database.ts';
import type { eventTypes } from './contract.ts';

export interface Happening {
  type: (typeof eventTypes)[number];
  workspaceId: string;
  desktopId?: string;
  actor: { type: 'key' | 'user' | 'client' | 'gateway' | 'node' | 'system'; id?: string; name?: string };
  requestId?: string | null;
  data?: Record<string, unknown>;
}

/** Writes an event down in the transaction of what happened. */
export async function record(write: Write, clock: Clock, happening: Happening): Promise<void> {
  const nowMs = clock.nowMs();
  await write.db
    .insertInto('events')
    .values({
      id: newId('evt', nowMs),
      workspaceId: happening.workspaceId,
      type: happening.type,
      desktopId: happening.desktopId ?? null,
      actorType: happening.actor.type,
      actorId: happening.actor.id ?? null,
      actorName: happening.actor.name ?? null,
      requestId: happening.requestId ?? null,
      dataJson: JSON.stringify(happening.data ?? {}),
      createdMs: nowMs,
    } as never)
    .execute();
  write.wake(eventTopic(happening.workspaceId));
}

export function eventTopic(workspaceId: string): string {
  return `events ${workspaceId}`;
}
