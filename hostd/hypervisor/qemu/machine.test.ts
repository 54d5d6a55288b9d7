import { expect, test } from 'vitest';
import { guestCommandLine, machineArguments, warmKey, type MachineOptions } from './machine.ts';

const warmMaking: MachineOptions = {
  name: 'lb-template',
  size: { vcpus: 1, memoryMiB: 1024 },
  accelerator: 'tcg',
  ram: { kind: 'shared', path: '/srv/a,b/ram' },
  kernel: { vmlinux: '/t/vmlinux', initrd: '/t/initrd', commandLine: 'root=/dev/vda rw' },
  disk: '/t/disk.qcow2',
  mac: '52:54:00:12:34:56',
  network: { restrict: true, forwards: [] },
  sockets: { qmp: 'qmp.sock', vnc: 'vnc.sock', init: 'init.sock', agent: 'agent.sock' },
  incoming: false,
};

const clone: MachineOptions = {
  ...warmMaking,
  name: 'lb-clone',
  ram: { kind: 'private', path: '/proc/self/fd/4' },
  disk: 'disk.qcow2',
  mac: '52:54:00:65:43:21',
  network: { restrict: false, forwards: [{ address: '198.18.0.1', port: 22, guestPort: 22 }] },
  incoming: true,
};

function devices(argv: readonly string[]): string[] {
  return argv.filter((_, index) =>
    ['-device', '-machine', '-cpu', '-smp', '-m', '-rtc'].includes(argv[index - 1] ?? ''),
  );
}

test('a clone has the devices of the machine its warm state was made with, in the same order', () => {
  const withoutMac = (text: string) => text.replace(/mac=[0-9a-f:]+/, 'mac=');
  expect(devices(machineArguments(clone)).map(withoutMac)).toEqual(
    devices(machineArguments(warmMaking)).map(withoutMac),
  );
  expect(devices(machineArguments(clone)).length).toBeGreaterThan(12);
});

test('KVM and TCG differ in accelerator and CPU model only', () => {
  const tcg = machineArguments(clone);
  const kvm = machineArguments({ ...clone, accelerator: 'kvm' });
  const differing = tcg.flatMap((each, index) => (each === kvm[index] ? [] : [tcg[index - 1]]));
  expect(differing).toEqual(['-accel', '-cpu']);
  expect(kvm).toHaveLength(tcg.length);
  expect(guestCommandLine('root=/dev/vda', 'kvm')).toBe('root=/dev/vda');
  expect(guestCommandLine('root=/dev/vda', 'tcg')).toMatch(/^root=\/dev\/vda norandmaps mitigations=off /);
});

test('only the machine that makes a warm state writes through to its RAM file', () => {
  expect(machineArguments(warmMaking)).toContain(
    'memory-backend-file,id=ram0,size=1024M,mem-path=/srv/a,,b/ram,share=on',
  );
  expect(machineArguments(clone)).toContain(
    'memory-backend-file,id=ram0,size=1024M,mem-path=/proc/self/fd/4,share=off',
  );
  expect(machineArguments({ ...clone, ram: { kind: 'anonymous' } })).toContain('memory-backend-ram,id=ram0,size=1024M');
});

test('every machine is confined', () => {
  for (const machine of [warmMaking, clone]) {
    const argv = machineArguments(machine);
    expect(argv[argv.indexOf('-sandbox') + 1]).toBe(
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    );
    expect(argv).toContain('-nodefaults');
    expect(argv).toContain('-no-user-config');
  }
});

test('the warm key follows what a warm state depends on', () => {
  const base = {
    templateId: 'tpl_a',
    size: { vcpus: 1, memoryMiB: 1024 },
    accelerator: 'tcg' as const,
    qemuVersion: '7.2.22',
    hostCpu: '',
    commandLine: 'root=/dev/vda',
  };
  const keys = [
    base,
    { ...base, templateId: 'tpl_b' },
    { ...base, size: { vcpus: 2, memoryMiB: 1024 } },
    { ...base, size: { vcpus: 1, memoryMiB: 2048 } },
    { ...base, accelerator: 'kvm' as const },
    { ...base, qemuVersion: '7.2.23' },
    { ...base, hostCpu: 'other' },
    { ...base, commandLine: 'root=/dev/vda quiet' },
  ].map(warmKey);
  expect(new Set(keys).size).toBe(keys.length);
  expect(warmKey({ ...base })).toBe(keys[0]);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
});

test('a clone on a bridge has the same devices, and a place for the state of the network it was saved with', () => {
  const wired = machineArguments({ ...clone, network: { tap: 5 } });
  expect(devices(wired)).toEqual(devices(machineArguments(clone)));
  const netdevs = (argv: readonly string[]) => argv.filter((_, index) => argv[index - 1] === '-netdev');
  expect(netdevs(wired)).toEqual(['tap,id=net0,fd=5,vhost=off', 'user,id=saved0,ipv6=off,restrict=on']);
  expect(netdevs(machineArguments({ ...clone, network: { tap: 5 }, incoming: false }))).toHaveLength(1);
});
