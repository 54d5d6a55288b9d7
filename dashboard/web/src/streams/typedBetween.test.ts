import { expect, test } from 'vitest';
import { type Typed, typedBetween } from './typedBetween.ts';
import { Typing } from './typing.ts';

test.each([
  ['__', '__a', { erased: 0, written: 'a' }],
  ['__helo', '__hello ', { erased: 1, written: 'lo ' }],
  ['__', '_', { erased: 1, written: '' }],
  ['__a😀', '__a', { erased: 1, written: '' }],
  ['__a', '__a\n', { erased: 0, written: '\n' }],
  ['__a', '__a', { erased: 0, written: '' }],
])('from «%s» to «%s»', (before, after, typed) => expect(typedBetween(before, after)).toEqual(typed));

test('what is typed while a call is under way goes with the next, in order; what failed takes what waits with it', async () => {
  const sent: Typed[] = [];
  const errors: unknown[] = [];
  let answer = Promise.withResolvers<void>();
  const typing = new Typing(
    (typed) => {
      sent.push(typed);
      return answer.promise;
    },
    (error) => errors.push(error),
  );
  typing.add({ erased: 0, written: 'a' });
  typing.add({ erased: 0, written: 'bc' });
  typing.add({ erased: 3, written: 'd' });
  expect(sent).toEqual([{ erased: 0, written: 'a' }]);
  answer.resolve();
  answer = Promise.withResolvers<void>();
  await expect.poll(() => sent[1]).toEqual({ erased: 1, written: 'd' });
  typing.add({ erased: 0, written: 'e' });
  answer.reject(new Error('no'));
  await expect.poll(() => errors).toHaveLength(1);
  answer = Promise.withResolvers<void>();
  typing.add({ erased: 0, written: 'f' });
  expect(sent[2]).toEqual({ erased: 0, written: 'f' });
});
