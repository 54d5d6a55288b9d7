import { expect, test } from 'vitest';
import { Places } from './places.ts';

const inSite = (site: number, network: number) => `2001:db8:${site.toString(16)}:${network.toString(16)}::1`;

test('a network has a few places, a /48 those of four networks, and others keep theirs', () => {
  const places = new Places({ ofAll: 200, ofOne: 5 });
  const leaves: (() => void)[] = [];
  const taken = (address: string) => {
    const leave = places.take(address);
    if (leave !== undefined) leaves.push(leave);
    return leave !== undefined;
  };
  const times = (count: number, address: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => taken(address(n))).filter(Boolean).length;
  expect(times(10, () => '203.0.113.1')).toBe(5);
  expect(times(10, () => '::ffff:203.0.113.1')).toBe(0);
  expect(times(10, () => inSite(1, 1))).toBe(5);
  expect(times(400, (n) => inSite(1, n))).toBe(15);
  expect(times(10, () => inSite(2, 1))).toBe(5);
  expect(times(10, () => '203.0.113.2')).toBe(5);
  for (const leave of leaves.splice(0)) leave();
  // All of it came back.
  expect(times(400, (n) => inSite(1, n))).toBe(20);
  expect(times(400, (n) => inSite(3 + n, 1))).toBe(180);
  expect(taken('203.0.113.1')).toBe(false);
});
