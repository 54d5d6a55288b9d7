import { expect, test } from 'vitest';
import { folderOf, nameOf, resolveEntryPath, resolvePath } from './path.ts';

test.each([
  ['/', '/'],
  ['~', '/home/agent'],
  ['~/', '/home/agent'],
  ['~/a', '/home/agent/a'],
  ['a//b/./c/', '/home/agent/a/b/c'],
  ['~a', '/home/agent/~a'],
  ['/etc//passwd', '/etc/passwd'],
  ['/a/link/../b', '/a/link/../b'],
  ['...', '/home/agent/...'],
  [`/${'é'.repeat(127)}`, `/${'é'.repeat(127)}`],
])('%j is %j', (text, path) => {
  expect(resolvePath(text)).toBe(path);
});

test.each(['', 'a\0b', '/\0', '\ud800', `/${'é'.repeat(128)}`, '/a'.repeat(2048), 'a/'.repeat(2048)])(
  '%j is refused',
  (text) => {
    expect(() => resolvePath(text)).toThrow(expect.objectContaining({ code: 'invalid_path' }));
  },
);

test.each(['/', '~/..', '..', 'a/..', '/a/../..'])('%j names no entry of a folder', (text) => {
  expect(() => resolveEntryPath(text)).toThrow(expect.objectContaining({ code: 'invalid_path' }));
});

/** A small generator of its own, so that a failure can be repeated. */
function* randoms(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

test('whatever the text, a resolved path is absolute, clean, bounded, and means itself', () => {
  const random = randoms(7);
  const next = () => random.next().value as number;
  const pieces = [
    '/',
    '//',
    '.',
    '..',
    '~',
    'a',
    ' ',
    '\n',
    'é',
    '日',
    '😀',
    '\ud83d',
    '\0',
    '\\',
    '%2e',
    '-',
    '*',
    'x'.repeat(200),
  ];
  let resolved = 0;
  for (let round = 0; round < 3_000; round++) {
    const text = Array.from({ length: Math.floor(next() * 12) }, () => pieces[Math.floor(next() * pieces.length)]).join(
      '',
    );
    let path: string;
    try {
      path = resolvePath(text);
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_path' });
      continue;
    }
    resolved += 1;
    expect(path.startsWith('/')).toBe(true);
    expect(path).not.toMatch(/\0|\/\/|\/\.(\/|$)/);
    expect(Buffer.byteLength(path)).toBeLessThan(4096);
    expect(Buffer.from(path).toString()).toBe(path);
    expect(resolvePath(path)).toBe(path);
    if (path !== '/') expect(resolvePath(`${folderOf(path)}/${nameOf(path)}`)).toBe(path);
  }
  expect(resolved).toBeGreaterThan(800);
});
