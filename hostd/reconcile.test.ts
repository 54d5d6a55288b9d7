import { expect, test } from 'vitest';
import type { VmSeen } from './hypervisor/driver.ts';
import { observationOf } from './observe.ts';
import type { Assignment } from './orders.ts';
import { nextStep, type Facts, type Seen } from './reconcile.ts';

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
  identityVersion: 0,
  cloneSeen: true,
  gracefulStopSeconds: 30,
  config: '{}',
};
const met = {
  boot: 2,
  identified: true,
  commandAnswered: true,
  frameTaken: true,
  runningSinceMs: 0,
  doubted: false,
  silent: false,
};
const facts: Facts = {
  nowMs: 1_000_000,
  wallMs: 0,
  cloneSeen: true,
  removed: false,
  guest: met,
  bootTimeoutMs: 600_000,
};
const unmet: Facts = {
  ...facts,
  guest: { ...met, identified: false, commandAnswered: false, frameTaken: false, runningSinceMs: facts.nowMs },
};
const off = (boot: number, offBecause?: VmSeen['offBecause']): Partial<VmSeen> => ({ power: 'off', boot, offBecause });

function failedStarts(code: string): NonNullable<Facts['trouble']> {
  return { kind: 'start', failures: 9, retryAtMs: 0, fault: { code, class: 'retry', message: 'no' } };
}

function vm(changes: Partial<VmSeen> = {}): Seen {
  return {
    kind: 'vm',
    vm: { vmRef: order.vmRef, owner: order.assignmentId, complete: true, power: 'running', boot: 2, ...changes },
  };
}
function noMove(kind: 'retry' | 'fail'): NonNullable<Facts['trouble']> {
  return {
    kind: 'move',
    failures: 1,
    retryAtMs: 1_060_000,
    fault: { code: 'move_refused', class: kind, message: 'no' },
  };
}
const moved: Assignment = { ...order, move: { to: 'two' } };
const absent: Seen = { kind: 'absent' };
const stopped: Assignment = { ...order, desired: 'stopped' };
const deleted: Assignment = { ...order, desired: 'deleted' };
const unseen: Facts = { ...facts, cloneSeen: false };

test.each<[string, Assignment, Seen, Facts, object]>([
  ['a clone is announced before it is made', order, absent, unseen, { kind: 'confirm' }],
  ['an announced clone is made', order, absent, { ...unseen, confirmedAtMs: 995_000 }, { kind: 'clone' }],
  ['an old announcement does not count', order, absent, { ...unseen, confirmedAtMs: 900_000 }, { kind: 'confirm' }],
  [
    'nothing is cloned over what was lost',
    order,
    absent,
    facts,
    { kind: 'rest', fault: { code: 'vm_missing', class: 'fail' } },
  ],
  ['what shall be elsewhere is moved, running', moved, vm(), facts, { kind: 'move', to: 'two' }],
  ['or off', { ...moved, desired: 'stopped' }, vm(off(2, 'requested')), facts, { kind: 'move', to: 'two' }],
  ['what is to be off is moved when it is', { ...moved, desired: 'stopped' }, vm(), facts, { kind: 'requestStop' }],
  ['a move that was cut off goes on', moved, vm({ moving: true }), facts, { kind: 'move', to: 'two' }],
  ['a delete goes before a move', { ...moved, desired: 'deleted' }, vm({ moving: true }), facts, { kind: 'delete' }],
  [
    'what arrived is settled there, whatever is ordered since',
    order,
    vm({ arrivedAt: 'two' }),
    facts,
    { kind: 'move', to: 'two' },
  ],
  [
    'what another hostd looks after is left alone',
    moved,
    vm({ movedTo: 'two', power: 'off' }),
    facts,
    { kind: 'done' },
  ],
  ['but removed for good from here, too', deleted, vm({ movedTo: 'two' }), facts, { kind: 'delete' }],
  [
    'a move that was refused keeps nothing from its life',
    moved,
    vm(),
    { ...unmet, trouble: noMove('fail') },
    { kind: 'probe' },
  ],
  [
    'one that failed is tried again later',
    moved,
    vm(),
    { ...facts, trouble: noMove('retry') },
    { kind: 'wait', untilMs: 1_060_000 },
  ],
  [
    'a half-made clone is finished',
    order,
    vm({ complete: false }),
    { ...unseen, confirmedAtMs: 995_000 },
    { kind: 'clone' },
  ],
  [
    'a clone that became half-made is left',
    order,
    vm({ complete: false }),
    facts,
    { kind: 'rest', fault: { code: 'vm_missing' } },
  ],
  [
    'a foreign VM is left',
    order,
    vm({ owner: 'asg_other' }),
    facts,
    { kind: 'rest', fault: { code: 'not_ours', class: 'operator' } },
  ],
  [
    'a foreign VM is not deleted',
    deleted,
    vm({ owner: undefined }),
    facts,
    { kind: 'rest', fault: { code: 'not_ours' } },
  ],
  [
    'what outlived the marker of a deleted VM is ended',
    deleted,
    vm({ owner: undefined, complete: false }),
    facts,
    { kind: 'delete' },
  ],
  [
    'under another name it is left',
    deleted,
    vm({ owner: undefined, complete: false, vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y5' }),
    facts,
    { kind: 'rest', fault: { code: 'not_ours' } },
  ],
  [
    'a stray is not taken for the VM that is to run',
    order,
    vm({ owner: undefined, complete: false }),
    facts,
    { kind: 'rest', fault: { code: 'not_ours' } },
  ],
  ['first start', order, vm(off(0)), unmet, { kind: 'start', boot: 2 }],
  ['a new boot of what crashed', order, vm(off(1, 'crashed')), unmet, { kind: 'start', boot: 2 }],
  [
    'what crashed stays down',
    order,
    vm(off(2, 'crashed')),
    unmet,
    { kind: 'rest', fault: { code: 'guest_crashed', class: 'fail' } },
  ],
  ['what the guest switched off stays off', order, vm(off(2, 'guest')), unmet, { kind: 'done' }],
  ['what was stopped by order starts again', order, vm(off(2, 'requested')), unmet, { kind: 'start', boot: 2 }],
  ['an interrupted start is repeated', order, vm(off(2)), unmet, { kind: 'start', boot: 2 }],
  ['a start left paused is finished', order, vm({ power: 'paused' }), unmet, { kind: 'start', boot: 2 }],
  [
    'a guest that a full disk halted is never cut, however often it could not go on',
    order,
    vm({ power: 'paused', trouble: 'full' }),
    { ...unmet, trouble: failedStarts('disk_full') },
    { kind: 'start', boot: 2 },
  ],
  [
    'any other guest that does not go on is cut',
    order,
    vm({ power: 'paused' }),
    { ...unmet, trouble: failedStarts('hypervisor_failed') },
    { kind: 'kill' },
  ],
  [
    'a broken VM is not restarted behind the back of its guest',
    order,
    vm({ power: 'broken', trouble: 'why' }),
    unmet,
    { kind: 'rest', fault: { code: 'hypervisor_failed', message: 'why' } },
  ],
  ['a restart cuts a broken VM', order, vm({ power: 'broken', boot: 1 }), unmet, { kind: 'kill' }],
  ['a running guest is met', order, vm(), unmet, { kind: 'probe', lacks: ['identity', 'command', 'frame'] }],
  [
    'what it has shown is not asked again',
    order,
    vm(),
    { ...facts, guest: { ...met, frameTaken: false } },
    { kind: 'probe', lacks: ['frame'] },
  ],
  [
    'a doubted guest is asked who it is',
    order,
    vm(),
    { ...facts, guest: { ...met, doubted: true, silent: false } },
    { kind: 'probe', lacks: ['identity'] },
  ],
  ['ready', order, vm(), facts, { kind: 'done' }],
  ['a restart stops first', order, vm({ boot: 1 }), facts, { kind: 'requestStop' }],
  ['a stop asks first', stopped, vm(), facts, { kind: 'requestStop' }],
  [
    'then waits',
    stopped,
    vm(),
    { ...facts, stop: { sinceMs: 990_000, asked: true } },
    { kind: 'wait', untilMs: 1_000_200 },
  ],
  [
    'not longer than allowed',
    stopped,
    vm(),
    { ...facts, stop: { sinceMs: 970_100, asked: true } },
    { kind: 'wait', untilMs: 1_000_100 },
  ],
  ['then cuts the power', stopped, vm(), { ...facts, stop: { sinceMs: 970_000, asked: true } }, { kind: 'kill' }],
  [
    'also when it could never ask',
    stopped,
    vm(),
    { ...facts, stop: { sinceMs: 970_000, asked: false } },
    { kind: 'kill' },
  ],
  ['what is broken or paused is cut at once', stopped, vm({ power: 'paused' }), facts, { kind: 'kill' }],
  ['stopped', stopped, vm(off(2, 'requested')), facts, { kind: 'done' }],
  ['a stopped desktop has a disk', stopped, absent, unseen, { kind: 'confirm' }],
  ['delete does not ask the guest', deleted, vm(), facts, { kind: 'delete' }],
  ['delete of a half-made clone', deleted, vm({ complete: false }), unseen, { kind: 'delete' }],
  ['delete of what is broken', deleted, vm({ power: 'broken' }), facts, { kind: 'delete' }],
  ['deleted, as far as it is seen', deleted, absent, facts, { kind: 'delete' }],
  ['deleted', deleted, absent, { ...facts, removed: true }, { kind: 'done' }],
])('%s', (...[, ordered, seen, known, step]) => {
  expect(nextStep(ordered, seen, known)).toMatchObject(step);
});

test('a failure is waited out, one without hope is told, and a delete goes on regardless', () => {
  const trouble = {
    kind: 'start',
    failures: 1,
    retryAtMs: facts.nowMs + 5,
    fault: { code: 'disk_full', class: 'retry', message: 'full' },
  } as const;
  expect(nextStep(order, vm(off(0)), { ...unmet, trouble })).toMatchObject({ kind: 'wait', untilMs: facts.nowMs + 5 });
  expect(nextStep(order, vm(off(0)), { ...unmet, nowMs: facts.nowMs + 5, trouble })).toMatchObject({ kind: 'start' });
  const hopeless = { ...trouble, fault: { ...trouble.fault, class: 'fail' } } as const;
  expect(nextStep(order, vm(off(0)), { ...unmet, nowMs: facts.nowMs + 5, trouble: hopeless })).toMatchObject({
    kind: 'rest',
  });
  const stuck = { ...hopeless, kind: 'delete' } as const;
  expect(nextStep(deleted, vm(), { ...facts, nowMs: facts.nowMs + 5, trouble: stuck })).toEqual({ kind: 'delete' });
});

test('every combination has a step, and a foreign VM is never in it', () => {
  for (const desired of ['running', 'stopped', 'deleted'] as const)
    for (const power of ['off', 'running', 'paused', 'broken'] as const)
      for (const offBecause of [undefined, 'requested', 'guest', 'crashed'] as const)
        for (const boot of [0, 1, 2, 3])
          for (const complete of [true, false])
            for (const owner of [order.assignmentId, 'asg_other', undefined]) {
              const step = nextStep({ ...order, desired }, vm({ power, offBecause, boot, complete, owner }), unmet);
              expect(step).toBeDefined();
              const isStray = desired === 'deleted' && owner === undefined && !complete;
              if (owner !== order.assignmentId) expect(step.kind).toBe(isStray ? 'delete' : 'rest');
            }
});

test('what is told: booting until identified, running then, ready when a frame and a command came', () => {
  const told = (seen: Seen, known: Facts, ordered = order) => observationOf(ordered, seen, known);
  expect(told(absent, unseen)).toMatchObject({ presence: 'cloning', power: 'off', ready: false });
  expect(told(absent, facts)).toMatchObject({ presence: 'absent', fault: { code: 'vm_missing' } });
  expect(told(absent, facts, deleted)).toMatchObject({ presence: 'cloning', fault: null });
  expect(told(absent, { ...facts, removed: true }, deleted)).toMatchObject({ presence: 'absent', fault: null });
  expect(told(vm({ owner: undefined }), facts, deleted)).toMatchObject({
    presence: 'cloning',
    fault: { code: 'not_ours' },
  });
  expect(told(vm(), unmet)).toMatchObject({ presence: 'present', power: 'booting', ready: false });
  expect(told(vm(), { ...facts, guest: { ...met, frameTaken: false } })).toMatchObject({
    power: 'running',
    ready: false,
  });
  expect(told(vm(), facts)).toMatchObject({ power: 'running', ready: true, agentReady: true, fault: null });
  expect(told(vm({ boot: 1 }), facts)).toMatchObject({ power: 'stopping', ready: false });
  expect(told(vm(), facts, stopped)).toMatchObject({ power: 'stopping', ready: false });
  expect(told(vm({ power: 'broken', trouble: 'why' }), facts, stopped)).toMatchObject({
    power: 'stopping',
    fault: null,
  });
  expect(told(vm({ power: 'paused', trouble: 'full' }), facts)).toMatchObject({
    power: 'paused',
    ready: false,
    fault: { code: 'disk_full', class: 'retry', message: 'full' },
  });
  expect(told(vm({ power: 'paused', trouble: 'full' }), facts, stopped)).toMatchObject({
    power: 'stopping',
    fault: null,
  });
  expect(told(vm({ power: 'broken', trouble: 'why' }), facts)).toMatchObject({
    power: 'paused',
    ready: false,
    fault: { message: 'why' },
  });
});

test('a guest that does not answer is booting, and says so as a fault only when it takes too long', () => {
  const trouble = {
    kind: 'probe',
    failures: 9,
    retryAtMs: 0,
    fault: { code: 'guest_unreachable', class: 'retry', message: 'no' },
  } as const;
  expect(observationOf(order, vm(), { ...unmet, trouble })).toMatchObject({ power: 'booting', fault: null });
  const late = { ...unmet, trouble, nowMs: unmet.nowMs + 600_000 };
  expect(observationOf(order, vm(), late)).toMatchObject({
    power: 'booting',
    fault: { code: 'boot_timeout', class: 'retry' },
  });
});

test('a move shows in what is told, and not as a fault of the desktop', () => {
  expect(observationOf(moved, vm({ moving: true }), facts)).toMatchObject({
    moving: true,
    ready: true,
    power: 'running',
  });
  expect(observationOf(moved, vm(), { ...facts, trouble: noMove('fail') })).toMatchObject({
    fault: null,
    moveFault: { code: 'move_refused' },
    ready: true,
  });
  expect(observationOf(moved, vm({ movedTo: 'two' }), facts)).toMatchObject({
    movedTo: 'two',
    presence: 'present',
    power: 'running',
    ready: false,
  });
});
