import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { attentionOf } from './serviceHealth.ts';

type Health = Parameters<typeof attentionOf>[0] & { attention: string[] };

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const read = () => api.expect<Health>('getServiceHealth', 200, { method: 'GET', path: '/v1/health' });

test('health counts nodes and machines, and says what to look at', async () => {
  expect(await read()).toMatchObject({ attention: ['no_node'], nodes: { up: 0, versions: [] } });
  await api.node();
  await api.expect('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body: {} });
  await expect
    .poll(read)
    .toMatchObject({ attention: [], nodes: { up: 1, silent: 0 }, machines: { running: 1, underWay: 0, failing: 0 } });
});

test('who may not read nodes may not read health', async () => {
  const { secret } = await api.expect<{ secret: string }>('createKey', 201, {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'k', capabilities: ['desktop:read'] },
  });
  await api.expect('getServiceHealth', 403, { method: 'GET', path: '/v1/health', secret });
});

test('what somebody should look at follows from the numbers', async () => {
  const nowMs = Date.parse('2026-11-20T10:00:00.000Z');
  const fine: Health = {
    ...(await read()),
    database: { kind: 'sqlite', answeredInMs: 1 },
    machines: { running: 1, off: 0, underWay: 3, failing: 0 },
    metrics: { reportsWaiting: 9, lastReportAt: '2026-11-20T09:59:00.000Z' },
  };
  expect(attentionOf(fine, nowMs)).toEqual([]);
  const bad: Health = {
    ...fine,
    database: { kind: 'sqlite', answeredInMs: 900 },
    nodes: { up: 2, silent: 1, cordoned: 1, overBooked: 1, strangers: 2, versions: ['0.1.0', '0.2.0'] },
    machines: { ...fine.machines, failing: 1 },
    metrics: { reportsWaiting: 9, lastReportAt: '2026-11-20T09:40:00.000Z' },
  };
  expect(attentionOf(bad, nowMs)).toEqual([
    'database_slow',
    'node_silent',
    'node_overbooked',
    'strangers',
    'machines_failing',
    'metrics_behind',
    'versions_differ',
  ]);
});
