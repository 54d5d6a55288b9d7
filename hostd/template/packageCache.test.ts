import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepDownloads, openPackageCache } from './packageCache.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lb-packages-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('of a build that is given up the packages that were downloaded whole are kept', async () => {
  const [tree, cache] = [join(folder, 'tree'), join(folder, 'cache')];
  const archives = join(tree, 'var/cache/apt/archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  mkdirSync(cache);
  writeFileSync(join(archives, 'tar_1.deb'), 'new');
  writeFileSync(join(archives, 'lock'), '');
  writeFileSync(join(archives, 'partial', 'xorg_1.deb'), 'half');
  writeFileSync(join(archives, 'sed_1.deb'), 'again');
  writeFileSync(join(cache, 'sed_1.deb'), 'known');
  await keepDownloads(tree, cache);
  expect(readdirSync(cache).toSorted()).toEqual(['sed_1.deb', 'tar_1.deb']);
  expect(readFileSync(join(cache, 'sed_1.deb'), 'utf8')).toBe('known');
  await keepDownloads(join(folder, 'nothing'), cache);
});

test('what an interrupted copy left is forgotten', async () => {
  for (const [name, content] of [
    ['empty.deb', ''],
    ['whole.deb', 'x'],
    ['half.deb.new', 'x'],
  ] as const)
    writeFileSync(join(folder, name), content);
  mkdirSync(join(folder, 'partial'));
  await openPackageCache(folder);
  expect(readdirSync(folder).toSorted()).toEqual(['CACHEDIR.TAG', 'whole.deb']);
});
