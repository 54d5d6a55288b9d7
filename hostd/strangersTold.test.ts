import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import { nobody } from './crashmatrix/world.ts';
import { Hostd } from './hostd.ts';
import { FakeHypervisor } from './hypervisor/fake.ts';
import type { Stranger } from './orders.ts';
import { VirtualClock } from './virtualclock.ts';

test('strangers of a round before are not told again when the list of machines fails', async () => {
  const clock = new VirtualClock();
  const world = new FakeHypervisor({ clock });
  const told: Stranger[][] = [];
  let fails = false;
  const vmRef = 'lb-01k9x3v6m8e9t2q4r6s8v0w2y4';
  const list = () =>
    fails
      ? Promise.reject(new Error('the cluster has no quorum'))
      : Promise.resolve([{ vmRef, complete: true, power: 'off' as const, boot: 0 }]);
  const stop = new AbortController();
  const hostd = new Hostd({
    desk: {
      hello: () => Promise.resolve({ nodeId: 'nod_1', epoch: 1, protocol: 1, reclaimAfterSeconds: 600 }),
      assignments: async ({ after, waitSeconds }) => {
        if (after !== undefined) await clock.sleep(waitSeconds * 1000, stop.signal);
        return { epoch: 1, revision: '1', assignments: [] };
      },
      report: ({ strangers }) => (told.push(strangers), Promise.resolve({ refused: [] })),
      metrics: () => Promise.reject(new Error('not asked for')),
    },
    driver: Object.assign(Object.create(world.driver()) as ReturnType<typeof world.driver>, { list }),
    guests: world.guests(),
    clock,
    log: silentLog,
    identityOf: (order, boot) => ({ ...nobody, owner: order.assignmentId, boot }),
    macOf: () => nobody.mac,
    nodeName: 'node-1',
    version: '0',
    guestAddress: 'unix:/nowhere',
    effectsMax: 8,
    drainMs: 500,
    reclaim: 'dry-run',
    reclaimRecord: { read: () => undefined, write: () => {} },
    bootTimeoutMs: 600_000,
    lookEveryMs: 3_000,
  });
  const ended = hostd.run(stop.signal);
  const pass = async () => {
    const untilMs = clock.monotonicMs() + 70_000;
    while (await clock.next(untilMs));
    return told.at(-1)?.map((one) => one.vmRef);
  };
  expect(await pass()).toEqual([vmRef]);
  fails = true;
  expect(await pass()).toEqual([]);
  fails = false;
  expect(await pass()).toEqual([vmRef]);
  stop.abort();
  await pass();
  await ended;
});
