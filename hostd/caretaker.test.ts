import { expect, test } from 'vitest';
import { silentLog } from '@lebureau/kit/log';
import { Caretaker } from './caretaker.ts';
import { FakeHypervisor } from './hypervisor/fake.ts';
import { Slots } from './limit.ts';
import type { Assignment, Observation } from './orders.ts';
import { VirtualClock } from './virtualclock.ts';

const order: Assignment = {
  assignmentId: 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4',
  desktopId: null,
  vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y4',
  templateId: 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4',
  hardware: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  network: 'none',
  hostName: 'desk',
  timeZone: 'UTC',
  desired: 'running',
  desiredBoot: 2,
  generation: 1,
  cloneSeen: true,
  identityVersion: 0,
  gracefulStopSeconds: 30,
  config: '{}',
};

/** A caretaker of one VM that is there already, on a clock that is moved by hand. */
function tended(ordered: Assignment) {
  const clock = new VirtualClock();
  const hypervisor = new FakeHypervisor({ clock });
  hypervisor.plant({ vmRef: order.vmRef, owner: order.assignmentId });
  const vm = hypervisor.vms.get(order.vmRef)!;
  const points: string[] = [];
  const told: Observation[] = [];
  let isSilent = false;
  const driver = hypervisor.driver((point) => {
    // A loop without a pause would otherwise never let the test end.
    if (points.push(point) > 2000) return Promise.reject(new Error('busy'));
    return isSilent ? new Promise(() => {}) : Promise.resolve();
  });
  const hold: { at?: string } = {};
  const guests = hypervisor.guests((point) => {
    points.push(point);
    return point === hold.at ? new Promise(() => {}) : Promise.resolve();
  });
  const begin = () =>
    new Caretaker(
      {
        driver,
        guests,
        clock,
        log: silentLog,
        slots: new Slots(4),
        healthSlots: new Slots(2),
        identityOf: (one, boot) => ({ owner: one.assignmentId, boot, version: one.identityVersion }) as never,
        macOf: () => '52:54:00:00:00:01',
        tell: (observation) => told.push(observation),
        confirm: () => Promise.resolve(),
        coldStarted: () => {},
        bootTimeoutMs: 600_000,
        lookEveryMs: 3_000,
      },
      ordered,
    );
  const pass = async (ms: number) => {
    const untilMs = clock.monotonicMs() + ms;
    while (await clock.next(untilMs));
  };
  return {
    vm,
    points,
    told,
    begin,
    pass,
    hold,
    count: (point: string) => points.filter((each) => each === point).length,
    /** The hypervisor answers nothing from now on; guests do. */
    silence: () => (isSilent = true),
  };
}

test('a cut that changes nothing is tried again with pauses, and helps in the end', async () => {
  const { vm, begin, pass, count, told } = tended(order);
  Object.assign(vm, { power: 'broken', boot: 1, unkillable: true });
  const caretaker = begin();
  await pass(60_000);
  expect(count('kill:before')).toBeGreaterThan(5);
  expect(count('kill:before')).toBeLessThan(200);
  expect(told.at(-1)?.fault).toMatchObject({ code: 'hypervisor_failed', class: 'retry' });
  vm.unkillable = false;
  await pass(10_000);
  expect(vm).toMatchObject({ power: 'running', boot: 2 });
  expect(told.at(-1)?.fault).toBeNull();
  caretaker.end();
});

test('a guest that a full disk halted is kept, is told, and goes on in the same boot when there is room', async () => {
  const { vm, begin, pass, count, told } = tended(order);
  const identity = `${order.assignmentId}:2:0`;
  Object.assign(vm, { power: 'paused', boot: 2, startMode: 'warm', identity, trouble: 'The disk is full.' });
  const caretaker = begin();
  await pass(3_600_000);
  expect(vm).toMatchObject({ power: 'paused', boot: 2 });
  expect(told.at(-1)).toMatchObject({ power: 'paused', fault: { code: 'disk_full', class: 'retry' } });
  expect(count('start:before')).toBeLessThan(1000);
  vm.trouble = undefined;
  await pass(60_000);
  expect(vm).toMatchObject({ power: 'running', boot: 2, startMode: 'warm', identity });
  expect(told.at(-1)).toMatchObject({ power: 'running', ready: true, fault: null });
  expect([count('kill:before'), count('start:written')]).toEqual([0, 0]);
  caretaker.end();
});

test('a guest that suspended itself goes on instead of being cut', async () => {
  const { vm, begin, pass, count } = tended(order);
  Object.assign(vm, { power: 'paused', boot: 2, startMode: 'warm', identity: `${order.assignmentId}:2:0` });
  const caretaker = begin();
  await pass(10_000);
  expect(vm).toMatchObject({ power: 'running', boot: 2, startMode: 'warm' });
  expect([count('kill:before'), count('start:written')]).toEqual([0, 0]);
  caretaker.end();
});

test('the stray of a deleted desktop is ended, so that its deletion can be told', async () => {
  const { vm, begin, pass, told } = tended({ ...order, desired: 'deleted' });
  Object.assign(vm, { owner: undefined, complete: false });
  const caretaker = begin();
  await pass(10_000);
  expect(told.at(-1)).toMatchObject({ presence: 'absent', fault: null });
  caretaker.end();
});

test('a machine that a desktop gets is told anew who it is, and is not ready before', async () => {
  const order0 = { ...order, desiredBoot: 1 };
  const { vm, begin, pass, told } = tended(order0);
  Object.assign(vm, { power: 'running', boot: 1, identity: undefined, startedAtMs: 0 });
  const caretaker = begin();
  // It waited for longer than a boot may take.
  await pass(1_200_000);
  expect(told.at(-1)).toMatchObject({ generation: 1, ready: true });
  const before = told.length;
  caretaker.give({ ...order0, generation: 2, identityVersion: 1, hostName: 'claimed' });
  await pass(5_000);
  expect(vm.identity).toBe(`${order.assignmentId}:1:1`);
  expect(told.slice(before).map(({ power, ready, fault }) => [power, ready, fault])).toEqual([
    ['booting', false, null],
    ['running', true, null],
  ]);
  caretaker.end();
});

const member: Assignment = { ...order, desiredBoot: 1 };
const claimed: Assignment = { ...member, desktopId: 'dsk_1', generation: 2, identityVersion: 1, hostName: 'mine' };
const isReady = { power: 'running', ready: true, fault: null };

test('a machine that waits and hangs is told after two questions, and is well again when it answers', async () => {
  const { vm, begin, pass, told, count } = tended(member);
  const caretaker = begin();
  await pass(120_000);
  expect(told.at(-1)).toMatchObject(isReady);
  expect(count('identity')).toBeGreaterThan(2);
  expect(count('identity'), 'seldom').toBeLessThan(10);
  vm.wedged = true;
  const asked = count('identity');
  while (count('identity') === asked) await pass(100);
  await pass(1_000);
  expect(told.at(-1), 'one question may be lost').toMatchObject(isReady);
  await pass(10_000);
  expect(told.at(-1)).toMatchObject({ ready: false, fault: { code: 'guest_unreachable', class: 'fail' } });
  vm.wedged = false;
  await pass(60_000);
  expect(told.at(-1)).toMatchObject(isReady);
  expect([count('kill:before'), count('identify:after')]).toEqual([0, 1]);
  caretaker.end();
});

test('nobody asks the guest of a desktop that somebody has', async () => {
  const { begin, pass, told, count } = tended({ ...member, desktopId: 'dsk_1' });
  const caretaker = begin();
  await pass(600_000);
  expect(told.at(-1)).toMatchObject(isReady);
  expect(count('identity')).toBe(1);
  caretaker.end();
});

test('a machine that hangs when it is claimed is started anew: nobody has used it', async () => {
  const { vm, begin, pass, told, count } = tended(member);
  const caretaker = begin();
  await pass(10_000);
  vm.wedged = true;
  caretaker.give(claimed);
  await pass(30_000);
  expect(told.at(-1)).toMatchObject({ power: 'booting', generation: 2 });
  expect(count('kill:before')).toBe(0);
  await pass(32_000);
  expect(count('kill:before')).toBe(1);
  vm.wedged = false;
  await pass(10_000);
  expect(told.at(-1)).toMatchObject({ ...isReady, generation: 2, boot: 1 });
  expect(vm.identity).toBe(`${order.assignmentId}:1:1`);
  caretaker.end();
});

test('one that its user starts anew meanwhile is not cut while it boots', async () => {
  const { vm, begin, pass, count, told, hold } = tended(member);
  const caretaker = begin();
  await pass(10_000);
  hold.at = 'identify:before';
  caretaker.give(claimed);
  await pass(10_000);
  caretaker.give({ ...claimed, desiredBoot: 2, generation: 3 });
  while (vm.boot < 2) await pass(100);
  vm.wedged = true;
  await pass(300_000);
  expect(count('kill:before')).toBe(0);
  expect(told.at(-1)).toMatchObject({ boot: 2, power: 'booting', ready: false });
  caretaker.end();
});

test('a guest that somebody may have used is never cut because it hangs', async () => {
  for (const isClaimed of [true, false]) {
    const { vm, begin, pass, count } = tended(isClaimed ? member : claimed);
    const caretaker = begin();
    await pass(10_000);
    if (isClaimed) caretaker.give(claimed);
    await pass(10_000);
    caretaker.give({ ...claimed, generation: 3, gracefulStopSeconds: 10 });
    vm.wedged = true;
    caretaker.doubtGuest();
    await pass(3_600_000);
    expect(count('kill:before')).toBe(0);
    caretaker.end();
  }
});

test('a machine that is claimed in the middle of the question is told at once', async () => {
  const { vm, begin, pass, told, count, hold } = tended(member);
  const caretaker = begin();
  await pass(10_000);
  const before = count('identity');
  hold.at = 'identity';
  while (count('identity') === before) await pass(100);
  caretaker.give(claimed);
  hold.at = undefined;
  await pass(500);
  expect(told.at(-1)).toMatchObject({ ...isReady, generation: 2 });
  expect(vm.identity).toBe(`${order.assignmentId}:1:1`);
  caretaker.end();
});

test('nor does who gets it wait for another look at a machine that was seen a moment ago', async () => {
  const order0 = { ...order, desiredBoot: 1 };
  const { vm, begin, pass, told, silence } = tended(order0);
  Object.assign(vm, { power: 'running', boot: 1, identity: undefined, startedAtMs: 0 });
  const caretaker = begin();
  await pass(7_000);
  silence();
  caretaker.give({ ...order0, generation: 2, identityVersion: 1, hostName: 'claimed' });
  await pass(10);
  expect(vm.identity).toBe(`${order.assignmentId}:1:1`);
  expect(told.at(-1)).toMatchObject({ generation: 2, ready: true });
  caretaker.end();
});
