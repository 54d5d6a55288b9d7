import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import type { components } from '@lebureau/openapi/node';
import { expect, test } from 'vitest';
import type { GuestConnection } from '../guest/server/connection.ts';
import { answer, type GuestCall, type GuestHandlers } from '../guest/server/operation.ts';
import { controlHandlers } from './controlHandlers.ts';
import { ControlLeases } from './controlLeases.ts';
import { guardInput } from './guardInput.ts';
import { leaseRecordOf } from './leaseRecord.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
let letGo = 0;
const guest = { eyes: { letGo: () => Promise.resolve(void (letGo += 1)) } } as unknown as GuestConnection;
const home = () => mkdtempSync(join(tmpdir(), 'lb-guard-'));

function world(handlers: GuestHandlers) {
  const leases = new ControlLeases({
    clock: systemClock,
    record: leaseRecordOf(home()),
    versionOf: () => 0,
    onChange: () => {},
  });
  const guarded = guardInput({ ...handlers, ...controlHandlers(leases) }, leases);
  const ask = async (operationId: keyof GuestHandlers, body: unknown = {}, leaseToken?: string) => {
    const headers = new Headers({ 'x-caller': 'key_1', ...(leaseToken ? { 'control-lease': leaseToken } : {}) });
    const call = {
      assignmentId: asg,
      params: {},
      query: new URLSearchParams(),
      headers,
      signal: new AbortController().signal,
      json: () => Promise.resolve(body),
    } as unknown as GuestCall;
    return guarded[operationId]!(guest, call);
  };
  const take = async (body: unknown) =>
    (await (await ask('takeControl', body)).json()) as components['schemas']['ControlLease'];
  return { ask, take };
}

const done = () => Promise.resolve(answer({}));
const writing = [
  'click',
  'drag',
  'scroll',
  'typeText',
  'pressKey',
  'setClipboard',
  'focusWindow',
  'runActions',
] as const;
const looking = ['takeScreenshot', 'getClipboard', 'listWindows', 'exec', 'readFile'] as const;
const handlers = Object.fromEntries([...writing, ...looking].map((name) => [name, done])) as GuestHandlers;

test('while a person has control everything that writes is refused, and all else goes on', async () => {
  const { ask, take } = world(handlers);
  for (const name of writing) expect((await ask(name, { actions: [{ action: 'click' }] })).status).toBe(200);
  const { leaseToken } = await take({ kind: 'human' });
  for (const name of writing)
    await expect(ask(name, { actions: [{ action: 'click' }] }), name).rejects.toMatchObject({ code: 'human_control' });
  for (const name of looking) expect((await ask(name)).status, name).toBe(200);
  const batch = { actions: [{ action: 'screenshot' }, { action: 'wait' }, { action: 'zoom' }] };
  expect((await ask('runActions', batch)).status).toBe(200);
  await expect(ask('runActions', { actions: [...batch.actions, { action: 'key' }] })).rejects.toThrow(/has control/);
  await expect(ask('runActions', {})).rejects.toMatchObject({ code: 'human_control' });
  expect((await ask('click', {}, leaseToken)).status).toBe(200);
});

test('a batch in the middle ends when a person takes control, and what it held is let go of', async () => {
  const { ask, take } = world({
    runActions: (_guest, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  const running = ask('runActions', { actions: [{ action: 'drag' }] });
  const before = letGo;
  await Promise.resolve();
  await take({ kind: 'human', name: 'Ada' });
  await expect(running).rejects.toMatchObject({ code: 'human_control', message: 'Ada has control.' });
  expect(letGo).toBe(before + 1);
});

test('the batch of whoever takes control itself goes on', async () => {
  const { ask, take } = world({
    runActions: async (_guest, { signal }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      signal.throwIfAborted();
      return answer({});
    },
  });
  const { leaseToken } = await take({ kind: 'agent' });
  const running = ask('runActions', { actions: [{ action: 'key' }] }, leaseToken);
  await take({ kind: 'agent', leaseToken });
  expect((await running).status).toBe(200);
  await expect(ask('runActions', { actions: [{ action: 'key' }] })).rejects.toMatchObject({ code: 'control_held' });
});
