import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildTemplate } from './build.ts';
import { takeLock } from './lock.ts';
import { readRecipe } from './recipe.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lb-build-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const builds = process.geteuid?.() === 0 && existsSync('/usr/bin/mmdebstrap');
const options = () => ({ home, cacheDir: join(home, 'cache'), suite: 'bookworm' as const });

test.skipIf(!builds)(
  'an interrupted build leaves no template, no half-made folder, no lock and no process',
  async () => {
    const abort = new AbortController();
    const stages: string[] = [];
    const building = buildTemplate({
      ...options(),
      signal: abort.signal,
      onProgress: ({ stage }) => stages.push(stage),
    });
    setTimeout(() => abort.abort(new Error('interrupted')), 700);
    await expect(building).rejects.toThrow('interrupted');
    expect(stages[0]).toBe('downloading');
    expect(readdirSync(join(home, 'templates'))).toEqual([]);
  },
);

test.skipIf(!builds)('what a killed build left behind is gone after the next one', async () => {
  const left = join(home, 'templates', '.making-tpl_old', 'tree');
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, 'file'), 'x');
  writeFileSync(join(home, 'templates', '.lock'), JSON.stringify({ pid: 4_000_000 }));
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('interrupted')), 300);
  await expect(buildTemplate({ ...options(), signal: abort.signal })).rejects.toThrow('interrupted');
  expect(readdirSync(join(home, 'templates'))).toEqual([]);
});

test.skipIf(!builds)('a second build beside a running one is refused', async () => {
  mkdirSync(join(home, 'templates'));
  const release = takeLock(join(home, 'templates', '.lock'));
  await expect(buildTemplate(options())).rejects.toMatchObject({ code: 'wrong_state' });
  release();
});

test('a template that is there is not built again', async () => {
  const { templateId } = readRecipe('bookworm');
  mkdirSync(join(home, 'templates', templateId), { recursive: true });
  const file = { version: 1, id: templateId, name: 'here' };
  writeFileSync(join(home, 'templates', templateId, 'template.json'), JSON.stringify(file));
  expect(await buildTemplate(options())).toEqual(file);
});
