import type { Clock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { Tries } from './tries.ts';

let nowMs = 0;
const clock = { monotonicMs: () => nowMs } as Clock;
const tries = () => new Tries(clock, { burst: 2, everyMs: 10_000 });

test('some at once, then one at a time, and it says how long to wait', () => {
  const some = tries();
  expect([1, 2, 3].map(() => some.take('192.0.2.1'))).toEqual([0, 0, 10]);
  expect(some.take('192.0.2.2')).toBe(0);
  nowMs += 10_000;
  expect([1, 2].map(() => some.take('192.0.2.1'))).toEqual([0, 10]);
});

test.each([
  ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::9', '2001:DB8::a:b:c:d'],
  ['2001:db8:1:2::1', '2001:db8:1:2:3::', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002::1'],
  ['::ffff:192.0.2.9', '192.0.2.9', '::ffff:c000:209', '192.0.2.9'],
])('%s and its like are one network', (...addresses) => {
  const some = tries();
  expect(addresses.map((each) => some.take(each) === 0)).toEqual([true, true, false, false]);
  expect(some.take('2001:db8:1:3::1')).toBe(0);
});

test('where sites are counted a /48 may do what four of its networks may, and is told how long to wait', () => {
  const some = new Tries(clock, { burst: 2, everyMs: 10_000, ofSites: true });
  const at = (network: number) => `2001:db8:7:${network}::1`;
  expect([1, 2, 3, 4].flatMap((network) => [some.take(at(network)), some.take(at(network))])).toEqual(Array(8).fill(0));
  // Four networks get one each in ten seconds.
  expect([some.take(at(5)), some.take(at(1))]).toEqual([3, 10]);
  expect([some.take('2001:db8:8:1::1'), some.take('192.0.2.1')]).toEqual([0, 0]);
  nowMs += 2500;
  expect([some.take(at(5)), some.take(at(6))]).toEqual([0, 3]);
  nowMs += 60_000;
  expect([7, 8, 9].map((network) => some.take(at(network)))).toEqual([0, 0, 0]);
});
