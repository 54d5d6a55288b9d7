import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isFault } from '@lebureau/kit/fault';
import { createOverlay, readVirtualBytes } from './disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'lebureau-disk-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('an overlay is small, tells its size and is never written over another file', () => {
  const path = join(folder, 'disk.qcow2');
  createOverlay({ path, backing: '/t/disk.qcow2', virtualBytes: 8 * 2 ** 30 });
  expect(readVirtualBytes(path)).toBe(8 * 2 ** 30);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(path).size).toBe(4 << 16);
  expect(() => createOverlay({ path, backing: '/t/disk.qcow2', virtualBytes: 2 ** 30 })).toThrow(/EEXIST/);
});

test('what does not fit the layout is refused', () => {
  const refused = (virtualBytes: number, backing: string) => {
    try {
      createOverlay({ path: join(folder, `${virtualBytes}${backing.length}`), backing, virtualBytes });
    } catch (error) {
      return isFault(error, 'needs_operator');
    }
    return false;
  };
  expect(refused(5 * 2 ** 40, '/t')).toBe(true);
  expect(refused(2 ** 30, `/${'t'.repeat(2000)}`)).toBe(true);
});

test('a file that is no qcow2 is not taken for a template', () => {
  const path = join(folder, 'other');
  writeFileSync(path, 'x'.repeat(64));
  expect(() => readVirtualBytes(path)).toThrow('not a qcow2');
});
