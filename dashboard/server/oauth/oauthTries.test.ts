import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { oauthTries } from './oauthTries.ts';

const minuteMs = 60_000;

/** So many networks register as fast as they may for so long, and one more once in a minute. */
function registered(networks: number, minutes: number) {
  let nowMs = 0;
  const tries = oauthTries({ ...systemClock, monotonicMs: () => nowMs });
  const register = (network: string) => tries.register.take(network) === 0 && tries.registerOfAll.take('all') === 0;
  const got = { theirs: 0, others: 0 };
  for (let minute = 0; minute < minutes; minute += 1) {
    for (let one = 0; one < networks; one += 1)
      for (let again = 0; again < 12; again += 1) if (register(`198.51.100.${one}`)) got.theirs += 1;
    if (register('203.0.113.1')) got.others += 1;
    nowMs += minuteMs;
  }
  return got;
}

test('a dozen networks that register as often as they may do not keep a thirteenth out', () => {
  expect(registered(12, 6 * 60).others).toBe(6 * 60);
});

test('one network registers ten at once and then one a minute, and all together are bounded', () => {
  expect(registered(1, 60).theirs).toBe(10 + 59);
  expect(registered(250, 60).theirs).toBeLessThanOrEqual(500 + 59 * 60);
});
