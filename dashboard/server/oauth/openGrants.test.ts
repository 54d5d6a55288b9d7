import type { Clock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import { OpenGrants } from './openGrants.ts';

/** Sleeps until it is told that the time is over. */
function stepClock() {
  let nowMs = 0;
  let wake: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms) => new Promise((resolve) => (wake = () => resolve(void (nowMs += ms)))),
  };
  const step = async () => {
    wake?.();
    wake = undefined;
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  return { clock, step, isAsleep: () => wake !== undefined };
}

test('the calls of a grant are cut at the first look after it ended, and nobody is asked without a call', async () => {
  const { clock, step, isAsleep } = stepClock();
  const asked: string[][] = [];
  const good = new Set(['grt_1', 'grt_2']);
  const open = new OpenGrants({
    calls: {
      good: async (ids) => {
        asked.push([...ids]);
        return new Set(ids.filter((id) => good.has(id)));
      },
    },
    clock,
    log: silentLog,
  });
  const [first, second, other] = [open.enter('grt_1'), open.enter('grt_1'), open.enter('grt_2')];
  await step();
  expect([first, second, other].map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
  good.delete('grt_1');
  second.left();
  await step();
  expect([first, second, other].map(({ signal }) => signal.aborted)).toEqual([true, false, false]);
  first.left();
  other.left();
  await step();
  expect(asked).toEqual([
    ['grt_1', 'grt_2'],
    ['grt_1', 'grt_2'],
  ]);
  expect([open.size, isAsleep()]).toEqual([0, false]);
  // A call that comes later is looked at again.
  const late = open.enter('grt_1');
  await step();
  expect(late.signal.aborted).toBe(true);
});

test('while the API cannot be asked calls go on for a moment, and no longer', async () => {
  const { clock, step } = stepClock();
  const calls = { good: () => Promise.reject(new Error('away')) };
  const open = new OpenGrants({ calls, clock, log: silentLog });
  const { signal } = open.enter('grt_1');
  for (let look = 0; look < 11; look++) await step();
  expect(signal.aborted).toBe(false);
  await step();
  expect(signal.aborted).toBe(true);
});
