import { expect, test } from 'vitest';
import { Gathered } from './gathered.ts';

test('a message in pieces of one byte takes at most twice its length, and never more than the limit', () => {
  const gathered = new Gathered(1000);
  for (let length = 1; length <= 1000; length += 1) {
    gathered.add(Buffer.from([length & 255]));
    expect(gathered.capacity).toBeLessThanOrEqual(Math.min(2 * length, 1000));
  }
  expect(() => gathered.add(Buffer.alloc(1))).toThrow(/more than 1000 bytes/);
  expect(gathered.take()).toEqual(Buffer.from(Array.from({ length: 1000 }, (_, at) => (at + 1) & 255)));
});

test('messages follow each other, and what was handed out stays as it was', () => {
  const gathered = new Gathered(10);
  const first = (gathered.add(Buffer.from('one')), gathered.take());
  gathered.add(Buffer.from('tw'));
  gathered.add(Buffer.from('o'));
  expect([first, gathered.take(), gathered.take()].map(String)).toEqual(['one', 'two', '']);
});
