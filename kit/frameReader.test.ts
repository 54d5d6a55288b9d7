import { expect, test } from 'vitest';
import { ByteBudget } from './byteBudget.ts';
import { FrameReader } from './frameReader.ts';
import { frameOf } from './testing/frameOf.ts';

function reader() {
  const seen = { bytes: '', texts: [] as string[], closed: [] as string[], pings: [] as string[] };
  const it = new FrameReader({
    bytes: (piece) => (seen.bytes += piece.toString('latin1')),
    text: (text) => seen.texts.push(text),
    closed: (code, reason) => seen.closed.push(`${code} ${reason}`),
    ping: (payload) => seen.pings.push(payload.toString()),
  });
  return { it, seen };
}

const all = Buffer.concat([
  frameOf(2, Buffer.from('one')),
  frameOf(1, Buffer.from('{"a":'), false),
  frameOf(9, Buffer.from('alive')),
  frameOf(0, Buffer.from('"é"}')),
  frameOf(2, Buffer.alloc(70_000, 'x')),
  frameOf(2, Buffer.alloc(0)),
  frameOf(2, Buffer.alloc(300, 'y'), false),
  frameOf(0, Buffer.from('z')),
  frameOf(8, Buffer.concat([Buffer.from([0x11, 0x38]), Buffer.from('stalled')])),
]);

test.each([1, 2, 3, 7, 1000, 1_000_000])('frames are read the same in pieces of %s bytes', (size) => {
  const { it, seen } = reader();
  for (let at = 0; at < all.length; at += size) it.read(all.subarray(at, at + size));
  expect(seen.bytes).toBe(`one${'x'.repeat(70_000)}${'y'.repeat(300)}z`);
  expect(seen.texts).toEqual(['{"a":"é"}']);
  expect(seen.pings).toEqual(['alive']);
  expect(seen.closed).toEqual(['4408 stalled']);
});

test('bytes are handed on as they come and never collected', () => {
  const { it, seen } = reader();
  const head = Buffer.from([0x82, 127, 0, 0, 0, 64, 0, 0, 0, 0]);
  it.read(Buffer.concat([head, Buffer.from('begins')]));
  expect(seen.bytes).toBe('begins');
});

test.each([
  ['masked', Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])],
  ['with a reserved bit', Buffer.from([0xc2, 0])],
  ['of an unknown kind', Buffer.from([0x83, 0])],
  ['a control frame in parts', Buffer.from([0x09, 0])],
  ['a long control frame', Buffer.from([0x89, 126, 0, 200])],
  ['a continuation of nothing', Buffer.from([0x80, 0])],
  ['a message inside another', Buffer.from([0x01, 1, 65, 0x81, 1, 65])],
  ['a length that nobody means', Buffer.from([0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0])],
  ['a giant text', Buffer.concat([Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 2, 0, 0]), Buffer.alloc(131_072)])],
])('a frame %s is refused', (_about, bytes) => {
  expect(() => reader().it.read(bytes)).toThrow(/./);
});

test('what follows the end in the same piece is not gathered', () => {
  const messageBudget = new ByteBudget(1_000_000);
  const nothing = () => {};
  const it: FrameReader = new FrameReader(
    { bytes: nothing, text: nothing, ping: nothing, closed: () => it.drop() },
    { messageMaxBytes: 1_000_000, messageBudget },
  );
  const unfinished = frameOf(1, Buffer.alloc(300_000, 'x'), false);
  it.read(Buffer.concat([frameOf(8, Buffer.from([3, 232])), unfinished]));
  expect(messageBudget.usedBytes).toBe(0);
});
