import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take a minute and more, begun first: at the end nobody waits for one of them alone. */
const long = [
  'test/gateway/dashboard',
  'test/system/firstLight',
  'test/system/faults',
  'test/pve/crashmatrix',
  'hostd/hypervisor/qemu/driver',
  'test/system/metrics',
  'hostd/hostd',
  'hostd/guest/desktop/clone',
  'api/postgres',
  'test/fleet/rotation',
  'test/pve/importTemplate',
];
function rank(path: string): number {
  const at = long.findIndex((each) => path.includes(`/${each}.vm.`));
  return at < 0 ? long.length : at;
}

class LongOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => rank(one.moduleId) - rank(other.moduleId));
  }
}

// Three files at a time: many wait for a machine, or for time, most of the time. What measures compares within itself.
export default defineConfig({
  root: join(import.meta.dirname, '..'),
  test: {
    pool: 'threads',
    maxWorkers: 3,
    sequence: { sequencer: LongOnesFirst },
    setupFiles: ['test/vmSetup.ts'],
    include: ['**/*.vm.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
