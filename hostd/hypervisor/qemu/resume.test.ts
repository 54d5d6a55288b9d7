import { expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { resumeGuest, type ResumeOptions } from './resume.ts';

/** A machine monitor that obeys: each command leads to the run states that follow, one for each question. */
function monitor(leadsTo: Record<string, string[]>) {
  const sent: string[] = [];
  let states: string[] = [];
  const execute = (command: string): Promise<unknown> => {
    if (command === 'query-status') return Promise.resolve({ status: states.length > 1 ? states.shift() : states[0] });
    sent.push(command);
    states = [...(leadsTo[command] ?? [])];
    return Promise.resolve({});
  };
  return { execute, sent };
}

const plenty: ResumeOptions = {
  word: 'paused',
  clock: systemClock,
  diskFreeMiB: () => Promise.resolve(10_000),
  diskReserveMiB: 2048,
};

test.each([
  ['paused', 'cont'],
  ['suspended', 'system_wakeup'],
  ['io-error', 'cont'],
])('a guest that is %s goes on by %s', async (word, command) => {
  const qmp = monitor({ [command]: [word === 'io-error' ? 'running' : word, 'running'] });
  expect(await resumeGuest(qmp, { ...plenty, word })).toBe(true);
  expect(qmp.sent).toEqual([command]);
});

test.each(['shutdown', 'guest-panicked', 'internal-error', 'prelaunch', 'inmigrate'])(
  'a guest that is in %s is not tried',
  async (word) => {
    const qmp = monitor({ cont: ['running'] });
    expect(await resumeGuest(qmp, { ...plenty, word })).toBe(false);
    expect(qmp.sent).toEqual([]);
  },
);

test('a guest that was halted by a full disk waits for the reserve, not for the last byte', async () => {
  const qmp = monitor({ cont: ['running'] });
  const full = { ...plenty, word: 'io-error', diskFreeMiB: () => Promise.resolve(2048) };
  await expect(resumeGuest(qmp, full)).rejects.toMatchObject({ code: 'disk_full' });
  expect(qmp.sent).toEqual([]);
});

test('a guest that is halted again by the write it repeats is told, not cut', async () => {
  const qmp = monitor({ cont: ['io-error'] });
  await expect(resumeGuest(qmp, { ...plenty, word: 'io-error' })).rejects.toMatchObject({ code: 'disk_full' });
});
