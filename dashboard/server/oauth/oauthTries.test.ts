import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { oauthTries } from './oauthTries.ts';

const minuteMs = 60_000;

/** The address of a host in this network of a site of IPv6. */
const inSite = (site: number, network: number) => `2001:db8:${site.toString(16)}:${network.toString(16)}::1`;

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

test('whoever has a /48 does not keep others from registering, however many networks they make of it', () => {
  let nowMs = 0;
  const tries = oauthTries({ ...systemClock, monotonicMs: () => nowMs });
  const register = (network: string) => tries.register.take(network) === 0 && tries.registerOfAll.take('all') === 0;
  for (let network = 0; network < 600; network += 1) register(inSite(1, 0x8000 + network));
  let others = 0;
  for (let second = 0; second < 3600; second += 1) {
    for (let again = 0; again < 2; again += 1) register(inSite(1, 2 * second + again));
    if (second % 60 === 30 && register('203.0.113.1')) others += 1;
    nowMs += 1000;
  }
  expect(others).toBe(60);
  expect(register(inSite(2, 1))).toBe(true);
});

test('nor do they push the requests of others out before somebody can answer', () => {
  let nowMs = 0;
  const { authorize } = oauthTries({ ...systemClock, monotonicMs: () => nowMs });
  let begun = 0;
  // For as long as a request waits, from each of their networks as often as it may.
  for (let second = 0; second < 600; second += 5) {
    for (let network = 0; network < 170; network += 1) while (authorize.take(inSite(1, network)) === 0) begun += 1;
    nowMs += 5000;
  }
  // The newest 5000 are kept.
  expect(begun).toBeLessThan(5000 / 3);
});
