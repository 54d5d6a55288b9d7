import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

test('one VM is worked on by one at a time and in order, others meanwhile', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 2));
    seen.push(`${name} ends`);
  };
  await Promise.all([turns.of('a', work('a1')), turns.of('a', work('a2')), turns.of('b', work('b1'))]);
  expect(seen.filter((each) => each.startsWith('a'))).toEqual(['a1 begins', 'a1 ends', 'a2 begins', 'a2 ends']);
  expect(seen.indexOf('b1 begins')).toBeLessThan(seen.indexOf('a1 ends'));
});

test('a failure reaches its asker and nobody else', async () => {
  const turns = new Turns();
  const failing = turns.of('a', () => Promise.reject(new Error('no')));
  const next = turns.of('a', () => Promise.resolve('fine'));
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('fine');
});
