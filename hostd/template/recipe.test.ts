import { appendFileSync, cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isId } from '@lebureau/kit/id';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRecipe } from './recipe.ts';
import { browsers, type SuiteName } from './suites.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lb-recipe-'));
  cpSync(join(import.meta.dirname, 'recipe'), folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the same recipe has the same id wherever it lies, and it is a template id', () => {
  const recipe = readRecipe('bookworm', folder);
  expect(recipe.templateId).toBe(readRecipe('bookworm').templateId);
  expect(isId('tpl', recipe.templateId)).toBe(true);
  expect(recipe.hash).toMatch(/^[0-9a-f]{64}$/);
});

test('any change gives another id: a byte, a name, a package, the suite', () => {
  const ids = [readRecipe('bookworm', folder).templateId, readRecipe('jammy', folder).templateId];
  appendFileSync(join(folder, 'customize.sh'), '# more\n');
  ids.push(readRecipe('bookworm', folder).templateId);
  renameSync(join(folder, 'rootfs/etc/X0.hosts'), join(folder, 'rootfs/etc/X1.hosts'));
  ids.push(readRecipe('bookworm', folder).templateId);
  appendFileSync(join(folder, 'packages.bookworm.txt'), 'cowsay\n');
  ids.push(readRecipe('bookworm', folder).templateId);
  writeFileSync(join(folder, 'rootfs/etc/empty'), '');
  ids.push(readRecipe('bookworm', folder).templateId);
  expect(new Set(ids).size).toBe(6);
});

test('white space and order of lines in the package list are the only thing that may move without a new list', () => {
  const before = readRecipe('bookworm', folder);
  appendFileSync(join(folder, 'packages.bookworm.txt'), '\n\n');
  expect(readRecipe('bookworm', folder).templateId).toBe(before.templateId);
});

test('no secret and no resident of this machine is in the guest command line', () => {
  expect(readRecipe('bookworm').kernelArgs).toContain('ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:none:10.0.2.3');
});

test('the browser that is rehearsed is one that the suite installs', () => {
  for (const [suite, browser] of Object.entries(browsers)) {
    expect(readRecipe(suite as SuiteName).packages).toContain(browser.package);
    expect(browser.leavings.every((path) => !path.startsWith('/') || path.startsWith('/tmp/'))).toBe(true);
  }
});
