import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, expect, test } from 'vitest';
import { nobody } from './crashmatrix/world.ts';
import { Hostd } from './hostd.ts';
import { FakeHypervisor } from './hypervisor/fake.ts';
import { ApiAddresses } from './apiAddresses.ts';
import { connectNodeApi } from './nodeapi.ts';

/** What API 0.1.0 answers, recorded, to this hostd; and what one of tomorrow may answer. */

const recorded = JSON.parse(readFileSync(new URL('recordings/0.1.0.json', import.meta.url), 'utf8')) as {
  hello: { answer: object };
  assignments: { answer: { assignments: object[] } };
  observations: { answer: object };
};
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Answers every call as recorded, with these members besides. */
function serve(more: { welcome?: object; order?: object } = {}) {
  const told: { observations: { ready: boolean }[] }[] = [];
  const asked: string[] = [];
  const { assignments, ...list } = recorded.assignments.answer;
  const answers: Record<string, () => object | Promise<object>> = {
    hello: () => ({ ...recorded.hello.answer, ...more.welcome }),
    assignments: () => ({ ...list, assignments: assignments.map((order) => ({ ...order, ...more.order })) }),
    observations: () => recorded.observations.answer,
    metrics: () => ({ dropped: 0 }),
  };
  const socket = join(mkdtempSync(join(tmpdir(), 'lebureau-skew-')), 'api.sock');
  const server = Bun.serve({
    unix: socket,
    async fetch(request) {
      const url = new URL(request.url);
      const name = url.pathname.split('/').at(-1)!;
      asked.push(name);
      if (name === 'observations') told.push((await request.json()) as (typeof told)[number]);
      if (url.searchParams.has('after')) await Bun.sleep(100);
      return Response.json(await answers[name]!());
    },
  });
  ends.push(() => server.stop(true));
  return { address: `unix:${socket}`, told, asked };
}

function start(address: string, log: Log = silentLog) {
  const world = new FakeHypervisor({ clock: systemClock });
  const stop = new AbortController();
  const hostd = new Hostd({
    desk: connectNodeApi({ addresses: new ApiAddresses({ configured: [address] }) }),
    driver: world.driver(),
    guests: world.guests(),
    clock: systemClock,
    log,
    identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot }),
    macOf: () => nobody.mac,
    nodeName: 'node-1',
    version: '0',
    guestAddress: 'unix:/nowhere',
    effectsMax: 8,
    drainMs: 500,
    reclaim: 'on',
    reclaimRecord: { read: () => undefined, write: () => {} },
    bootTimeoutMs: 600_000,
    lookEveryMs: 3_000,
  });
  const ended = hostd.run(stop.signal);
  ends.unshift(() => {
    stop.abort();
    return ended;
  });
  return world;
}

test.each([
  ['an older API', {}],
  ['an API that says more', { welcome: { protocol: 1, zone: 'a' }, order: { gpu: null, labels: { a: 'b' } } }],
])('%s is understood: its order becomes a ready desktop', async (_about, more) => {
  const api = serve(more);
  start(api.address);
  await expect.poll(() => api.told.at(-1)?.observations[0]?.ready).toBe(true);
});

test('an older API is told no metrics; one that asks for them is', async () => {
  const older = serve();
  start(older.address);
  const newer = serve({ welcome: { metricsEverySeconds: 0.05, metricsSilentSeconds: 3600 } });
  start(newer.address);
  await expect.poll(() => newer.asked.filter((name) => name === 'metrics').length).toBeGreaterThan(2);
  expect(older.told.length).toBeGreaterThan(0);
  expect(older.asked).not.toContain('metrics');
});

test('an API that speaks another version is said to do so, and its orders are not carried out', async () => {
  const api = serve({ welcome: { protocol: 9 } });
  const said: string[] = [];
  const world = start(api.address, { ...silentLog, warn: (_event, fields) => said.push(String(fields?.['error'])) });
  await expect.poll(() => said.join()).toContain('version 9');
  expect(said.join()).toContain('this hostd 1');
  expect(api.asked).not.toContain('assignments');
  expect(world.vms.size).toBe(0);
});
