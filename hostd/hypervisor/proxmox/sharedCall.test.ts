import { expect, test } from 'vitest';
import { VirtualClock } from '../../virtualclock.ts';
import { SharedCall } from './sharedCall.ts';

function counted() {
  const clock = new VirtualClock();
  const open: (() => void)[] = [];
  let asked = 0;
  const call = new SharedCall(
    () => {
      const mine = ++asked;
      return new Promise<number>((resolve) => open.push(() => resolve(mine)));
    },
    clock,
    1000,
  );
  const answer = async () => {
    open.shift()?.();
    await Promise.resolve();
  };
  return { call, answer, asked: () => asked };
}

test('one call serves all who ask while it runs, and those who ask soon after', async () => {
  const { call, answer, asked } = counted();
  const both = Promise.all([call.get(), call.get()]);
  await answer();
  expect(await both).toEqual([1, 1]);
  expect(await call.get()).toBe(1);
  expect(asked()).toBe(1);
});

test('who changed something gets an answer that was asked for afterwards', async () => {
  const { call, answer, asked } = counted();
  const before = call.get();
  call.outdate();
  const after = call.get();
  await answer();
  expect(await before).toBe(1);
  await expect.poll(asked).toBe(2);
  await answer();
  expect(await after).toBe(2);
  expect(await call.get()).toBe(2);
});
