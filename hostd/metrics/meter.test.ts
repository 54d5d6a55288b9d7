import { Fault, isFault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PastMetrics, VmMetrics } from '../hypervisor/driver.ts';
import type { MetricsReport, NodeWelcome } from '../orders.ts';
import { VirtualClock } from '../virtualclock.ts';
import { Meter } from './meter.ts';

// The moment of the first look.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0));
afterEach(() => void vi.restoreAllMocks());

const welcome: NodeWelcome = { nodeId: 'nod_x', epoch: 7, reclaimAfterSeconds: 600, metricsEverySeconds: 10 };
const ref = 'lb-a';

/** One VM whose process uses half a processor. */
function world(more: { past?: () => Promise<PastMetrics[]> } = {}) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const reports: MetricsReport[] = [];
  const state = {
    accept: (_report: MetricsReport): Promise<unknown> => Promise.resolve(),
    look: async (): Promise<VmMetrics[]> => [
      { vmRef: ref, life: '1', cpuMs: clock.monotonicMs() / 2, memoryUsedKiB: 9 },
      { vmRef: 'lb-of-nobody', life: '1', cpuMs: clock.monotonicMs() },
    ],
  };
  const meter = new Meter({
    desk: {
      metrics: async (report) => {
        reports.push(structuredClone(report));
        await state.accept(report);
        return { dropped: 0 };
      },
    },
    driver: { metrics: () => state.look(), pastMetrics: more.past },
    clock,
    log: silentLog,
    signal: stop.signal,
    fatal: (error) => isFault(error, 'epoch_superseded'),
    vms: () => new Map([[ref, 'asg_a']]),
  });
  const pass = async (ms: number) => {
    const untilMs = clock.monotonicMs() + ms;
    while (await clock.next(untilMs));
  };
  return { meter, reports, state, pass, clock, stop };
}

const samplesOf = (reports: readonly MetricsReport[]) => reports.flatMap((report) => report.samples);
const unreachable = () => Promise.reject(new Fault('api_unreachable', 'Nobody answers.'));

test('an API that does not ask for metrics gets none; one that does gets what was used since the look before', async () => {
  const { meter, reports, pass } = world();
  meter.want({ ...welcome, metricsEverySeconds: undefined });
  await pass(60_000);
  expect(reports).toEqual([]);
  meter.want(welcome);
  await pass(35_000);
  expect(reports).toHaveLength(3);
  expect(reports[0]).toMatchObject({ epoch: 7, seq: 1 });
  expect(samplesOf(reports)).toEqual(
    reports.map(() => ({
      ageMs: 0,
      overMs: 10_000,
      values: [{ assignmentId: 'asg_a', cpuMs: 5000, memoryUsedKiB: 9 }],
    })),
  );
});

test('nodes that begin at once look and tell at moments of their own', async () => {
  const firstAtMs: number[] = [];
  for (const share of [0, 0.3, 0.9]) {
    vi.spyOn(Math, 'random').mockReturnValue(share);
    const { meter, state, pass, clock } = world();
    const { look } = state;
    const looks: number[] = [];
    state.look = () => {
      looks.push(clock.monotonicMs());
      return look();
    };
    meter.want(welcome);
    await pass(25_000);
    firstAtMs.push(looks[0]!);
    expect(looks[1]! - looks[0]!).toBe(10_000);
  }
  expect(firstAtMs).toEqual([0, 3_000, 9_000].map((ms) => ms + firstAtMs[0]!));
});

test('what cannot be sent waits and is told with its age; a lost answer is told again under the same number', async () => {
  const { meter, reports, state, pass } = world();
  meter.want(welcome);
  await pass(15_000);
  state.accept = unreachable;
  await pass(600_000);
  expect(new Set(reports.slice(1).map((report) => report.seq))).toEqual(new Set([2]));
  const failed = reports.length;
  state.accept = () => Promise.resolve();
  await pass(10_000);
  const told = reports.slice(failed);
  expect(told[0]!.seq).toBe(2);
  expect(told.map((report) => report.seq)).toEqual([2, 3]);
  expect(samplesOf(told)).toHaveLength(61);
  expect(samplesOf(told)[0]).toMatchObject({ ageMs: 600_000, overMs: 10_000 });
  await pass(10_000);
  expect(reports.at(-1)!.samples).toHaveLength(1);
});

test('an hour and more without the API is bounded, the oldest goes', async () => {
  const { meter, reports, state, pass } = world();
  meter.want(welcome);
  state.accept = unreachable;
  await pass(3 * 3_600_000);
  const failed = reports.length;
  state.accept = () => Promise.resolve();
  await pass(30_000);
  const ages = samplesOf(reports.slice(failed)).map((sample) => sample.ageMs);
  expect(Math.max(...ages)).toBeLessThanOrEqual(4_200_000);
  expect(ages.length).toBeGreaterThan(300);
});

test('a hypervisor that hangs, fails or is looked at again late costs its own samples only', async () => {
  const { meter, reports, state, pass } = world();
  const { look } = state;
  meter.want(welcome);
  await pass(25_000);
  state.look = () => new Promise(() => {});
  await pass(30_000);
  state.look = () => Promise.reject(new Error('it failed'));
  await pass(30_000);
  state.look = look;
  await pass(15_000);
  const before = samplesOf(reports).length;
  // Over the whole time, once: what was counted meanwhile is not lost.
  const long = samplesOf(reports).find((sample) => sample.overMs > 10_000)!;
  expect(long.values[0]!.cpuMs).toBe(long.overMs / 2);
  state.look = () => Promise.reject(new Error('it failed'));
  await pass(200_000);
  state.look = look;
  await pass(12_000);
  // Too long to say anything of.
  expect(
    samplesOf(reports)
      .slice(before)
      .every((sample) => sample.overMs <= 120_000),
  ).toBe(true);
});

test('what the API refuses for good is given up, and a superseded hostd is silent', async () => {
  const { meter, reports, state, pass } = world();
  meter.want(welcome);
  state.accept = () => Promise.reject(new Fault('invalid_request', 'No.'));
  await pass(35_000);
  expect(reports.map((report) => report.seq)).toEqual([1, 2, 3]);
  state.accept = () => Promise.reject(new Fault('epoch_superseded', 'Over.'));
  await pass(11_000);
  expect(reports.at(-1)!.seq).toBe(4);
});

test('a gap is filled from the history of the hypervisor, within the gap only, and a failure of that is no matter', async () => {
  const { meter, reports, pass } = world({
    past: async () =>
      Array.from({ length: 60 }, (_, at) => ({
        agoMs: (60 - at) * 60_000,
        overMs: 60_000,
        used: { memoryUsedKiB: at },
      })),
  });
  meter.want({ ...welcome, metricsSilentSeconds: 1200 });
  await pass(140_000);
  const before = reports.length;
  await pass(20_000);
  const past = samplesOf(reports.slice(before)).filter((sample) => sample.overMs === 60_000);
  // Twenty minutes until the start, told two and a half minutes after it.
  expect(past.length).toBeGreaterThanOrEqual(18);
  expect(past.length).toBeLessThanOrEqual(20);
  for (const { ageMs, overMs } of past) {
    expect(ageMs).toBeGreaterThanOrEqual(140_000);
    expect(ageMs + overMs).toBeLessThanOrEqual(1_200_000 + 170_000);
  }
  const failing = world({ past: () => Promise.reject(new Error('no such table')) });
  failing.meter.want({ ...welcome, metricsSilentSeconds: 1200 });
  await failing.pass(200_000);
  expect(samplesOf(failing.reports).length).toBeGreaterThan(15);
  const short = world({ past: () => Promise.reject(new Error('not to be asked')) });
  short.meter.want({ ...welcome, metricsSilentSeconds: 30 });
  await short.pass(200_000);
  expect(samplesOf(short.reports).every((sample) => sample.overMs === 10_000)).toBe(true);
});

test('ends with hostd', async () => {
  const { meter, pass, stop } = world();
  meter.want({ ...welcome, metricsSilentSeconds: 1200 });
  await pass(25_000);
  stop.abort();
  await pass(1);
  await meter.ended();
});
