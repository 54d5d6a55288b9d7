import { Fault } from '@lebureau/kit/fault';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { expect, test } from 'vitest';
import type { OauthCalls } from './oauthCalls.ts';
import { recordAdapters } from './recordAdapter.ts';

/** Keeps tokens at an API that answers `fault` to all. */
const keeping = (fault: Fault) =>
  recordAdapters({ save: () => Promise.reject(fault) } as unknown as OauthCalls, { ofKnown: async () => undefined })(
    'AccessToken',
  ) as Adapter;

test('a token of a grant that ended a moment before is refused, and nothing else is taken for that', async () => {
  const save = (fault: Fault, payload: AdapterPayload) => keeping(fault).upsert('name', payload, 60);
  const ended = new Fault('not_found', 'There is no such grant.');
  await expect(save(ended, { grantId: 'grt_1' })).rejects.toMatchObject({ error: 'invalid_grant' });
  await expect(save(ended, {})).rejects.toBe(ended);
  const away = new Fault('unavailable', 'The API did not answer.');
  await expect(save(away, { grantId: 'grt_1' })).rejects.toBe(away);
});
