import type { Key } from '@lebureau/sdk/types';
import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say, sayTime } from '../language.ts';
import { allPages } from '../ui/allPages.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';
import { Icon } from '../ui/Icon.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import { NewKeyDialog } from './NewKeyDialog.tsx';

const readKeys = () =>
  allPages((cursor) => client.GET('/v1/keys', { params: { query: { limit: 100, cursor } } }) as never) as Promise<
    Key[]
  >;

export function KeysPanel() {
  const { value: keys, reload } = useLoaded(readKeys);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Key>();
  const good = keys?.filter((key) => key.revokedAt === null);
  return (
    <>
      <div class="row between page-head">
        <p class="soft">{say('keys.about')}</p>
        <button type="button" class="button primary" onClick={() => setCreating(true)}>
          <Icon name="plus" />
          {say('keys.new')}
        </button>
      </div>
      {good === undefined ? <p class="loading">{say('loading')}</p> : <KeyTable keys={good} onRevoke={setRevoking} />}
      {creating && (
        <NewKeyDialog
          onClose={() => {
            setCreating(false);
            reload();
          }}
        />
      )}
      {revoking && (
        <ConfirmDialog
          title={say('keys.revokeTitle', { name: revoking.name })}
          text={say('keys.revokeText')}
          verb={say('keys.revoke')}
          onConfirm={async () => {
            await dataOf(client.DELETE('/v1/keys/{keyId}', { params: { path: { keyId: revoking.id } } }));
            reload();
          }}
          onClose={() => setRevoking(undefined)}
        />
      )}
    </>
  );
}

function KeyTable({ keys, onRevoke }: { keys: readonly Key[]; onRevoke: (key: Key) => void }) {
  if (keys.length === 0) return <p class="empty">{say('keys.none')}</p>;
  return (
    <div class="table-box" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{say('name')}</th>
            <th scope="col">{say('keys.key')}</th>
            <th scope="col">{say('keys.capabilities')}</th>
            <th scope="col">{say('keys.lastUsed')}</th>
            <th scope="col">{say('keys.expires')}</th>
            <th scope="col">
              <span class="visually-hidden">{say('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td>{key.name}</td>
              <td>
                <code>…{key.lastFour}</code>
              </td>
              <td>{say('keys.count', { count: key.capabilities.length })}</td>
              <td>{key.lastUsedAt === null ? say('never') : sayTime(key.lastUsedAt)}</td>
              <td>{key.expiresAt === null ? say('never') : sayTime(key.expiresAt)}</td>
              <td class="end">
                <button type="button" class="button" onClick={() => onRevoke(key)}>
                  {say('keys.revoke')}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
