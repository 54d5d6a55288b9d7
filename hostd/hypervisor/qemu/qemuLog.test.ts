import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lastWords, limitLog } from './qemuLog.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-log-'));
const path = join(folder, 'qemu.log');
afterAll(() => rmSync(folder, { recursive: true }));

test('a log is cut while its writer goes on', () => {
  const writer = openSync(path, 'a');
  writeSync(writer, 'kept\n');
  limitLog(path);
  expect(statSync(path).size).toBe(5);
  writeSync(writer, Buffer.alloc(300 << 10, 'x'));
  limitLog(path);
  writeSync(writer, 'after\n');
  closeSync(writer);
  expect(statSync(path).size).toBe(6);
  limitLog(join(folder, 'none'));
});

test('the last words are found at once, in a log of any length', () => {
  expect(lastWords(join(folder, 'none'))).toBe('it said nothing');
  writeFileSync(path, 'first\nlast\n\n');
  expect(lastWords(path)).toBe('last');
  // A hole: longer than any string could be, and without a byte on the disk.
  truncateSync(path, 8 * 2 ** 30);
  appendFileSync(path, '\nthe end\n');
  expect(lastWords(path)).toBe('the end');
});
