import type { components } from '@lebureau/sdk/generated/public';
import { useStore } from '@nanostores/preact';
import { client, dataOf } from '../client.ts';
import { say, sayTime } from '../language.ts';
import { session as ownSession } from '../session.ts';
import { browserName } from '../settings/browserName.ts';
import { allPages } from '../ui/allPages.ts';
import { failed } from '../ui/Toasts.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import { readUsers } from './readUsers.ts';
import { rolesToGive } from './rolesToGive.ts';

type Session = components['schemas']['PeoplesSession'];

const readAll = async () => {
  const sessions = allPages(
    (cursor) => client.GET('/v1/users/sessions', { params: { query: { limit: 100, cursor } } }) as never,
  ) as Promise<Session[]>;
  const users = await readUsers();
  return { sessions: await sessions, roles: new Map(users.map(({ id, role }) => [id, role])) };
};

/** Where everybody is signed in. */
export function PeoplesSessionsPanel() {
  const { value, reload } = useLoaded(readAll);
  const mayEnd = rolesToGive(useStore(ownSession)?.user?.role);
  if (value === undefined) return <p class="loading">{say('loading')}</p>;
  const end = (sessionId: string) =>
    dataOf(client.DELETE('/v1/users/sessions/{sessionId}', { params: { path: { sessionId } } })).then(reload);
  return (
    <>
      <p class="soft page-head">{say('sessions.ofAll')}</p>
      <div class="table-box stacked" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say('name')}</th>
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
            {value.sessions.map((session) => (
              <tr key={session.id}>
                <td>
                  {session.user.name} {session.user.email && <span class="soft">{session.user.email}</span>}
                </td>
                <td data-label={say('sessions.browser')}>{browserName(session.userAgent)}</td>
                <td data-label={say('sessions.address')}>
                  <code>{session.ipAddress}</code>
                </td>
                <td data-label={say('sessions.begun')}>{sayTime(session.createdAt)}</td>
                <td data-label={say('keys.lastUsed')}>{sayTime(session.lastUsedAt)}</td>
                <td class="end">
                  {session.current ? (
                    <b>{say('sessions.current')}</b>
                  ) : (
                    mayEnd.includes(value.roles.get(session.user.id) ?? 'owner') && (
                      <button type="button" class="button" onClick={() => void end(session.id).catch(failed)}>
                        {say('sessions.end')}
                      </button>
                    )
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
