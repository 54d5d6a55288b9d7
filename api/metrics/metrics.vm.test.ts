import { systemClock } from '@lebureau/kit/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeDouble } from '@lebureau/test/doubles/node';
import { purge } from '../background/loops.ts';
import { newKey } from '../keys/operations.ts';
import { insertKey } from '../keys/store.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { rollUpMetrics } from './rollUp.ts';
import { spanOf } from './readMetrics.ts';

interface Answer {
  from: string;
  to: string;
  stepSeconds: number;
  points: ({ at: string; measuredSeconds: number } & Record<string, number | null>)[];
}

let api: TestApi;
let node: NodeDouble;
let desktopId: string;
let assignmentId: string;
let seq = 0;
let shiftMs = 0;
/** Time that a test can let pass; the loops of the service sleep as ever. */
const clock = { ...systemClock, nowMs: () => Date.now() + shiftMs };

beforeEach(async () => {
  [shiftMs, seq] = [0, 0];
  api = await startTestApi({ clock });
  node = await api.node();
  ({ desktopId, assignmentId } = await newDesktop());
});
afterEach(() => api.stop());

async function newDesktop(of: NodeDouble = node) {
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { size: 'nano' },
  });
  await expect.poll(() => of.orders().some((order) => order.desktopId === id)).toBe(true);
  return { desktopId: id, assignmentId: of.orders().find((order) => order.desktopId === id)!.assignmentId };
}

async function report(samples: unknown[], over: Record<string, unknown> = {}, from: NodeDouble = node) {
  const answer = await from.call('/node/v1/metrics', { epoch: from.epoch, seq: ++seq, samples, ...over });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const used = (values: Record<string, number> = {}) => ({
  assignmentId,
  cpuMs: 5_000,
  memoryUsedKiB: 512 * 1024,
  memoryHostKiB: 100 * 1024,
  diskUsedKiB: 200 * 1024,
  diskReadBytes: 0,
  diskWrittenBytes: 40_960,
  networkReceivedBytes: 10_000,
  networkSentBytes: 1_000,
  ...values,
});
const sample = (values = used(), over = {}) => ({ ageMs: 0, overMs: 10_000, values: [values], ...over });

const read = (query = '', id = desktopId) =>
  api.expect<Answer>('getDesktopMetrics', 200, { method: 'GET', path: `/v1/desktops/${id}/metrics${query}` });
const known = (answer: Answer) => answer.points.filter((point) => point.measuredSeconds > 0);
const span = (seconds: number, step: number) =>
  `?from=${new Date(clock.nowMs() - seconds * 1000).toISOString()}&to=${new Date(clock.nowMs()).toISOString()}&stepSeconds=${step}`;

/** Reports every ten seconds for so long, rolled up now and then as the loop does. */
async function live(seconds: number, values: (at: number) => object = () => used()) {
  for (let at = 0; at < seconds; at += 10) {
    shiftMs += 10_000;
    expect(await report([sample(values(at) as ReturnType<typeof used>)])).toMatchObject({
      status: 200,
      body: { dropped: 0 },
    });
    if (at % 600 !== 0) continue;
    await rollUpMetrics(api.api.services);
    await purge(api.api.services, api.config.eventRetentionMs);
  }
}

describe('metrics of a desktop', () => {
  test('what its node told is read in its units, and gaps stay gaps', async () => {
    shiftMs = 60_000;
    expect(await report([sample()])).toMatchObject({ status: 200, body: { dropped: 0 } });
    const answer = await read();
    expect(answer.stepSeconds).toBe(10);
    expect(answer.points.length).toBeGreaterThanOrEqual(360);
    const points = known(answer);
    expect(points.reduce((sum, point) => sum + point.measuredSeconds, 0)).toBeCloseTo(10, 3);
    // The ten seconds may lie over two points, and in a thin one nothing is exact.
    expect(points.toSorted((one, other) => one.measuredSeconds - other.measuredSeconds).at(-1)).toMatchObject({
      cpuCores: expect.closeTo(0.5, 2),
      cpuCoresMax: 0.5,
      memoryUsedMiB: 512,
      memoryUsedMiBMax: 512,
      memoryHostMiB: 100,
      diskUsedMiB: 200,
      diskReadBytesPerSecond: 0,
      diskWriteBytesPerSecond: expect.closeTo(4096, -1),
      networkReceiveBytesPerSecond: expect.closeTo(1000, -1),
      networkSendBytesPerSecond: expect.closeTo(100, -1),
    });
    expect(answer.points[0]).toMatchObject({ measuredSeconds: 0, cpuCores: null, memoryUsedMiB: null });
    shiftMs += 240_000;
    await report([sample({ assignmentId, memoryUsedKiB: 1024 } as ReturnType<typeof used>)]);
    const later = await read(span(300, 60));
    expect(known(later).at(-1)).toMatchObject({ memoryUsedMiB: 1, cpuCores: null, diskUsedMiB: null });
    expect(later.points.some((point) => point.measuredSeconds === 0)).toBe(true);
  });

  test('is rolled up into coarser steps that say the same, and the finer ones go', async () => {
    await live(2 * 3600, (at) => used({ cpuMs: at % 600 === 0 ? 9_000 : 1_000, networkSentBytes: 1_000 + at }));
    const sum = (answer: Answer, name: string) =>
      known(answer).reduce((all, point) => all + point[name]! * point.measuredSeconds, 0);
    const fine = await read(span(3600, 10));
    const coarse = await read(span(3600, 120));
    const coarsest = await read(span(3600, 600));
    expect([fine, coarse, coarsest].map((answer) => answer.stepSeconds)).toEqual([10, 120, 600]);
    for (const answer of [coarse, coarsest])
      expect(Math.max(...known(answer).map((point) => point['cpuCoresMax']!))).toBe(0.9);
    const day = await read(span(3 * 3600, 60));
    expect(day.stepSeconds).toBe(120);
    // Times are evened out to a hundredth of a step.
    const about = (value: number, wanted: number) => expect(Math.abs(value - wanted)).toBeLessThan(wanted / 300);
    about(sum(day, 'cpuCores'), 7200 * 0.1 + 12 * 8);
    about(sum(day, 'networkSendBytesPerSecond'), 720 * 1000 + (719 * 720 * 10) / 2);
    about(sum(day, 'memoryUsedMiB'), 7200 * 512);
    shiftMs += 3 * 3_600_000;
    await live(1200);
    const rows = await api.api.services.database.read.selectFrom('metricChunks').select('stepSeconds').execute();
    const fineRows = rows.filter((row) => Number(row.stepSeconds) === 10);
    expect(fineRows.length).toBeLessThanOrEqual(3);
    // How many of the coarser ones there are depends on where the hours begin.
    expect(new Set(rows.map((row) => Number(row.stepSeconds)))).toEqual(new Set([10, 120, 600]));
    const old = await read(span(6 * 3600, 10 * 60));
    expect(sum(old, 'cpuCores')).toBeGreaterThan(7200 * 0.1);
    // Finer than what is kept is not made up.
    expect((await read(span(6 * 3600, 30))).stepSeconds).toBe(120);
    expect((await read(`?from=${new Date(clock.nowMs() - 3 * 86_400_000).toISOString()}`)).stepSeconds).toBe(1200);
  }, 60_000);

  test('a report that was lost on the way and sent again counts once; one of an ended epoch not at all', async () => {
    shiftMs = 60_000;
    await report([sample()], { seq: 5 });
    expect(await report([sample()], { seq: 5 })).toMatchObject({ status: 200 });
    expect(await report([sample()], { seq: 4 })).toMatchObject({ status: 200 });
    expect(known(await read()).reduce((sum, point) => sum + point.measuredSeconds, 0)).toBeCloseTo(10, 2);
    const epoch = node.epoch + 1000;
    expect(await report([sample()], { seq: 6, epoch })).toMatchObject({
      status: 409,
      body: { code: 'epoch_superseded' },
    });
  });

  test('survives a restart of hostd and of the service, reports and rows alike', async () => {
    await live(1300);
    seq = 0;
    const measured = async () =>
      known(await read(span(1400, 10))).reduce((sum, point) => sum + point.measuredSeconds, 0);
    const told = await measured();
    const hello = await node.call('/node/v1/hello', { ...(await lastHello()), epoch: undefined });
    const welcome = (await hello.json()) as {
      epoch: number;
      metricsEverySeconds: number;
      metricsSilentSeconds: number;
    };
    expect(welcome.metricsEverySeconds).toBe(10);
    expect(welcome.metricsSilentSeconds).toBeLessThan(60);
    shiftMs += 10_000;
    expect(await report([sample()], { epoch: welcome.epoch })).toMatchObject({ status: 200, body: { dropped: 0 } });
    const before = known(await read(span(1400, 60)));
    expect(await measured()).toBeCloseTo(told + 10, 0);
    const other = await startTestApi({ clock, config: { databaseUrl: api.config.databaseUrl } });
    try {
      const path = `/v1/desktops/${desktopId}/metrics${span(1400, 60)}`;
      const after = await other.expect<Answer>('getDesktopMetrics', 200, { method: 'GET', path, secret: api.secret });
      expect(known(after).length).toBe(before.length);
    } finally {
      await other.stop();
    }
  }, 60_000);

  test('goes a day after the desktop', async () => {
    await live(700);
    await rollUpMetrics(api.api.services);
    const count = async () =>
      (await api.api.services.database.read.selectFrom('metricChunks').select('desktopId').execute()).filter(
        (row) => row.desktopId === desktopId,
      ).length;
    expect(await count()).toBeGreaterThan(0);
    await api.expect('deleteDesktop', 202, { method: 'DELETE', path: `/v1/desktops/${desktopId}` });
    const gone = { method: 'GET', path: `/v1/desktops/${desktopId}?waitFor=destroyed&timeoutSeconds=10` };
    expect(await api.expect('getDesktop', 200, gone)).toMatchObject({ status: 'destroyed' });
    expect(await report([sample()])).toMatchObject({ body: { dropped: 1 } });
    ({ assignmentId } = await newDesktop());
    shiftMs += 25 * 3_600_000;
    await live(700);
    expect(await count()).toBe(0);
  }, 60_000);
});

async function lastHello(): Promise<object> {
  const row = await api.api.services.database.read.selectFrom('nodes').select('helloJson').executeTakeFirstOrThrow();
  return JSON.parse(row.helloJson) as object;
}

describe('whoever asks', () => {
  test('needs the capability, and gets no desktop of another workspace', async () => {
    const { database } = api.api.services;
    const keyOf = async (workspaceId: string, capabilities: readonly ('desktop:read' | 'metrics:read')[]) => {
      const { row, secret } = newKey({
        workspaceId,
        name: 'k',
        capabilities,
        restriction: null,
        createdBy: null,
        nowMs: clock.nowMs(),
      });
      await database.write((write) => insertKey(write, row));
      return secret;
    };
    const { workspaceId } = await database.read.selectFrom('desktops').select('workspaceId').executeTakeFirstOrThrow();
    const request = { method: 'GET', path: `/v1/desktops/${desktopId}/metrics` };
    const lacking = { ...request, secret: await keyOf(workspaceId, ['desktop:read']) };
    await api.expect('getDesktopMetrics', 403, lacking);
    await api.expect('getDesktopMetrics', 200, { ...request, secret: await keyOf(workspaceId, ['metrics:read']) });
    await api.expect('getDesktopMetrics', 404, {
      ...request,
      secret: await keyOf('wsp_01k9x3v6m8e9t2q4r6s8v0w2y4', ['metrics:read']),
    });
  });

  test('gets a bounded answer', async () => {
    const refused = (query: string) =>
      api.expect('getDesktopMetrics', 400, { method: 'GET', path: `/v1/desktops/${desktopId}/metrics${query}` });
    await refused('?stepSeconds=15');
    await refused('?stepSeconds=5');
    await refused('?from=yesterday');
    await refused('?until=now');
    await refused(`${span(-60, 10)}`);
    await refused(`?from=${new Date(clock.nowMs() - 31 * 86_400_000).toISOString()}&stepSeconds=600`);
    const month = await read(`?from=${new Date(clock.nowMs() - 31 * 86_400_000).toISOString()}`);
    expect(month.stepSeconds).toBe(10_800);
    expect(month.points.length).toBeLessThanOrEqual(361);
    const nowMs = 1_795_000_000_000;
    const at = (secondsAgo: number) => new Date(nowMs - secondsAgo * 1000).toISOString();
    for (const seconds of [1, 9, 3600, 9_999, 86_400, 400_000, 2_678_400]) {
      const { fromMs, toMs, stepMs } = spanOf({ from: at(seconds) }, nowMs);
      expect((toMs - fromMs) / stepMs).toBeLessThanOrEqual(1000);
      expect(fromMs % stepMs).toBe(0);
    }
  });
});

test('a service that wants no metrics asks for none', async () => {
  const silent = await startTestApi({ config: { metrics: false } });
  try {
    const quiet = await silent.node();
    const hello = await quiet.call('/node/v1/hello', { ...(await lastHello()), epoch: undefined });
    expect(Object.keys((await hello.json()) as object).filter((name) => name.startsWith('metrics'))).toEqual([]);
  } finally {
    await silent.stop();
  }
});

describe('a node', () => {
  test('that is hostile writes into no desktop of another, nor a number that cannot be', async () => {
    shiftMs = 60_000;
    const other = await api.node({ name: 'hostile' });
    const foreign = await report([sample()], {}, other);
    expect(foreign).toMatchObject({ status: 200, body: { dropped: 1 } });
    expect(known(await read())).toEqual([]);
    // Its epoch is that of the other node; only the peer tells whose it is.
    expect(await report([sample()], { seq: 99 })).toMatchObject({ status: 200, body: { dropped: 0 } });
    const before = known(await read()).length;
    const text = (value: string) =>
      JSON.stringify({ epoch: node.epoch, seq: ++seq + 100, samples: [sample(used({ cpuMs: 4242 }))] }).replace(
        '4242',
        value,
      );
    for (const value of ['1e308', '-1', '0.5', 'null', '"7"', '30720001'])
      expect((await raw(text(value))).status, value).toBe(400);
    expect((await raw(text('NaN'))).status).toBe(400);
    for (const bad of [{ ageMs: -60_000 }, { ageMs: 1e9 }, { overMs: 0 }, { overMs: 1e7 }])
      expect(await report([sample(used(), bad)], { seq: ++seq + 200 })).toMatchObject({ status: 400 });
    expect(known(await read())).toHaveLength(before);
    // One processor and 1 GiB cannot have used that.
    const beyond = used({ cpuMs: 90_000, memoryUsedKiB: 2 ** 31, diskUsedKiB: 2 ** 32, networkSentBytes: 2 ** 43 });
    shiftMs += 60_000;
    expect(await report([sample(beyond)], { seq: 400 })).toMatchObject({ status: 200, body: { dropped: 4 } });
    expect(known(await read()).at(-1)).toMatchObject({ cpuCores: null, memoryUsedMiB: null, memoryHostMiB: 100 });
  });

  test('that sends without end is told to stop', async () => {
    shiftMs = 60_000;
    const { database } = api.api.services;
    const row = { part: 1000, receivedMs: clock.nowMs(), samples: 2001, data: new Uint8Array(1), nodeId: node.nodeId };
    await database.write(({ db }) =>
      db
        .insertInto('metricReports')
        .values(row as never)
        .execute(),
    );
    const refused = { status: 429, body: { code: 'rate_limited' } };
    expect(await report(Array.from({ length: 5 }, () => sample()))).toMatchObject(refused);
    const answers = [];
    // Numbers of its own choice, none of which divides by sixteen.
    for (let times = 1; times <= 16; times++) answers.push((await report([sample()], { seq: 16 * times + 1 })).status);
    expect(answers).toContain(429);
  });

  test('whose clock is wrong by ten minutes is believed in how long ago only', async () => {
    // It says how old a sample is and never what time it is; this one was kept while the service was away.
    shiftMs = 3_600_000;
    await report([sample(used(), { ageMs: 600_000 })]);
    const [first] = known(await read());
    expect(Math.abs(clock.nowMs() - 610_000 - Date.parse(first!.at))).toBeLessThan(11_000);
    // From before the desktop was there: a machine of the pool was nobody's.
    expect(await report([sample(used(), { ageMs: 3_700_000 })])).toMatchObject({ body: { dropped: 1 } });
  });
});

function raw(body: string): Promise<Response> {
  const request = new Request('http://node/node/v1/metrics', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return Promise.resolve(api.api.apps.node(request, { kind: 'local' }));
}
