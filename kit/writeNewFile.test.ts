import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeNewFile } from './writeNewFile.ts';

test('a new file is private and whole, whatever a killed start left,and never replaces another', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-new-file-'));
  try {
    const path = join(folder, 'key');
    writeFileSync(`${path}.0.new`, 'half a k', { mode: 0o644 });
    writeNewFile(path, 'a whole key\n');
    expect(readFileSync(path, 'utf8')).toBe('a whole key\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(() => writeNewFile(path, 'another\n')).toThrow(/EEXIST/);
    expect(readFileSync(path, 'utf8')).toBe('a whole key\n');
    rmSync(path);
    writeNewFile(path, 'again\n');
    expect(readdirSync(folder)).toEqual(['key', 'key.0.new']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
