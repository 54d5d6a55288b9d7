import type { DesktopData, Event } from '@lebureau/sdk/types';
import { useEffect, useState } from 'preact/hooks';
import { say, sayTime } from '../language.ts';
import { onEvent } from '../live.ts';

const shownMax = 200;

/** What happened to this desktop, the newest first. */
export function ActivityPanel({ desktop }: { desktop: DesktopData }) {
  const [events, setEvents] = useState<readonly Event[]>([]);
  useEffect(
    () =>
      onEvent((event) => {
        if (event.desktopId === desktop.id) setEvents((before) => [event, ...before].slice(0, shownMax));
      }),
    [desktop.id],
  );
  if (events.length === 0) return <p class="empty">{say('activity.none')}</p>;
  return (
    <div class="table-box" tabIndex={0}>
      <table>
        <tbody>
          {events.map((event) => (
            <tr key={event.id}>
              <td>{sayTime(event.createdAt)}</td>
              <td>
                <code>{event.type}</code>
              </td>
              <td class="soft">
                {say('activity.by', { actor: event.actor.name ?? event.actor.id ?? event.actor.type })}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
