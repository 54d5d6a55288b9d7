import type { Event } from '@lebureau/sdk/types';

/** The newest first, each once: what was read and what was heard meanwhile overlap. */
export function mergeEvents(some: readonly Event[], others: readonly Event[]): Event[] {
  const byId = new Map([...some, ...others].map((event) => [event.id, event]));
  return [...byId.values()].toSorted((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id));
}
