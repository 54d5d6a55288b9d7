import { mkdtempSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockHome } from './home.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'lebureau-home-'));

test('a second hostd on the same home is refused with a sentence', () => {
  const home = folder();
  const giveBack = lockHome(home);
  expect(() => lockHome(home)).toThrow(/already runs for .* \(process \d+\)\. Stop it first/);
  giveBack();
  lockHome(home)();
  expect(existsSync(join(home, 'hostd.lock'))).toBe(false);
});

test('the lock of a dead process, or of a pid that is another program by now, does not count', () => {
  const home = folder();
  for (const left of ['999999999 1 none', `${process.pid} 1 none`, '1', '']) {
    writeFileSync(join(home, 'hostd.lock'), left);
    const giveBack = lockHome(home);
    expect(readFileSync(join(home, 'hostd.lock'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\d+ `));
    giveBack();
  }
});
