import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../', import.meta.url));

test.each(['public', 'node'])(
  'redocly finds nothing in %s.json',
  async (name) => {
    const { stdout, stderr } = await run(
      process.execPath,
      ['x', '--bun', 'redocly', 'lint', `../openapi/${name}.json`],
      { cwd: folder },
    );
    expect(stdout + stderr).toContain('Your API description is valid');
    expect(stdout + stderr).not.toMatch(/warning/i);
  },
  60_000,
);
