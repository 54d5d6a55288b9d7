import { client, dataOf } from '../client.ts';
import { say, sayTime } from '../language.ts';
import { signOut } from '../session.ts';
import { failed } from '../ui/Toasts.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import { browserName } from './browserName.ts';

const readSessions = async () => (await dataOf(client.GET('/v1/sessions'))).data;

export function SessionsPanel() {
  const { value: sessions, reload } = useLoaded(readSessions);
  const end = (sessionId: string) =>
    dataOf(client.DELETE('/v1/sessions/{sessionId}', { params: { path: { sessionId } } })).then(reload);
  const endAll = async () => {
    await dataOf(client.DELETE('/v1/sessions'));
    await signOut();
  };
  if (sessions === undefined) return <p class="loading">{say('loading')}</p>;
  return (
    <>
      <div class="row between page-head">
        <p class="soft">{say('sessions.about')}</p>
        <button type="button" class="button danger" onClick={() => void endAll().catch(failed)}>
          {say('sessions.endAll')}
        </button>
      </div>
      <div class="table-box stacked" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say('sessions.browser')}</th>
              <th scope="col">{say('sessions.address')}</th>
              <th scope="col">{say('sessions.begun')}</th>
              <th scope="col">{say('keys.lastUsed')}</th>
              <th scope="col">
                <span class="visually-hidden">{say('actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sessions.map((session) => (
              <tr key={session.id}>
                <td>
                  <span>
                    {browserName(session.userAgent)} {session.current && <b>· {say('sessions.current')}</b>}
                  </span>
                </td>
                <td data-label={say('sessions.address')}>
                  <code>{session.ipAddress}</code>
                </td>
                <td data-label={say('sessions.begun')}>{sayTime(session.createdAt)}</td>
                <td data-label={say('keys.lastUsed')}>{sayTime(session.lastUsedAt)}</td>
                <td class="end">
                  {!session.current && (
                    <button type="button" class="button" onClick={() => void end(session.id).catch(failed)}>
                      {say('sessions.end')}
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
