import type { components } from '@lebureau/sdk/generated/public';
import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say, type MessageName, sayTime } from '../language.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';
import { useLoaded } from '../ui/useLoaded.ts';

type Grant = components['schemas']['Grant'];

const readGrants = async () => (await dataOf(client.GET('/v1/grants'))).data;

/** The MCP clients that were let in. */
export function GrantsPanel() {
  const { value: grants, reload } = useLoaded(readGrants);
  const [revoking, setRevoking] = useState<Grant>();
  return (
    <>
      <p class="soft page-head">{say('grants.about')}</p>
      {grants === undefined ? (
        <p class="loading">{say('loading')}</p>
      ) : (
        <GrantTable grants={grants} onRevoke={setRevoking} />
      )}
      {revoking && (
        <ConfirmDialog
          title={say('grants.revokeTitle', { name: revoking.clientName })}
          text={say('grants.revokeText')}
          verb={say('grants.revoke')}
          onConfirm={async () => {
            await dataOf(client.DELETE('/v1/grants/{grantId}', { params: { path: { grantId: revoking.id } } }));
            reload();
          }}
          onClose={() => setRevoking(undefined)}
        />
      )}
    </>
  );
}

function GrantTable({ grants, onRevoke }: { grants: readonly Grant[]; onRevoke: (grant: Grant) => void }) {
  if (grants.length === 0) return <p class="empty">{say('grants.none')}</p>;
  return (
    <div class="table-box" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{say('grants.client')}</th>
            <th scope="col">{say('grants.backTo')}</th>
            <th scope="col">{say('grants.may')}</th>
            <th scope="col">{say('grants.since')}</th>
            <th scope="col">{say('keys.lastUsed')}</th>
            <th scope="col">
              <span class="visually-hidden">{say('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {grants.map((grant) => (
            <tr key={grant.id}>
              <td>
                {grant.clientName}
                <div class="soft where">
                  {grant.clientId.startsWith('https:') ? new URL(grant.clientId).href : say('grants.unverified')}
                </div>
              </td>
              <td>
                <code>{grant.redirectHost}</code>
              </td>
              <td>{grant.capabilities.map((name) => say(`capability.${name}` as MessageName)).join(' · ')}</td>
              <td>{sayTime(grant.createdAt)}</td>
              <td>{sayTime(grant.lastUsedAt)}</td>
              <td class="end">
                <button type="button" class="button" onClick={() => onRevoke(grant)}>
                  {say('grants.revoke')}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
