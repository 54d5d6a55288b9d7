import { expect, test } from 'vitest';
import type { Caller } from '../keys/auth.ts';
import { roleOf } from './operations.ts';

const all: Caller = {
  actor: { type: 'key', id: 'key_1' },
  workspaceId: 'wsp_1',
  capabilities: new Set(),
  restriction: null,
};

test('who changes people counts as their role, a key as an admin, and a client as nobody', () => {
  expect(roleOf(all)).toBe('admin');
  const session = { sessionId: 'ses_1', userId: 'usr_1', role: 'owner' } as const;
  expect(roleOf({ ...all, actor: { type: 'user', id: 'usr_1' }, session })).toBe('owner');
  // Whatever else it might bring with it.
  for (const more of [{}, { session }, { capabilities: new Set(['users:write'] as const) }])
    expect(() => roleOf({ ...all, ...more, actor: { type: 'client', id: 'grt_1' } })).toThrow('no people');
});
