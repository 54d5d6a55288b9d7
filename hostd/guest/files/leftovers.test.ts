import { expect, test } from 'vitest';
import { isStale, temporaryName, uploadExpiryMs, uploadName } from './leftovers.ts';

test('a temporary name is short and ours', () => {
  const name = temporaryName(Date.now());
  expect(Buffer.byteLength(name)).toBeLessThan(64);
  // Ids only grow, and other tests of this process may have made some of a later day.
  expect(isStale(name, Number.MAX_SAFE_INTEGER)).toBe(true);
});

test('a temporary name carries when it was made, and only an old one of ours is stale', () => {
  const madeMs = 1_790_000_000_000;
  const name = '.lebureau-01m3250v00e09afac7f8s564fm.part';
  expect(isStale(name, madeMs + 3_600_000)).toBe(false);
  expect(isStale(name, madeMs + 3_600_002)).toBe(true);
  for (const other of [`x${name}`, `${name}x`, '.lebureau-.part', '.bashrc', name.toUpperCase()]) {
    expect(isStale(other, madeMs * 2)).toBe(false);
  }
});

test('what came in of an upload is kept for a day', () => {
  const uploadId = 'upl_01m3250v00e09afac7f8s564fm';
  expect(uploadExpiryMs(uploadId)).toBe(1_790_000_000_000 + 86_400_000);
  expect(isStale(uploadName(uploadId), uploadExpiryMs(uploadId))).toBe(false);
  expect(isStale(uploadName(uploadId), uploadExpiryMs(uploadId) + 1)).toBe(true);
});
