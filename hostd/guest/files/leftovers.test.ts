import { expect, test } from 'vitest';
import { isStale, temporaryName, uploadExpiryMs, uploadName } from './leftovers.ts';

test('a temporary name is short and ours', () => {
  const name = temporaryName(Date.now());
  expect(Buffer.byteLength(name)).toBeLessThan(64);
  // Ids only grow, and other tests of this process may have made some of a later day.
  expect(isStale(name, { nowMs: Number.MAX_SAFE_INTEGER, writtenMs: 0 })).toBe(true);
});

test('a temporary name carries when it was made, and only an old one of ours is stale', () => {
  const madeMs = 1_790_000_000_000;
  const name = '.lebureau-01m3250v00e09afac7f8s564fm.part';
  expect(isStale(name, { nowMs: madeMs + 3_600_000, writtenMs: 0 })).toBe(false);
  expect(isStale(name, { nowMs: madeMs + 3_600_002, writtenMs: madeMs * 2 })).toBe(true);
  for (const other of [`x${name}`, `${name}x`, '.lebureau-.part', '.bashrc', name.toUpperCase()]) {
    expect(isStale(other, { nowMs: madeMs * 2, writtenMs: 0 })).toBe(false);
  }
});

test('what came in of an upload is kept for a day since it was last written to', () => {
  const [uploadId, bornMs, dayMs] = ['upl_01m3250v00e09afac7f8s564fm', 1_790_000_000_000, 86_400_000];
  for (const [writtenMs, expiryMs] of [
    [0, bornMs + dayMs],
    [bornMs + 5000, bornMs + 5000 + dayMs],
  ] as const) {
    expect(uploadExpiryMs(uploadId, writtenMs)).toBe(expiryMs);
    expect(isStale(uploadName(uploadId), { nowMs: expiryMs, writtenMs })).toBe(false);
    expect(isStale(uploadName(uploadId), { nowMs: expiryMs + 1, writtenMs })).toBe(true);
  }
});
