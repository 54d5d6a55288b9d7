import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Every file that is made from another one, in order. `--check` writes nothing and fails where one has drifted. */
const generators = [
  'api/openapi/generate.ts',
  'api/openapi/generateErrors.ts',
  'sdk-ts/generate.ts',
  'mcp/generate.ts',
];

const root = join(import.meta.dir, '..');
let failures = 0;
for (const script of generators) {
  if (!existsSync(join(root, script))) continue;
  const run = spawnSync(process.execPath, [join(root, script), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  if (run.status !== 0) failures += 1;
}
process.exit(failures === 0 ? 0 : 1);
