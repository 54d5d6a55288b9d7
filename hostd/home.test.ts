import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockFile, unlockFile } from './fileLock.ts';
import { lockHome } from './home.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'lebureau-home-'));

test('a second hostd on the same home is refused with a sentence', () => {
  const home = folder();
  const giveBack = lockHome(home);
  expect(() => lockHome(home)).toThrow(/already runs for .* \(process \d+\)\. Stop it first/);
  giveBack();
  lockHome(home)();
});

test('what the file says does not matter while its lock is held', () => {
  const home = folder();
  const giveBack = lockHome(home);
  writeFileSync(join(home, 'hostd.lock'), '999999999 1 none');
  expect(() => lockHome(home)).toThrow('already runs');
  giveBack();
});

test('of several that start at once after a crash one runs, and its end by force frees the home', async () => {
  const home = folder();
  writeFileSync(join(home, 'hostd.lock'), '999999999 1 none');
  const program = `
    const { lockHome } = await import(${JSON.stringify(join(import.meta.dirname, 'home.ts'))});
    try {
      lockHome(${JSON.stringify(home)});
      // The lock must not stay with what the holder started.
      const left = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'], detached: true });
      left.unref();
      console.log('runs', left.pid);
      setInterval(() => {}, 60_000);
    } catch {
      console.log('refused');
    }`;
  const starters = Array.from({ length: 4 }, () => Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe' }));
  const says = await Promise.all(
    starters.map(async ({ stdout }) => new TextDecoder().decode((await stdout.getReader().read()).value).trim()),
  );
  const [pid] = says.flatMap((said) => /^runs (\d+)$/.exec(said)?.[1] ?? []);
  try {
    expect(says.toSorted()).toEqual(['refused', 'refused', 'refused', `runs ${pid}`]);
    expect(() => lockHome(home)).toThrow('already runs');
    for (const starter of starters) starter.kill('SIGKILL');
    await Promise.all(starters.map((starter) => starter.exited));
    expect(existsSync(`/proc/${pid}`), 'what the holder started lives on').toBe(true);
    lockHome(home)();
  } finally {
    for (const starter of starters) starter.kill('SIGKILL');
    if (pid !== undefined) process.kill(Number(pid));
  }
}, 60_000);

test('what is given back is free, whoever got a copy of its descriptor while it was started', async () => {
  const path = join(folder(), 'some.lock');
  const file = lockFile(path)!;
  const copy = Bun.spawn(['sleep', '60'], { stdio: [file, 'ignore', 'ignore'] });
  unlockFile(file);
  const again = lockFile(path);
  copy.kill();
  await copy.exited;
  expect(again).toBeDefined();
  unlockFile(again!);
});

test('the lock of a dead process, or of a pid that is another program by now, does not count', () => {
  const home = folder();
  for (const left of ['999999999 1 none', `${process.pid} 1 none`, '1', '']) {
    writeFileSync(join(home, 'hostd.lock'), left);
    const giveBack = lockHome(home);
    expect(readFileSync(join(home, 'hostd.lock'), 'utf8')).toBe(`${process.pid}\n`);
    giveBack();
  }
});
