import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { reclaimRecordOf } from './reclaimrecord.ts';

const home = mkdtempSync(join(tmpdir(), 'lebureau-reclaim-'));
afterAll(() => rmSync(home, { recursive: true }));

test('what was entrusted comes back after a restart', () => {
  expect(reclaimRecordOf(home).read()).toBeUndefined();
  const first = { nodeId: 'nod_1', newest: 'lb-2', entrusted: new Set(['lb-2', 'lb-1']) };
  reclaimRecordOf(home).write(first);
  expect(reclaimRecordOf(home).read()).toEqual(first);
});

test.each(['', '{', 'null', '[]', '{"nodeId":1}'])('a record that is damaged is no API that is known: %s', (text) => {
  writeFileSync(join(home, 'reclaim.json'), text);
  expect(reclaimRecordOf(home).read()).toMatchObject({ nodeId: 'unreadable' });
});
