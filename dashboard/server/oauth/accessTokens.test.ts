import type { Clock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { AccessTokens } from './accessTokens.ts';
import type { FoundGrant } from './oauthCalls.ts';

const resource = 'https://office.example.org/mcp';
const token = 'a'.repeat(43);

/** The API knows every token, for this resource. */
function knowing(of: string) {
  let nowMs = 0;
  const api = { asked: 0, known: true };
  const access = async () => {
    api.asked += 1;
    return api.known ? ({ resource: of } as FoundGrant) : undefined;
  };
  const tokens = new AccessTokens({ access }, { clock: { monotonicMs: () => nowMs } as Clock, resource });
  return { tokens, api, pass: (ms: number) => void (nowMs += ms) };
}

test('a token that is for something else is none', async () => {
  expect(await knowing(resource).tokens.find(token)).toEqual({ resource });
  for (const other of ['https://office.example.org', 'https://office.example.org/mcp/', 'https://other.example/mcp'])
    expect(await knowing(other).tokens.find(token), other).toBeUndefined();
});

test('what was found is believed for less than a second', async () => {
  const { tokens, api, pass } = knowing(resource);
  await tokens.find(token);
  api.known = false;
  pass(899);
  expect(await tokens.find(token)).toBeDefined();
  pass(1);
  expect(await tokens.find(token)).toBeUndefined();
  expect(api.asked).toBe(2);
});

test('for what cannot be a token nobody is asked', async () => {
  const { tokens, api } = knowing(resource);
  for (const other of ['', 'a.b.c', 'a'.repeat(42), 'a'.repeat(44), `${'a'.repeat(42)}=`, `${token}\n`])
    expect(await tokens.find(other)).toBeUndefined();
  expect(api.asked).toBe(0);
});
