import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { codeBlocks, documents } from './codeBlocks.ts';
import { notRun, reasonNotToRun } from './notRun.ts';

/** What can be said of code in documents without running it; `blocks.vm.test.ts` runs the rest. */

const at = ({ document, line }: { document: string; line: number }) => `${document}:${line}`;
const of = (language: string) => codeBlocks.filter((block) => block.language === language);

test('every block says what it is', () => {
  expect(documents.length).toBeGreaterThan(15);
  expect(codeBlocks.length).toBeGreaterThan(30);
  const known = ['sh', 'ts', 'json', 'toml', 'ini', 'text'];
  expect(codeBlocks.filter(({ language }) => !known.includes(language)).map(at)).toEqual([]);
});

test('what is not run has a reason, and no reason is left over', () => {
  for (const { document, begins } of notRun)
    expect(
      codeBlocks.filter((block) => block.document === document && block.code.startsWith(begins)),
      begins,
    ).toHaveLength(1);
});

test('configuration is well-formed', () => {
  for (const block of of('json')) expect(() => JSON.parse(block.code), at(block)).not.toThrow();
  for (const block of of('toml')) expect(() => Bun.TOML.parse(block.code), at(block)).not.toThrow();
});

test('variables are known, and a unit starts what is there', () => {
  const root = join(import.meta.dirname, '..', '..');
  const known = new Set(readFileSync(join(root, 'kit/variables.ts'), 'utf8').match(/\bLEBUREAU_[A-Z_]*[A-Z]\b/g));
  for (const block of of('ini'))
    for (const line of block.code.trim().split('\n')) {
      const [, name = '', value = ''] = /^([A-Za-z_]+)=(.+)$/.exec(line) ?? [];
      if (/^(#.*|\[[A-Z][a-z]+\]|)$/.test(line)) continue;
      expect(name, `${at(block)} ${line}`).not.toBe('');
      if (name.startsWith('LEBUREAU_')) expect(known, `${at(block)} ${line}`).toContain(name);
      if (name === 'ExecStart')
        expect(readFileSync(join(root, value.split(' ')[1]!), 'utf8')).toContain('launch/start.ts');
    }
});

test('shell that is not run is at least shell', () => {
  for (const block of of('sh').filter((each) => reasonNotToRun(each) !== undefined)) {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: block.code, encoding: 'utf8' });
    expect(stderr, at(block)).toBe('');
    expect(status, at(block)).toBe(0);
  }
});
