import { useStore } from '@nanostores/preact';
import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say, sayTime } from '../language.ts';
import { session, type Role } from '../session.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';
import { Icon } from '../ui/Icon.tsx';
import { failed } from '../ui/Toasts.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import { InviteDialog } from './InviteDialog.tsx';
import { readUsers, type User } from './readUsers.ts';
import { rolesToGive } from './rolesToGive.ts';

export function UsersPanel() {
  const { value: users, reload } = useLoaded(readUsers);
  const [inviting, setInviting] = useState(false);
  const [removing, setRemoving] = useState<User>();
  return (
    <>
      <div class="row between page-head">
        <p class="soft">{say('users.about')}</p>
        <button type="button" class="button primary" onClick={() => setInviting(true)}>
          <Icon name="plus" />
          {say('users.invite')}
        </button>
      </div>
      {users === undefined && <p class="loading">{say('loading')}</p>}
      <div class="table-box stacked" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say('name')}</th>
              <th scope="col">{say('users.email')}</th>
              <th scope="col">{say('users.role')}</th>
              <th scope="col">{say('users.lastSignIn')}</th>
              <th scope="col">
                <span class="visually-hidden">{say('actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {users?.map((user) => (
              <UserRow key={user.id} user={user} onChange={reload} onRemove={setRemoving} />
            ))}
          </tbody>
        </table>
      </div>
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
      {removing && (
        <ConfirmDialog
          title={say('users.removeTitle', { name: removing.name })}
          text={say('users.removeText')}
          verb={say('users.remove')}
          onConfirm={() =>
            dataOf(client.DELETE('/v1/users/{userId}', { params: { path: { userId: removing.id } } })).then(reload)
          }
          onClose={() => setRemoving(undefined)}
        />
      )}
    </>
  );
}

function UserRow(of: { user: User; onChange: () => void; onRemove: (user: User) => void }) {
  const { user, onChange, onRemove } = of;
  const own = useStore(session)?.user;
  const mayChange = rolesToGive(own?.role).includes(user.role);
  const give = (role: Role) =>
    dataOf(client.PATCH('/v1/users/{userId}', { params: { path: { userId: user.id } }, body: { role } })).then(
      onChange,
    );
  return (
    <tr>
      <td>{user.name}</td>
      <td data-label={say('users.email')}>{user.email ?? '–'}</td>
      <td data-label={say('users.role')}>
        <select
          aria-label={say('users.roleOf', { name: user.name })}
          value={user.role}
          disabled={!mayChange}
          onChange={(event) => void give(event.currentTarget.value as Role).catch(failed)}
        >
          {[...new Set([user.role, ...rolesToGive(own?.role)])].map((role) => (
            <option key={role} value={role}>
              {say(`role.${role}`)}
            </option>
          ))}
        </select>
      </td>
      <td data-label={say('users.lastSignIn')}>
        {user.lastSignInAt === null ? say('never') : sayTime(user.lastSignInAt)}
      </td>
      <td class="end">
        {user.id !== own?.id && mayChange && (
          <button type="button" class="button" onClick={() => onRemove(user)}>
            {say('users.remove')}
          </button>
        )}
      </td>
    </tr>
  );
}
