import { expect, test } from 'vitest';
import { FrameParser, maskedFrame, opcodes } from './webSocketFrames.ts';

/** As a server sends it: the same without the mask. */
function plain(payload: Buffer): Buffer {
  const masked = maskedFrame(opcodes.binary, payload);
  const head = masked.subarray(0, masked.length - payload.length - 4);
  head[1]! &= 0x7f;
  return Buffer.concat([head, payload]);
}

test.each([0, 1, 125, 126, 65_535, 65_536, 200_000])('a frame of %i bytes is read, however it is cut', (size) => {
  const payload = Buffer.alloc(size, 7);
  const bytes = Buffer.concat([plain(payload), plain(Buffer.from('next'))]);
  const parser = new FrameParser();
  const got = [bytes.subarray(0, 1), bytes.subarray(1, 9), bytes.subarray(9)].flatMap((part) => parser.read(part));
  expect(got.map((frame) => frame.payload.length)).toEqual([size, 4]);
  expect(got[0]!.payload.equals(payload)).toBe(true);
});

test('what a client sends is masked, and what a server must not send is refused', () => {
  const frame = maskedFrame(opcodes.binary, Buffer.from('abc'));
  const mask = frame.subarray(2, 6);
  expect(Buffer.from(frame.subarray(6).map((byte, at) => byte ^ mask[at]!)).toString()).toBe('abc');
  expect(() => new FrameParser().read(frame)).toThrow('must not mask');
  expect(() => new FrameParser().read(Buffer.from([0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]))).toThrow('refused');
});
