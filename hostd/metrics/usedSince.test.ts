import { expect, test } from 'vitest';
import type { VmMetrics } from '../hypervisor/driver.ts';
import { Backlog, type Measured } from './backlog.ts';
import { usedSince } from './usedSince.ts';

const seen = (over: Partial<VmMetrics> = {}): VmMetrics => ({
  vmRef: 'lb-a',
  life: '1',
  cpuMs: 1000,
  memoryUsedKiB: 10,
  memoryHostKiB: 5,
  diskReadBytes: 100,
  diskWrittenBytes: 100,
  networkReceivedBytes: 100,
  networkSentBytes: 100,
  ...over,
});

test('counters become what happened, levels what there is', () => {
  const now = seen({ cpuMs: 1500, diskWrittenBytes: 300, memoryUsedKiB: 20.4 });
  expect(usedSince(seen(), now, 10_000)).toEqual({
    cpuMs: 500,
    memoryUsedKiB: 20,
    memoryHostKiB: 5,
    diskReadBytes: 0,
    diskWrittenBytes: 200,
    networkReceivedBytes: 0,
    networkSentBytes: 0,
  });
});

test('what is not known at both ends is left out, never 0', () => {
  const used = usedSince(
    seen({ cpuMs: undefined }),
    seen({ diskReadBytes: undefined, memoryUsedKiB: Number.NaN }),
    10_000,
  );
  expect(Object.keys(used!)).toEqual(['memoryHostKiB', 'diskWrittenBytes', 'networkReceivedBytes', 'networkSentBytes']);
});

test('a counter that fell tells nothing, and another life nothing at all', () => {
  const fell = usedSince(seen(), seen({ networkSentBytes: 7, networkReceivedBytes: 107 }), 10_000)!;
  expect(fell.networkSentBytes).toBeUndefined();
  expect(fell.networkReceivedBytes).toBe(7);
  expect(usedSince(seen(), seen({ life: '2', cpuMs: 99_999 }), 10_000)).toBeUndefined();
  expect(usedSince(undefined, seen(), 10_000)).toBeUndefined();
});

test('a share of processors counts over the time between', () => {
  const by = (cpuCores?: number) =>
    usedSince(seen({ cpuMs: undefined }), seen({ cpuMs: undefined, cpuCores }), 10_000)!.cpuMs;
  expect(by(0.25)).toBe(2500);
  expect(by(0)).toBe(0);
  expect(by(undefined)).toBeUndefined();
  expect(by(Number.POSITIVE_INFINITY)).toBeUndefined();
});

const measured = (endedMs: number, count: number): Measured => ({
  endedMs,
  overMs: 10_000,
  values: Array.from({ length: count }, (_, at) => ({ assignmentId: `asg_${at}` })),
});

test('the backlog is bounded in values and gives the oldest first, in reports of bounded size', () => {
  const backlog = new Backlog({ valuesMax: 100, batchValuesMax: 25, batchSamplesMax: 4 });
  let lost = 0;
  for (let at = 1; at <= 30; at++) lost += backlog.push(measured(at, 10));
  expect(lost).toBe(20);
  expect(backlog.length).toBe(10);
  expect(backlog.take().map((one) => one.endedMs)).toEqual([21, 22]);
  expect(backlog.push(measured(99, 0))).toBe(0);
  const small = new Backlog({ batchSamplesMax: 4 });
  for (let at = 0; at < 9; at++) small.push(measured(at, 1));
  expect([small.take().length, small.take().length, small.take().length, small.take().length]).toEqual([4, 4, 1, 0]);
  const large = new Backlog({ valuesMax: 5, batchValuesMax: 5 });
  large.push(measured(1, 50));
  expect(large.take()).toHaveLength(1);
});
