import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Two files at a time: many wait for a machine most of the time. What measures compares within itself.
export default defineConfig({
  root: join(import.meta.dirname, '..'),
  test: {
    pool: 'threads',
    maxWorkers: 2,
    setupFiles: ['test/vmSetup.ts'],
    include: ['**/*.vm.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
