import { expect, test } from 'vitest';
import { toText, wholeLength } from './text.ts';

test('a text cut anywhere is put together again from whole characters', () => {
  const bytes = Buffer.from('aé日😀\n\uFEFFb');
  for (let cut = 0; cut <= bytes.length; cut++) {
    const length = wholeLength(bytes.subarray(0, cut));
    expect(cut - length).toBeLessThan(4);
    expect(toText(bytes.subarray(0, length)) + toText(bytes.subarray(length))).toBe(bytes.toString());
  }
});

test('bytes that can become no character are not waited for', () => {
  for (const bytes of [[0xff], [0x80, 0x80, 0x80, 0x80], [0xf8, 0x80], [0x61, 0xc3, 0x61], [0xfe]]) {
    expect(wholeLength(Uint8Array.from(bytes))).toBe(bytes.length);
  }
  expect(wholeLength(Uint8Array.from([0x61, 0xe6, 0x97]))).toBe(1);
  expect(wholeLength(Uint8Array.from([0xf0, 0x9f, 0x98]))).toBe(0);
});
