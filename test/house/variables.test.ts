import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const namesIn = (text: string) => [...text.matchAll(/\bLEBUREAU_[A-Z_]*[A-Z]\b/g)].map(([name]) => name);
const [forAll, forTests] = read('kit/variables.ts').split('export const testVariables');
const known = new Set(namesIn(forAll!));
const plain = [...known].filter((name) => !name.endsWith('_FILE')).toSorted();

test('the list of variables is what the schemas of the programs read', () => {
  const folders = ['api', 'hostd', 'hostd/hypervisor/proxmox', 'mcp', 'launch', 'dashboard/server'];
  const schemas = folders.map((each) => read(`${each}/config.ts`));
  const keys = schemas.flatMap((text) => [...text.matchAll(/^\s+(LEBUREAU_[A-Z_]+):/gm)].map((match) => match[1]!));
  expect([...new Set(keys)].toSorted()).toEqual(plain);
});

test('docs/operations.md has a row for each, and names no other', () => {
  const rows = read('docs/operations.md')
    .split('\n')
    .filter((line) => line.startsWith('| `LEBUREAU_'));
  expect([...new Set(rows.flatMap((row) => namesIn(row.split('|')[1]!)))].toSorted()).toEqual(plain);
  for (const row of rows.filter((each) => each.includes('*file*')))
    expect(known).toContain(`${namesIn(row).at(-1)}_FILE`);
});

test('nobody reads a variable past the list', () => {
  const sources = execFileSync('git', ['ls-files', '*.ts', '*.mjs'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n');
  const all = new Set([...known, ...namesIn(forTests!)]);
  const reads = /\benv(?:ironment)?(?:\.|\[')(LEBUREAU_[A-Z_]+)/g;
  const strange = sources.flatMap((path) => [...read(path).matchAll(reads)].map((match) => match[1]!));
  expect(strange.filter((name) => !all.has(name))).toEqual([]);
});
