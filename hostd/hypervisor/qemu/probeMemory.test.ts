import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ProbeMemory } from './probeMemory.ts';

const folder = mkdtempSync(join(tmpdir(), 'lb-probe-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('that KVM does not run is remembered for this QEMU and this device, and a broken file is no answer', () => {
  const path = join(folder, 'kvm.json');
  const device = join(folder, 'kvm');
  writeFileSync(device, '');
  const memory = (qemuVersion: string) => new ProbeMemory(path, { device, qemuVersion });
  expect(memory('7.2').trouble()).toBeUndefined();
  memory('7.2').keep('nothing within 10 s');
  expect(memory('7.2').trouble()).toBe('nothing within 10 s');
  expect(memory('8.0').trouble()).toBeUndefined();
  rmSync(device);
  writeFileSync(join(folder, 'other'), '');
  writeFileSync(device, '');
  expect(memory('7.2').trouble()).toBeUndefined();
  writeFileSync(path, '{');
  expect(memory('7.2').trouble()).toBeUndefined();
});
