import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, startTestApi } from '../testing/testApi.ts';

/** What hostd 0.1.0 says, recorded, to this API; and what one of tomorrow may say. */

const recorded = JSON.parse(readFileSync(new URL('recordings/0.1.0.json', import.meta.url), 'utf8')) as {
  hello: { request: object; answer: object };
  assignments: { answer: { assignments: object[] } };
  observations: { request: { observations: { assignmentId: string }[] } };
};

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const call = async (path: string, body?: object) => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const request = new Request(`http://node${path}`, body === undefined ? {} : init);
  const answer = await api.api.apps.node(request, { kind: 'local' });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const membersOf = (value: object) => Object.keys(value);

test('an older hostd is understood, and finds in each answer all that it knows', async () => {
  const welcome = await call('/node/v1/hello', recorded.hello.request);
  expect(welcome.status).toBe(200);
  expect(membersOf(welcome.body)).toEqual(expect.arrayContaining(membersOf(recorded.hello.answer)));
  const { epoch } = welcome.body as { epoch: number };
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { network: 'none' },
  });
  const list = await call(`/node/v1/assignments?epoch=${epoch}&waitSeconds=0`);
  const [order] = list.body['assignments'] as { assignmentId: string }[];
  expect(membersOf(order!)).toEqual(expect.arrayContaining(membersOf(recorded.assignments.answer.assignments[0]!)));
  const [seen] = recorded.observations.request.observations;
  const report = {
    ...recorded.observations.request,
    epoch,
    observations: [{ ...seen, assignmentId: order!.assignmentId }],
  };
  expect(await call('/node/v1/observations', report)).toEqual({ status: 200, body: { refused: [] } });
  const path = `/v1/desktops/${id}`;
  expect(await api.expect('getDesktop', 200, { method: 'GET', path })).toMatchObject({
    status: 'running',
    ready: true,
  });
});

test('an older hostd is asked for metrics in a member that it does not read, and misses nothing without them', async () => {
  const welcome = await call('/node/v1/hello', recorded.hello.request);
  expect(welcome.body).toMatchObject({ metricsEverySeconds: 10 });
  expect(membersOf(welcome.body)).toEqual(expect.arrayContaining(membersOf(recorded.hello.answer)));
  const desktop = await api.expect<{ id: string }>('createDesktop', 201, {
    method: 'POST',
    path: '/v1/desktops',
    body: { network: 'none' },
  });
  const path = `/v1/desktops/${desktop.id}/metrics`;
  const { points } = await api.expect<{ points: { measuredSeconds: number; cpuCores: number | null }[] }>(
    'getDesktopMetrics',
    200,
    { method: 'GET', path },
  );
  expect(points.every((point) => point.measuredSeconds === 0 && point.cpuCores === null)).toBe(true);
});

test('measures that this API does not know are left out of metrics', async () => {
  const { epoch } = (await call('/node/v1/hello', recorded.hello.request)).body as { epoch: number };
  const values = [{ assignmentId: 'asg_01m8bvm84tekrvjybr2snafw62', cpuMs: 1, gpuMs: 2 }];
  const report = { epoch, seq: 1, zone: 'a', samples: [{ ageMs: 0, overMs: 10_000, steal: 1, values }] };
  expect(await call('/node/v1/metrics', report)).toEqual({ status: 200, body: { dropped: 1 } });
});

test('members that this API does not know are no hindrance', async () => {
  const hello = { ...recorded.hello.request, protocols: [1, 2], gpus: [{ model: 'x' }] };
  const welcome = await call('/node/v1/hello', hello);
  expect(welcome).toMatchObject({ status: 200, body: { protocol: 1 } });
});

test('a hostd that shares no version is told so, with what each speaks', async () => {
  const refused = await call('/node/v1/hello', { ...recorded.hello.request, protocols: [7, 8] });
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'unsupported_version' },
  });
  expect(refused.body['detail']).toBe('hostd speaks version 7, 8 of the node contract and this API 1.');
});
