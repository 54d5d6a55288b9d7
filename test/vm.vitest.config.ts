import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { longOnesFirst } from './longOnesFirst.ts';

const sequencer = longOnesFirst([
  'test/gateway/dashboard.vm',
  'test/system/firstLight.vm',
  'test/system/faults.vm',
  'test/pve/crashmatrix.vm',
  'hostd/hypervisor/qemu/driver.vm',
  'test/system/metrics.vm',
  'hostd/hostd.vm',
  'hostd/guest/desktop/clone.vm',
  'api/postgres.vm',
  'test/fleet/rotation.vm',
  'test/pve/importTemplate.vm',
]);

// Two files at a time, as there are processors: with three each took as much longer. What measures compares within itself.
export default defineConfig({
  root: join(import.meta.dirname, '..'),
  test: {
    pool: 'threads',
    maxWorkers: 2,
    sequence: { sequencer },
    setupFiles: ['test/vmSetup.ts'],
    include: ['**/*.vm.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
