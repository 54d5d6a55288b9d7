import { defineConfig } from 'vitest/config';

// `threads` because the default `forks` dies under Bun; whole-system tests have a configuration of their own in test/.
export default defineConfig({
  test: {
    pool: 'threads',
    // Files share their worker's modules: loading them anew for each file costs a third of the whole.
    isolate: false,
    maxWorkers: 3,
    include: [
      '{api,openapi,sdk-ts,mcp,hostd,dashboard,kit,launch}/**/*.test.ts',
      'test/{house,bench,pve,gateway,documents}/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/*.vm.test.ts'],
    testTimeout: 30_000,
    // Limits for a machine under load; nothing waits this long where it works.
    expect: { poll: { timeout: 10_000 } },
  },
});
