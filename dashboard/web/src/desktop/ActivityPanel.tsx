import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { say, sayTime } from '../language.ts';
import { session } from '../session.ts';
import { sayActor, sayDetail, sayEvent } from './activityWords.ts';
import { useActivity } from './useActivity.ts';

/** What happened to this desktop, the newest first. */
export function ActivityPanel({ desktop }: { desktop: DesktopData }) {
  const ownUserId = useStore(session)?.user?.id;
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
                <td title={event.createdAt}>{sayTime(event.createdAt)}</td>
                <td title={event.type}>
                  {sayEvent(event)}
                  {sayDetail(event) !== '' && <div class="soft">{sayDetail(event)}</div>}
                </td>
                <td class="soft" title={event.actor.id ?? ''}>
                  {sayActor(event, ownUserId)}
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
