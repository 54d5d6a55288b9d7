import { ApiError } from '@lebureau/sdk/faults';
import { errorClasses } from '@lebureau/sdk/errors';
import { expect, test } from 'vitest';
import { allTools } from './catalog.ts';
import { faultAnswer } from './faultAnswer.ts';
import type { ToolCall } from './tool.ts';

/** What no tool can bring about, and what only a mistake of ours does: the API's own hint is all there is to say. */
const unheardOf = new Set([
  'unauthenticated',
  'invalid_request',
  'method_not_allowed',
  'unsupported_media_type',
  'range_not_satisfiable',
  'precondition_failed',
  'position_expired',
  'epoch_superseded',
  'join_refused',
  'node_refused',
  'unsupported_version',
  'sign_in_refused',
  'idempotency_mismatch',
  'idempotency_in_progress',
  'replay_unavailable',
  'ticket_refused',
  'origin_refused',
]);
const id = `dsk_${'0'.repeat(26)}`;
const call = { desktop: { id, refresh: () => Promise.reject(new Error('gone')) } } as unknown as ToolCall;
const tools = new Set(allTools.map((tool) => tool.name));

async function nextOf(code: string, members: object = {}): Promise<string> {
  const error = new ApiError(
    { code, detail: 'It failed.', hint: 'a hint', ...members },
    { status: 400, requestId: 'req_1' },
  );
  const answer = await faultAnswer(error, call);
  return /Next: (.*)\. \(request/.exec(answer!.text)![1]!;
}

test.each(Object.keys(errorClasses).filter((code) => !unheardOf.has(code)))('%s names the next call', async (code) => {
  const next = await nextOf(code);
  expect(next).toMatch(/desktops?_[a-z_]+|the same|ask the user/);
  for (const [name] of next.matchAll(/desktops?_[a-z_]+/g)) expect(tools).toContain(name);
});

test('what only repeats a mistake gives the hint of the API', async () => {
  for (const code of unheardOf) expect(await nextOf(code)).toBe('a hint');
});

test('what the problem knows stands in the next call', async () => {
  expect(await nextOf('unknown_key', { nearMatches: ['Return', 'Enter'] })).toContain(
    'desktop_key with "Return" or "Enter"',
  );
  expect(await nextOf('quota_exceeded', { quota: 'desktops' })).toContain('desktops_delete');
  expect(await nextOf('quota_exceeded')).toContain('desktop_exec');
  expect(await nextOf('wrong_state', { allowedActions: ['start'] })).toBe(`desktops_start {"desktopId":"${id}"}`);
});
