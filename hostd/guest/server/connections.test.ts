import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import { firstOrder } from '../../crashmatrix/world.ts';
import { FakeHypervisor } from '../../hypervisor/fake.ts';
import { VirtualClock } from '../../virtualclock.ts';
import { GuestConnections } from './connections.ts';

test('a desktop that moved takes control from its holder first, and then ends its streams as moved', () => {
  const clock = new VirtualClock();
  const told: string[] = [];
  const vm = { vmRef: firstOrder.vmRef, complete: true, power: 'running', boot: 1 } as const;
  const connections = new GuestConnections({
    driver: new FakeHypervisor({ clock }).driver(),
    clock,
    log: silentLog,
    find: () => ({ order: firstOrder, vm, identified: true }),
    knowsOrders: () => true,
    keysOf: () => ({ hostKey: '', privateKey: '' }),
    onInitLost: () => {},
    onDeleted: () => told.push('deleted'),
    onMoved: (assignmentId) => told.push(`control of ${assignmentId} ended`),
    isBusy: () => false,
  });
  const hold = () => connections.of(firstOrder.assignmentId).hold((why) => told.push(why));
  hold();
  connections.close(firstOrder, 'moved');
  expect(told).toEqual([`control of ${firstOrder.assignmentId} ended`, 'moved']);
  hold();
  connections.close({ ...firstOrder, desired: 'deleted' });
  expect(told.slice(2)).toEqual(['gone', 'deleted']);
});

test('before its orders came a node does not say that a desktop is not there', () => {
  const clock = new VirtualClock();
  let knowsOrders = false;
  const connections = new GuestConnections({
    driver: new FakeHypervisor({ clock }).driver(),
    clock,
    log: silentLog,
    find: () => undefined,
    knowsOrders: () => knowsOrders,
    keysOf: () => ({ hostKey: '', privateKey: '' }),
    onInitLost: () => {},
    isBusy: () => false,
  });
  const code = (expected: string) => expect.objectContaining({ code: expected });
  expect(() => connections.of(firstOrder.assignmentId)).toThrow(code('not_ready'));
  knowsOrders = true;
  expect(() => connections.of(firstOrder.assignmentId)).toThrow(code('not_found'));
});
