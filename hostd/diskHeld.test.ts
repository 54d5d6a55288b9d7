import { readFileSync } from 'node:fs';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import { nobody } from './crashmatrix/world.ts';
import { Hostd } from './hostd.ts';
import type { NodeFacts } from './hypervisor/driver.ts';
import { FakeHypervisor } from './hypervisor/fake.ts';
import type { AssignmentList, NodeHello } from './orders.ts';

const recorded = JSON.parse(readFileSync(new URL('recordings/0.1.0.json', import.meta.url), 'utf8')) as {
  hello: { answer: { nodeId: string; epoch: number; reclaimAfterSeconds: number } };
  assignments: { answer: AssignmentList };
};

test('hostd says what the disks of ordered machines hold; before it has read orders, those of all', async () => {
  const { vmRef } = recorded.assignments.answer.assignments[0]!;
  const hellos: NodeHello[] = [];
  const world = new FakeHypervisor({ clock: systemClock });
  const driver = world.driver();
  const facts = async (): Promise<NodeFacts> => ({
    ...(await driver.facts()),
    diskHeldMiB: { [vmRef]: 700, 'lb-stranger': 5000 },
  });
  const stop = new AbortController();
  const hostd = new Hostd({
    desk: {
      hello: (hello) => {
        hellos.push(hello);
        return Promise.resolve(recorded.hello.answer);
      },
      assignments: async ({ after }) => {
        if (after !== undefined) await Bun.sleep(100);
        return recorded.assignments.answer;
      },
      report: () => Promise.resolve({ refused: [] }),
      metrics: () => Promise.reject(new Error('not asked for')),
    },
    driver: Object.assign(Object.create(driver) as typeof driver, { facts }),
    guests: world.guests(),
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 50, signal) },
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
  await expect.poll(() => hellos.length).toBeGreaterThan(1);
  stop.abort();
  await ended;
  expect(hellos.slice(0, 2).map((hello) => [hello.epoch, hello.diskHeldMiB])).toEqual([
    [undefined, 5700],
    [recorded.hello.answer.epoch, 700],
  ]);
});
