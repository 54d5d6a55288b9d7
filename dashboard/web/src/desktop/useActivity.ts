import type { Event } from '@lebureau/sdk/types';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { onEvent, onResync } from '../live.ts';
import { failed } from '../ui/Toasts.tsx';
import { mergeEvents } from './mergeEvents.ts';

const pageSize = 50;
/** Of a page that stays open for days the newest are read anew. */
const heldMax = 2000;

export interface Activity {
  /** The newest first; undefined until they were read. */
  events: readonly Event[] | undefined;
  isReading: boolean;
  /** Undefined when there is nothing earlier. */
  readEarlier: (() => void) | undefined;
}

/** What happened to a desktop, page by page, and what happens now. */
export function useActivity(desktopId: string): Activity {
  const [events, setEvents] = useState<readonly Event[]>();
  const [cursor, setCursor] = useState<string | null>(null);
  const [isReading, setReading] = useState(false);
  const read = useCallback(
    async (after?: string) => {
      setReading(true);
      try {
        const query = { limit: pageSize, ...(after === undefined ? {} : { cursor: after }) };
        const params = { path: { desktopId }, query };
        const { data, nextCursor } = await dataOf(client.GET('/v1/desktops/{desktopId}/events', { params }));
        // What begins anew has no hole: of what was there before stays what the page reaches down to.
        const oldest = after === undefined && nextCursor !== null ? (data.at(-1)?.createdAt ?? '') : '';
        setEvents((before = []) =>
          mergeEvents(
            before.filter(({ createdAt }) => createdAt >= oldest),
            data,
          ),
        );
        setCursor(nextCursor);
      } catch (error) {
        failed(error);
      }
      setReading(false);
    },
    [desktopId],
  );
  useEffect(() => {
    setEvents(undefined);
    void read();
    const stopResync = onResync(() => void read());
    const stopEvents = onEvent((event) => {
      if (event.desktopId === desktopId) setEvents((before = []) => mergeEvents(before, [event]));
    });
    return () => {
      stopResync();
      stopEvents();
    };
  }, [desktopId, read]);
  const held = events?.length ?? 0;
  useEffect(() => {
    if (held > heldMax) void read();
  }, [held > heldMax, read]);
  return { events, isReading, readEarlier: cursor === null ? undefined : () => void read(cursor) };
}
