import { giveUp, runOnBun } from './bun.mjs';

const tasks = {
  check: 'launch/check.ts',
  test: 'launch/test.ts',
  generate: 'launch/generate.ts',
  format: 'launch/format.ts',
  bench: 'test/bench/main.ts',
  'bench:fleet': 'test/bench/fleet.ts',
  demo: 'test/demo.ts',
};
const script = tasks[process.argv[2]];
if (script === undefined) giveUp(`Which of ${Object.keys(tasks).join(', ')}?`);
await runOnBun(script, process.argv.slice(3));
