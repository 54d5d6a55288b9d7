import { expect, test } from 'vitest';
import { idBody, isId, newId } from './id.ts';

test('ids of one process grow even when the clock stands still or goes back', () => {
  const ids = [5000, 5000, 4000, 5001].flatMap((ms) => Array.from({ length: 3000 }, () => newId('dsk', ms)));
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test('an id is checked at the border', () => {
  const id = newId('dsk', 1_790_000_000_000);
  expect(isId('dsk', id)).toBe(true);
  expect(isId('tpl', id)).toBe(false);
  for (const bad of ['dsk_', `${id}0`, id.toUpperCase(), 'dsk_../../etc', `dsk_8${idBody(id).slice(1)}`]) {
    expect(isId('dsk', bad)).toBe(false);
  }
});

test('an id is a UUIDv7 of its time', async () => {
  // A module of its own: in a process that has made ids before, none is older than they are.
  const { newId } = (await import(`./id.ts?${'alone'}`)) as typeof import('./id.ts');
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  const nowMs = 1_790_000_123_456;
  const value = Array.from(idBody(newId('dsk', nowMs))).reduce(
    (sum, each) => sum * 32n + BigInt(alphabet.indexOf(each)),
    0n,
  );
  const hex = value.toString(16).padStart(32, '0');
  expect(Number.parseInt(hex.slice(0, 12), 16)).toBe(nowMs);
  expect([hex[12], '89ab'.includes(hex[16]!)]).toEqual(['7', true]);
});
