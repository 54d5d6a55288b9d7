import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { takeBack } from './takeBack.ts';

test('only plain files are taken back, and nothing that a name points to is touched', async () => {
  const outer = mkdtempSync(join(tmpdir(), 'lebureau-takeback-'));
  const folder = join(outer, 'run');
  const foreign = join(outer, 'foreign');
  mkdirSync(folder, { mode: 0o777 });
  writeFileSync(foreign, 'of somebody else', { mode: 0o600 });
  writeFileSync(join(folder, 'ram'), '');
  await takeBack(folder, ['ram']);
  expect(statSync(folder).mode & 0o777).toBe(0o755);
  symlinkSync(foreign, join(folder, 'symbolic'));
  linkSync(foreign, join(folder, 'hard'));
  mkdirSync(join(folder, 'folder'));
  for (const name of ['symbolic', 'hard', 'folder']) {
    await expect(takeBack(folder, ['ram', name])).rejects.toMatchObject({ code: 'needs_operator' });
  }
  expect(statSync(foreign).mode & 0o777).toBe(0o600);
  expect(readFileSync(foreign, 'utf8')).toBe('of somebody else');
  rmSync(outer, { recursive: true });
});
