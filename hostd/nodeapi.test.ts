import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { isFault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, expect, test } from 'vitest';
import { ApiDouble } from './crashmatrix/apidouble.ts';
import { assignmentId, firstOrder, nobody } from './crashmatrix/world.ts';
import { Hostd } from './hostd.ts';
import { FakeHypervisor } from './hypervisor/fake.ts';
import { ApiAddresses } from './apiAddresses.ts';
import { connectNodeApi } from './nodeapi.ts';
import type { NodeHello, ObservationReport } from './orders.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** The API's half over a real Unix socket. */
function serveApi(): { api: ApiDouble; address: string } {
  const api = new ApiDouble(systemClock);
  const desk = api.desk(() => Promise.resolve());
  const socket = join(mkdtempSync(join(tmpdir(), 'lebureau-nodeapi-')), 'api.sock');
  const handle = async (request: Request): Promise<unknown> => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/node/v1/hello') return desk.hello((await request.json()) as NodeHello, request.signal);
    if (pathname === '/node/v1/observations')
      return desk.report((await request.json()) as ObservationReport, request.signal);
    const ask = {
      epoch: Number(searchParams.get('epoch')),
      after: searchParams.get('after') ?? undefined,
      waitSeconds: Number(searchParams.get('waitSeconds')),
    };
    return desk.assignments(ask, request.signal);
  };
  const server = Bun.serve({
    unix: socket,
    fetch: (request) =>
      handle(request).then(
        (answer) => Response.json(answer),
        (error: unknown) =>
          Response.json({ code: isFault(error) ? error.code : 'internal', detail: 'no' }, { status: 409 }),
      ),
  });
  ends.push(() => server.stop(true));
  return { api, address: `unix:${socket}` };
}

function startHostd(address: string, world: FakeHypervisor) {
  const stop = new AbortController();
  const hostd = new Hostd({
    desk: connectNodeApi({ addresses: new ApiAddresses({ configured: [address] }) }),
    driver: world.driver(),
    guests: world.guests(),
    clock: systemClock,
    log: silentLog,
    identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot, version: order.identityVersion }),
    macOf: () => nobody.mac,
    nodeName: 'node',
    version: '0',
    guestAddress: 'unix:/nowhere',
    effectsMax: 8,
    drainMs: 1_000,
    reclaim: 'on',
    reclaimRecord: { read: () => undefined, write: () => {} },
    bootTimeoutMs: 600_000,
    lookEveryMs: 3_000,
  });
  const ended = hostd.run(stop.signal);
  ends.push(() => {
    stop.abort();
    return ended;
  });
  return { ended };
}

async function until(what: () => boolean, limitMs: number): Promise<number> {
  const start = performance.now();
  while (!what() && performance.now() - start < limitMs) await Bun.sleep(1);
  expect(what()).toBe(true);
  return performance.now() - start;
}

test('over real sockets a new order is ready within milliseconds, and a deleted one gone', async () => {
  const { api, address } = serveApi();
  const world = new FakeHypervisor({ clock: systemClock });
  startHostd(address, world);
  await Bun.sleep(100);
  api.insert(firstOrder);
  const tookMs = await until(() => api.row(assignmentId).observed?.ready === true, 2_000);
  expect(tookMs).toBeLessThan(500);
  api.want(assignmentId, 'deleted');
  await until(() => api.row(assignmentId).gone, 2_000);
  expect(world.vms.size).toBe(0);
});

test('a hostd that was superseded ends by itself', async () => {
  const { api, address } = serveApi();
  const world = new FakeHypervisor({ clock: systemClock });
  const first = startHostd(address, world);
  api.insert(firstOrder);
  await until(() => api.row(assignmentId).observed?.ready === true, 2_000);
  startHostd(address, world);
  await Bun.sleep(50);
  api.want(assignmentId, 'restart');
  expect(await first.ended).toBe('superseded');
  await until(() => api.row(assignmentId).observed?.boot === 2, 2_000);
});

test('a restart of hostd does not make a ready desktop look unready', async () => {
  const { api, address } = serveApi();
  const world = new FakeHypervisor({ clock: systemClock });
  startHostd(address, world);
  api.insert(firstOrder);
  await until(() => api.row(assignmentId).observed?.ready === true, 2_000);
  const told: boolean[] = [];
  const before = api.row(assignmentId).observed;
  startHostd(address, world);
  await until(() => {
    const now = api.row(assignmentId).observed;
    if (now !== before) told.push(now?.ready === true);
    return told.length > 0;
  }, 2_000);
  expect(told).not.toContain(false);
});

test('an API that is not there, or answers without JSON, is a fault and no bug', async () => {
  const nowhere = connectNodeApi({ addresses: new ApiAddresses({ configured: ['unix:/nonexistent/api.sock'] }) });
  const ask = { epoch: 1, waitSeconds: 0 };
  await expect(nowhere.assignments(ask, new AbortController().signal)).rejects.toMatchObject({
    code: 'api_unreachable',
  });
  const socket = join(mkdtempSync(join(tmpdir(), 'lebureau-nodeapi-')), 'api.sock');
  const server = Bun.serve({ unix: socket, fetch: () => new Response('<html>', { status: 502 }) });
  ends.push(() => server.stop(true));
  const odd = connectNodeApi({ addresses: new ApiAddresses({ configured: [`unix:${socket}`] }) });
  await expect(odd.assignments(ask, new AbortController().signal)).rejects.toMatchObject({ code: 'api_unreachable' });
});
