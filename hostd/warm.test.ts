import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import { VirtualClock } from './virtualclock.ts';
import { Warmer, type WarmSize } from './warm.ts';

const size = (memoryMiB: number): WarmSize => ({ templateId: 'tpl_a', vcpus: 1, memoryMiB });

function world() {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const state = { busy: false, running: 0, runningMost: 0, fail: false, made: [] as number[] };
  const warm = async ({ memoryMiB }: WarmSize) => {
    state.runningMost = Math.max(state.runningMost, ++state.running);
    await clock.sleep(60_000, stop.signal);
    state.running -= 1;
    if (state.fail) throw new Error('no room');
    state.made.push(memoryMiB);
  };
  const warmer = new Warmer({ warm, isBusy: () => state.busy, clock, log: silentLog, signal: stop.signal });
  const pass = async (ms: number) => {
    const untilMs = clock.monotonicMs() + ms;
    while (await clock.next(untilMs));
    await clock.settle();
  };
  return { warmer, state, stop, pass };
}

test('sizes are warmed one at a time, each once', async () => {
  const { warmer, state, pass } = world();
  for (const memoryMiB of [1024, 2048, 1024, 2048]) warmer.want(size(memoryMiB));
  await pass(200_000);
  expect(state).toMatchObject({ made: [1024, 2048], runningMost: 1 });
});

test('a desktop on its way comes first', async () => {
  const { warmer, state, pass } = world();
  state.busy = true;
  warmer.want(size(1024));
  await pass(600_000);
  expect(state.runningMost).toBe(0);
  state.busy = false;
  await pass(100_000);
  expect(state.made).toEqual([1024]);
});

test('what failed is left alone for a while, and a stop ends the waiting', async () => {
  const { warmer, state, stop, pass } = world();
  state.fail = true;
  warmer.want(size(1024));
  await pass(100_000);
  state.fail = false;
  warmer.want(size(1024));
  await pass(100_000);
  expect(state.made).toEqual([]);
  await pass(1_800_000);
  warmer.want(size(1024));
  await pass(100_000);
  expect(state.made).toEqual([1024]);
  state.busy = true;
  warmer.want(size(2048));
  stop.abort();
  await warmer.ended();
  expect(state.made).toEqual([1024]);
});
