import type { Clock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { networkOf, siteOf } from './networkOf.ts';
import { Tries } from './tries.ts';

test('every spelling of an IPv6 address is of the same /64', () => {
  const spellings = [
    '2001:db8:0:1::1',
    '2001:DB8:0:1::1',
    '2001:db8::1:0:0:0:1',
    '2001:0db8:0000:0001:ffff:ffff:ffff:ffff',
    '2001:db8:0:1:0:0:203.0.113.9',
    '2001:db8:0:1::1%eth0',
  ];
  expect(new Set(spellings.map(networkOf))).toEqual(new Set(['2001:db8:0:1::/64']));
  expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0::/64');
  expect(networkOf('2001:db8:0:2::1')).not.toBe(networkOf('2001:db8:0:1::1'));
  expect(networkOf('::1')).toBe('0:0:0:0::/64');
});

test('an IPv4 address is one address, however it is written', () => {
  for (const written of ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:192.0.2.1'])
    expect(networkOf(written), written).toBe('192.0.2.1');
  expect(networkOf('')).toBe('');
});

test('a site is the /48 of an IPv6 address, in every spelling; nothing else has one', () => {
  for (const written of [
    '2001:db8:0:1::1',
    '2001:DB8::ffff:0:0:0:1',
    '2001:db8:0:2:0:0:203.0.113.9',
    '2001:db8::1%eth0',
  ])
    expect(siteOf(written), written).toBe('2001:db8:0::/48');
  expect(siteOf('2001:db8:1::1')).toBe('2001:db8:1::/48');
  for (const written of ['192.0.2.1', '::ffff:192.0.2.1', 'all', '']) expect(siteOf(written), written).toBeUndefined();
});

test('who tries from all over a /64, in all spellings, is counted once', () => {
  const tries = new Tries({ monotonicMs: () => 0 } as Clock, { burst: 3, everyMs: 6000 });
  const from = ['2001:db8::1', '2001:db8:0:0:0:0:0:2', '2001:db8::3:0:0:1', '2001:DB8:0::4'];
  expect(from.map((address) => tries.take(address) === 0)).toEqual([true, true, true, false]);
  expect(tries.take('2001:db8:0:1::1')).toBe(0);
});
