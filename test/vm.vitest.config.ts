import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// One file after the other: two cores, and every test boots real machines.
export default defineConfig({
  root: join(import.meta.dirname, '..'),
  test: {
    pool: 'threads',
    fileParallelism: false,
    maxWorkers: 1,
    include: ['**/*.vm.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
