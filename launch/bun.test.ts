import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-bun-'));
afterAll(() => rmSync(folder, { recursive: true }));
const node = spawnSync('node', ['-p', 'process.execPath'], { encoding: 'utf8' }).stdout.trim();

/** `npm` that does as it is told, in the place of the real one. */
function fetchBunWith(npm: string) {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\n${npm}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
  const script = `import { ensureBun } from ${JSON.stringify(join(import.meta.dirname, 'bun.mjs'))}; ensureBun();`;
  return spawnSync(node, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { PATH: `${bin}:${dirname(node)}:/usr/bin:/bin`, XDG_CACHE_HOME: join(folder, 'cache'), HOME: folder },
  });
}

test.each([
  ['npm fails', 'exit 1', 'Bun could not be fetched'],
  [
    'npm delivers another Bun',
    'mkdir -p node_modules; echo \'{"packages":{}}\' > node_modules/.package-lock.json',
    'is not the one this project pins',
  ],
])('%s: one sentence, and no draft is left', (_what, npm, sentence) => {
  const run = fetchBunWith(npm);
  expect([run.status, run.stderr]).toEqual([1, expect.stringContaining(sentence)]);
  expect(run.stderr).not.toMatch(/\n\s+at /);
  expect(readdirSync(join(folder, 'cache', 'lebureau'))).toEqual([]);
});
