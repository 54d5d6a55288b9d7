import { expect, test } from 'vitest';
import { parseRange } from './range.ts';

test.each([
  ['bytes=0-0', { firstByte: 0, lengthBytes: 1, isPart: true }],
  ['bytes=2-', { firstByte: 2, lengthBytes: 8, isPart: true }],
  ['bytes=-3', { firstByte: 7, lengthBytes: 3, isPart: true }],
  ['bytes=-99', { firstByte: 0, lengthBytes: 10, isPart: true }],
  ['bytes=5-99', { firstByte: 5, lengthBytes: 5, isPart: true }],
  ['bytes=9-999999999999999', { firstByte: 9, lengthBytes: 1, isPart: true }],
  [undefined, { firstByte: 0, lengthBytes: 10, isPart: false }],
  ['bytes=0-1,3-4', { firstByte: 0, lengthBytes: 10, isPart: false }],
  ['lines=0-1', { firstByte: 0, lengthBytes: 10, isPart: false }],
  ['bytes=3-1', { firstByte: 0, lengthBytes: 10, isPart: false }],
  ['bytes=-', { firstByte: 0, lengthBytes: 10, isPart: false }],
])('%s of ten bytes', (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});

test.each(['bytes=10-', 'bytes=11-12', 'bytes=-0'])('%s of ten bytes cannot be satisfied', (header) => {
  expect(() => parseRange(header, 10)).toThrow(
    expect.objectContaining({ code: 'range_not_satisfiable', extra: { members: { sizeBytes: 10 } } }),
  );
});
