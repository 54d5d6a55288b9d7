import { giveUp, runOnBun } from './bun.mjs';

const tasks = {
  check: 'launch/check.ts',
  test: 'launch/test.ts',
  generate: 'launch/generate.ts',
  format: 'launch/format.ts',
  bench: 'test/bench/main.ts',
  'bench:fleet': 'test/bench/fleet.ts',
  'bench:streams': 'test/bench/streams.ts',
  demo: 'test/demo.ts',
};
const [task, ...given] = process.argv.slice(2);
// `bun` runs any program of the project: a node needs hostd, the API and the template builder by themselves.
const [script, ...argv] = task === 'bun' ? given : [tasks[task], ...given];
if (script === undefined) giveUp(`Which of ${Object.keys(tasks).join(', ')}, or bun with a program?`);
await runOnBun(script, argv);
