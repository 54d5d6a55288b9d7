import type { DesktopData } from '@lebureau/sdk/types';
import { say, sayTime } from '../language.ts';
import { useActivity } from './useActivity.ts';

/** What happened to this desktop, the newest first. */
export function ActivityPanel({ desktop }: { desktop: DesktopData }) {
  const { events, isReading, readEarlier } = useActivity(desktop.id);
  if (events === undefined) return <p class="loading">{say('loading')}</p>;
  if (events.length === 0) return <p class="empty">{say('activity.none')}</p>;
  return (
    <>
      <div class="table-box stacked" tabIndex={0}>
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
      {readEarlier && (
        <button type="button" class="button" disabled={isReading} onClick={readEarlier}>
          {say('activity.earlier')}
        </button>
      )}
    </>
  );
}
