import { defineConfig } from 'vitest/config';
import { longOnesFirst } from './test/longOnesFirst.ts';

const sequencer = longOnesFirst([
  'hostd/crashmatrixMoves',
  'hostd/crashmatrix',
  'mcp/tools',
  'api/streams/streams',
  'api/openapi/openapi',
]);

// `threads` because the default `forks` dies under Bun; whole-system tests have a configuration of their own in test/.
export default defineConfig({
  test: {
    pool: 'threads',
    // Files share their worker's modules: loading them anew for each file costs a third of the whole.
    isolate: false,
    maxWorkers: 3,
    sequence: { sequencer },
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
