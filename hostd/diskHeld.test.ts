import { readFileSync } from 'node:fs';
import { systemClock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, expect, test, vi } from 'vitest';
import { nobody } from './crashmatrix/world.ts';
import { Hostd } from './hostd.ts';
import type { NodeFacts } from './hypervisor/driver.ts';
import { FakeHypervisor } from './hypervisor/fake.ts';
import type { AssignmentList, NodeHello } from './orders.ts';

const recorded = JSON.parse(readFileSync(new URL('recordings/0.1.0.json', import.meta.url), 'utf8')) as {
  hello: { answer: { nodeId: string; epoch: number; reclaimAfterSeconds: number } };
  assignments: { answer: AssignmentList };
};

afterEach(() => void vi.restoreAllMocks());

/** Starts hostd; `sleeps` says for how long it lay, at a fiftieth of which it did. */
function start(assignments: (ask: { after?: string }) => Promise<AssignmentList>) {
  const { vmRef } = recorded.assignments.answer.assignments[0]!;
  const hellos: NodeHello[] = [];
  const sleeps: number[] = [];
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
      assignments,
      report: () => Promise.resolve({ refused: [] }),
      metrics: () => Promise.reject(new Error('not asked for')),
    },
    driver: Object.assign(Object.create(driver) as typeof driver, { facts }),
    guests: world.guests(),
    clock: { ...systemClock, sleep: (ms, signal) => (sleeps.push(ms), systemClock.sleep(ms / 50, signal)) },
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
  return { hellos, sleeps, end: () => (stop.abort(), ended) };
}

test('hostd says what the disks of ordered machines hold; before it has read orders, those of all', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const { answer } = recorded.assignments;
  const { hellos, sleeps, end } = start(async ({ after }) => {
    if (after !== undefined) await Bun.sleep(100);
    return answer;
  });
  await expect.poll(() => hellos.length).toBeGreaterThan(1);
  await end();
  expect(hellos.slice(0, 2).map((hello) => [hello.epoch, hello.diskHeldMiB])).toEqual([
    [undefined, 5700],
    [recorded.hello.answer.epoch, 700],
  ]);
  // Nodes that begin at once do not speak at once for ever.
  expect(sleeps).toContain(5_000);
});

test('all count until orders were read, however often it says so', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const { hellos, end } = start(() => Promise.reject(new Fault('api_unreachable', 'not yet')));
  await expect.poll(() => hellos.length).toBeGreaterThan(1);
  await end();
  expect(hellos.slice(0, 2).map((hello) => hello.diskHeldMiB)).toEqual([5700, 5700]);
});
