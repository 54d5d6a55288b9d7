import { runOnBun } from './bun.mjs';

await runOnBun('launch/start.ts', process.argv.slice(2));
