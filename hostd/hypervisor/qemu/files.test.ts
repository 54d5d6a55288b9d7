import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { isFault } from '@lebureau/kit/fault';
import { isVmRef, readBoot, readMarker, vmPaths, writeJson, type VmMarker } from './files.ts';
import { damagedSight } from './observe.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const marker: VmMarker = {
  version: 1,
  spec: {
    vmRef: 'a',
    owner: 'asg_1',
    templateId: 'tpl_1',
    vcpus: 1,
    memoryMiB: 1024,
    diskGiB: 8,
    network: 'internet',
  },
  slot: 3,
};

test('a name that could leave the folder of VMs is refused', () => {
  for (const bad of ['', '..', '../x', 'a/b', '.new-a', 'A', 'a_b', '-a', 'a\0', 'x'.repeat(64)]) {
    expect(isVmRef(bad)).toBe(false);
    expect(() => vmPaths('/home', bad)).toThrow('no VM can have this name');
  }
  try {
    vmPaths('/home', '../x');
  } catch (error) {
    expect(isFault(error, 'vm_missing')).toBe(true);
  }
  expect(vmPaths('/h', '01j9z').disk).toBe('/h/vms/01j9z/run/disk.qcow2');
});

test('a marker comes back as it was written, and nothing temporary stays', async () => {
  const path = join(folder, 'vm.json');
  expect(await readMarker(path)).toBeUndefined();
  await writeJson(path, marker, { durable: true });
  expect(await readMarker(path)).toEqual(marker);
  expect(readdirSync(folder)).toEqual(['vm.json']);
});

test('a record is never renamed into place before its content is on the disk', async () => {
  const path = join(folder, 'boot.json');
  const handle = await open(join(folder, 'any'), 'w');
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'sync');
  await handle.close();
  await writeJson(path, marker, { durable: false });
  expect(sync).toHaveBeenCalledTimes(1);
  sync.mockRestore();
});

test('a damaged record without a process is a VM that is off, so that it can be started', () => {
  expect(damagedSight(0)).toEqual({ power: 'off', boot: 0 });
  expect(damagedSight(1)).toMatchObject({ power: 'broken' });
});

test.each([
  '',
  '{',
  'null',
  '[]',
  '{"version":2}',
  '{"version":1,"spec":{},"slot":1}',
  '{"version":1,"spec":{"owner":"a"}}',
])('what is not a marker is damaged: %s', async (text) => {
  const path = join(folder, 'damaged.json');
  writeFileSync(path, text);
  expect(await readMarker(path)).toBe('damaged');
  expect(await readBoot(path)).toBe('damaged');
});
