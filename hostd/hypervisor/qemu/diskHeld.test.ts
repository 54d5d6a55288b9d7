import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diskHeldMiB } from './diskHeld.ts';
import { vmPaths } from './files.ts';

test('a disk holds what was written to it, not what it may grow to; a half-made VM holds nothing yet', async () => {
  const home = mkdtempSync(join(tmpdir(), 'lb-held-'));
  for (const vmRef of ['lb-a', 'lb-b']) mkdirSync(vmPaths(home, vmRef).folder, { recursive: true });
  const { run, disk } = vmPaths(home, 'lb-a');
  mkdirSync(run);
  const file = openSync(disk, 'w');
  ftruncateSync(file, 8 * 2 ** 30);
  writeSync(file, Buffer.alloc(3 * 2 ** 20, 1));
  closeSync(file);
  expect(await diskHeldMiB(home)).toEqual({ 'lb-a': 3 });
});
