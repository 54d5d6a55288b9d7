import { getDesktop } from '../desktops/operations.ts';
import { decodeCursor, encodeCursor, limitDefault, strangeCursor } from '../http/page.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import type { EventList, ListEventsQuery } from './contract.ts';
import { listEventsOf, toWire } from './store.ts';

/** One page of what happened to a desktop, also to one that is destroyed. @throws Fault `not_found`, `invalid_request` */
export async function listDesktopEvents(
  services: Services,
  caller: Caller,
  { desktopId, query }: { desktopId: string; query: Static<typeof ListEventsQuery> },
): Promise<Static<typeof EventList>> {
  const { limit = limitDefault, cursor, type } = query;
  const filter = { desktopId, type };
  const last = decodeCursor(cursor, filter);
  if (last !== undefined && !/^[1-9]\d{0,15}$/.test(last)) throw strangeCursor();
  await getDesktop(services, caller, desktopId);
  const rows = await listEventsOf(
    services.database.read,
    { workspaceId: caller.workspaceId, desktopId },
    { types: type?.split(','), before: last === undefined ? undefined : Number(last), limit: limit + 1 },
  );
  const shown = rows.slice(0, limit);
  const nextCursor = rows.length > limit ? encodeCursor(String(shown.at(-1)!.position), filter) : null;
  return { data: shown.map(toWire), nextCursor };
}
