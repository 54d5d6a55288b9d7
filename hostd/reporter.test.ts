import { Fault, isFault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import type { Observation, ObservationReceipt, ObservationReport, OrderDesk } from './orders.ts';
import { Reporter } from './reporter.ts';
import { VirtualClock } from './virtualclock.ts';

const observation = (assignmentId: string, over: Partial<Observation> = {}): Observation => ({
  assignmentId,
  generation: 1,
  presence: 'present',
  power: 'running',
  boot: 1,
  ready: true,
  agentReady: true,
  startMode: 'warm',
  ipAddress: null,
  fault: null,
  atMs: 0,
  ...over,
});

function world(accept: (report: ObservationReport) => ObservationReceipt | Promise<ObservationReceipt>) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const reports: ObservationReport[] = [];
  const desk: OrderDesk = {
    hello: () => Promise.reject(new Error('not asked here')),
    assignments: () => Promise.reject(new Error('not asked here')),
    metrics: () => Promise.reject(new Error('not asked here')),
    report: async (report) => {
      reports.push(structuredClone(report));
      return accept(report);
    },
  };
  const fatal = (error: unknown) => isFault(error, 'epoch_superseded');
  const reporter = new Reporter({ desk, clock, log: silentLog, signal: stop.signal, fatal });
  const pass = async (ms: number) => {
    const untilMs = clock.monotonicMs() + ms;
    while (await clock.next(untilMs));
  };
  return { reporter, reports, pass };
}

const sent = (reports: ObservationReport[]) =>
  reports.map((report) => report.observations.map((one) => `${one.assignmentId}${one.boot}`));

test('nothing is sent before an epoch began; then everything at once, the newest of each', async () => {
  const { reporter, reports, pass } = world(() => ({ refused: [] }));
  reporter.tell(observation('a'));
  reporter.tell(observation('b'));
  await pass(1_000);
  expect(reports).toEqual([]);
  reporter.beginEpoch(7);
  reporter.tell(observation('a', { boot: 2 }));
  await pass(0);
  expect(sent(reports).at(-1)).toEqual(['a2', 'b1']);
  expect(reports[0]).toMatchObject({ epoch: 7, seq: 1 });
});

test('what changes while a report travels goes with the next, and seq grows', async () => {
  const gate = Promise.withResolvers<ObservationReceipt>();
  const { reporter, reports, pass } = world(() => (reports.length === 1 ? gate.promise : { refused: [] }));
  reporter.beginEpoch(1);
  reporter.tell(observation('a'));
  await pass(0);
  reporter.tell(observation('a', { boot: 2 }));
  reporter.tell(observation('a', { boot: 3 }));
  await pass(0);
  gate.resolve({ refused: [] });
  await pass(0);
  expect(sent(reports)).toEqual([['a1'], ['a3']]);
  expect(reports.map((report) => report.seq)).toEqual([1, 2]);
});

test('a lost answer is repeated until it is accepted', async () => {
  const { reporter, reports, pass } = world(() =>
    reports.length < 3 ? new Promise<never>(() => {}) : { refused: [] },
  );
  reporter.beginEpoch(1);
  reporter.tell(observation('a'));
  await pass(60_000);
  expect(sent(reports)).toEqual([['a1'], ['a1'], ['a1']]);
});

test('an observation that the API chokes on does not keep the others from it', async () => {
  const taken = new Set<string>();
  const { reporter, pass } = world((report) => {
    if (report.observations.some((one) => one.assignmentId === 'b')) throw new Fault('internal', 'no');
    for (const one of report.observations) taken.add(one.assignmentId);
    return { refused: [] };
  });
  reporter.beginEpoch(1);
  for (const assignmentId of ['a', 'b', 'c', 'd']) reporter.tell(observation(assignmentId));
  await pass(120_000);
  expect([...taken].toSorted()).toEqual(['a', 'c', 'd']);
});

test('a confirmation is given only by an accepted report, and taken back by a refusal, a failure or a newer observation', async () => {
  const { reporter, reports, pass } = world((report) => {
    if (reports.length === 1) throw new Fault('api_unreachable', 'no');
    return {
      refused: report.observations
        .filter((one) => one.assignmentId === 'b')
        .map((one) => ({ assignmentId: one.assignmentId, reason: 'older_generation' })),
    };
  });
  reporter.beginEpoch(1);
  const failed = expect(reporter.confirm(observation('a'))).rejects.toMatchObject({ code: 'api_unreachable' });
  await pass(1_000);
  await failed;
  const good = reporter.confirm(observation('a'));
  const refused = expect(reporter.confirm(observation('b'))).rejects.toMatchObject({ code: 'observation_refused' });
  const stale = expect(reporter.confirm(observation('c'))).rejects.toMatchObject({ code: 'observation_refused' });
  reporter.tell(observation('c', { boot: 2 }));
  await pass(10_000);
  await Promise.all([good, refused, stale]);
});

test('after another hostd took over nothing more is sent', async () => {
  const { reporter, reports, pass } = world(() => {
    throw new Fault('epoch_superseded', 'no');
  });
  reporter.beginEpoch(1);
  reporter.tell(observation('a'));
  await pass(60_000);
  expect(reports).toHaveLength(1);
});

test('strangers that are there are told each time, and once that there are none', async () => {
  const { reporter, reports, pass } = world(() => ({ refused: [] }));
  reporter.beginEpoch(1);
  await pass(0);
  const stranger = { vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y4', owner: null };
  for (const strangers of [[stranger], [stranger], [], []]) {
    reporter.tellStrangers(strangers);
    await pass(1_000);
  }
  expect(reports.map(({ strangers }) => strangers.length)).toEqual([0, 1, 1, 0]);
});
