import { expect, test } from 'vitest';
import { PveError } from './client.ts';
import { isTaken, toFault } from './faults.ts';

/** Recorded answers of 8.4 and 9.2. */
test.each([
  [401, 'Authentication failed!', 'needs_operator'],
  [403, 'Permission check failed (/vms/9001, VM.Clone)', 'needs_operator'],
  [501, "Method 'GET /nosuchpath' not implemented", 'needs_operator'],
  [595, 'No route to host', 'hypervisor_failed'],
  [596, 'Broken pipe', 'hypervisor_failed'],
  [0, 'Proxmox VE did not answer: no answer within 30 s', 'hypervisor_failed'],
  [500, "Configuration file 'nodes/pve1/qemu-server/4101.conf' does not exist", 'vm_missing'],
  [500, "unable to find configuration file for VM 4101 on node 'pve9'", 'vm_missing'],
  [500, 'VM 4101 is not running', 'guest_unreachable'],
  [500, 'QEMU guest agent is not running', 'guest_unreachable'],
  [500, "can't lock file '/var/lock/qemu-server/lock-4101.conf' - got timeout", 'hypervisor_failed'],
  [500, 'VM is locked (backup)', 'hypervisor_failed'],
  [500, 'cluster not ready - no quorum?', 'hypervisor_failed'],
  [500, "bridge 'vmbr77' does not exist", 'needs_operator'],
  [500, "storage 'nostore' does not exist", 'needs_operator'],
  [
    500,
    'clone failed: unable to create image: qemu-img: x.qcow2: Could not write qcow2 header: No space left on device',
    'disk_full',
  ],
  [
    500,
    "the task qmstart ended: start failed: QEMU exited with code 1 | kvm: cannot set up guest memory 'pc.ram': Cannot allocate memory",
    'memory_full',
  ],
  [500, 'something new', 'hypervisor_failed'],
])('%i %s is %s', (status, reason, code) => {
  expect(toFault(new PveError('GET /x', { status, reason })).code).toBe(code);
});

test('wrong parameters are named, and an id that is taken is known', () => {
  const wrong = new PveError('PUT /x', {
    status: 400,
    reason: 'Parameter verification failed.',
    parameters: { cores: 'no\n' },
  });
  expect(toFault(wrong)).toMatchObject({ code: 'needs_operator', message: expect.stringContaining('cores: no') });
  expect(
    isTaken(new PveError('', { status: 500, reason: 'unable to create VM 4211: config file already exists' })),
  ).toBe(true);
});
