import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sealedCopy } from './memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-memory-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a sealed copy holds the same bytes, keeps holes and cannot be changed by anybody', async () => {
  const path = join(folder, 'ram');
  const file = openSync(path, 'w');
  writeSync(file, 'start', 0);
  writeSync(file, 'middle', 40 << 20);
  ftruncateSync(file, 64 << 20);
  closeSync(file);
  const fd = await sealedCopy(path);
  const read = (offset: number, length: number) => {
    const bytes = Buffer.alloc(length);
    readSync(fd, bytes, 0, length, offset);
    return bytes.toString();
  };
  expect([read(0, 5), read(40 << 20, 6), read(41 << 20, 1)]).toEqual(['start', 'middle', '\0']);
  const own = `/proc/self/fd/${fd}`;
  expect(statSync(own).size).toBe(64 << 20);
  expect(statSync(own).blocks * 512).toBeLessThan(1 << 20);
  expect(() => writeSync(fd, 'x', 0)).toThrow(/EPERM/);
  expect(() => ftruncateSync(fd, 0)).toThrow(/EPERM/);
  const again = openSync(own, 'r+');
  expect(() => writeSync(again, 'x', 0)).toThrow(/EPERM/);
  closeSync(again);
  closeSync(fd);
});
