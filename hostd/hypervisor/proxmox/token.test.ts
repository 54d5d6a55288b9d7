import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PveToken } from './token.ts';

const [first, second] = ['0', '1'].map((digit) => `lb@pve!hostd=${digit.repeat(8)}-0000-0000-0000-000000000000`);

test('a token that is refused gives way to another one in its file, and to nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-token-'));
  const tokenFile = join(folder, 'token');
  const token = new PveToken({ token: first!, tokenFile });
  expect(token.refused(first!), 'no file').toBe(false);
  for (const text of ['', second!.slice(0, 20), `${first}\n`]) {
    writeFileSync(tokenFile, text);
    expect(token.refused(first!), text).toBe(false);
  }
  writeFileSync(tokenFile, `${second}\n`);
  expect(token.text, 'one that works stays').toBe(first);
  expect(token.refused(first!)).toBe(true);
  expect(token.text).toBe(second);
  expect(token.refused(first!), 'who was refused with the former one').toBe(true);
  expect(token.refused(second!)).toBe(false);
  expect(new PveToken({ token: first! }).refused(first!)).toBe(false);
  rmSync(folder, { recursive: true });
});
