import type { Key } from '@lebureau/sdk/types';
import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say, sayTime } from '../language.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';

interface Of {
  keys: readonly Key[];
  /** Who made a key, where that is of interest. */
  makerOf?: (key: Key) => string;
  onChange: () => void;
}

/** Keys that are good, each with the way to end it. */
export function KeyTable({ keys, makerOf, onChange }: Of) {
  const [revoking, setRevoking] = useState<Key>();
  if (keys.length === 0) return <p class="empty">{say('keys.none')}</p>;
  return (
    <div class="table-box stacked" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{say('name')}</th>
            {makerOf && <th scope="col">{say('keys.madeBy')}</th>}
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
              {makerOf && <td data-label={say('keys.madeBy')}>{makerOf(key)}</td>}
              <td data-label={say('keys.key')}>
                <code>…{key.lastFour}</code>
              </td>
              <td data-label={say('keys.capabilities')}>{say('keys.count', { count: key.capabilities.length })}</td>
              <td data-label={say('keys.lastUsed')}>
                {key.lastUsedAt === null ? say('never') : sayTime(key.lastUsedAt)}
              </td>
              <td data-label={say('keys.expires')}>{key.expiresAt === null ? say('never') : sayTime(key.expiresAt)}</td>
              <td class="end">
                <button type="button" class="button" onClick={() => setRevoking(key)}>
                  {say('keys.revoke')}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {revoking && (
        <ConfirmDialog
          title={say('keys.revokeTitle', { name: revoking.name })}
          text={say('keys.revokeText')}
          verb={say('keys.revoke')}
          onConfirm={() =>
            dataOf(client.DELETE('/v1/keys/{keyId}', { params: { path: { keyId: revoking.id } } })).then(onChange)
          }
          onClose={() => setRevoking(undefined)}
        />
      )}
    </div>
  );
}
