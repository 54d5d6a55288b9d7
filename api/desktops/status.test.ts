import { expect, test } from 'vitest';
import { statuses } from './schema.ts';
import { type StatusFacts, allowedActionsOf, statusOf } from './status.ts';

const running: StatusFacts = {
  desired: 'running',
  desiredBoot: 1,
  generation: 1,
  observedGeneration: 1,
  presence: 'present',
  power: 'running',
  boot: 1,
  cloneSeen: true,
  fault: null,
  destroyed: false,
  nodeHeard: true,
};
const fault = (kind: 'retry' | 'fail' | 'operator') => ({ code: 'guest_crashed', class: kind });

const table: [string, Partial<StatusFacts>, string][] = [
  ['just created', { presence: 'absent', power: 'off', boot: 0, observedGeneration: 0 }, 'pending'],
  ['being cloned', { presence: 'cloning', power: 'off', boot: 0 }, 'pending'],
  ['cloned, not started yet', { power: 'off', boot: 0 }, 'booting'],
  ['started', { power: 'booting' }, 'booting'],
  ['up', {}, 'running'],
  ['restart asked for, the old boot still up', { desiredBoot: 2 }, 'stopping'],
  ['restart asked for, going down', { desiredBoot: 2, power: 'stopping' }, 'stopping'],
  ['restart asked for, off in between', { desiredBoot: 2, power: 'off' }, 'booting'],
  ['the guest powered itself off', { power: 'off' }, 'stopped'],
  ['stop asked for', { desired: 'stopped' }, 'stopping'],
  ['stopped', { desired: 'stopped', power: 'off' }, 'stopped'],
  [
    'stop asked for before it was cloned',
    { desired: 'stopped', presence: 'absent', power: 'off', boot: 0 },
    'stopping',
  ],
  ['a fault that is retried', { presence: 'cloning', power: 'off', fault: fault('retry') }, 'pending'],
  ['a fault for good', { power: 'off', fault: fault('fail') }, 'error'],
  ['a fault for the operator', { fault: fault('operator') }, 'error'],
  ['a fault of an older order', { power: 'off', desiredBoot: 2, generation: 2, fault: fault('fail') }, 'booting'],
  ['the node is silent', { nodeHeard: false }, 'unknown'],
  ['the node is silent and it is to go', { nodeHeard: false, desired: 'deleted' }, 'destroying'],
  ['to go in spite of a fault', { desired: 'deleted', fault: fault('fail') }, 'destroying'],
  ['gone', { desired: 'deleted', destroyed: true, nodeHeard: false }, 'destroyed'],
];

test.each(table)('%s', (_about, facts, status) => {
  expect(statusOf({ ...running, ...facts })).toBe(status);
});

test('every status but the last two can be deleted, and a lost machine can only be deleted', () => {
  for (const status of statuses) {
    expect(allowedActionsOf(status, { fault: null }).includes('delete')).toBe(
      !['destroying', 'destroyed'].includes(status),
    );
  }
  expect(allowedActionsOf('error', { fault: { code: 'vm_missing', class: 'fail' } })).toEqual(['delete']);
});
