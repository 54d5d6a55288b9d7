import { heapStats } from 'bun:jsc';
import { expect, test } from 'vitest';
import { encodeFrame, FrameReader, payloadMaxBytes } from './frame.ts';

const patterns: Record<string, (at: number) => number> = {
  zeros: () => 0,
  'no zeros': (at) => 1 + (at % 255),
  mixed: (at) => (at % 3 === 0 ? 0 : at % 256),
  'a zero after each full block': (at) => (at % 255 === 249 ? 0 : 1),
};

test.each(Object.keys(patterns))('frames of every length come back: %s', (name) => {
  for (let length = 0; length <= 1100; length += length % 254 > 20 && length % 254 < 235 ? 7 : 1) {
    const payload = Uint8Array.from({ length }, (_, at) => patterns[name]!(at));
    const coded = encodeFrame({ type: 0x21, stream: 0xfffffff0, payload });
    expect(coded.indexOf(0)).toBe(coded.length - 1);
    const [frame, ...more] = [...new FrameReader().read(coded)];
    expect(more).toEqual([]);
    expect(frame).toMatchObject({ type: 0x21, stream: 0xfffffff0 });
    expect(Buffer.compare(Buffer.from(frame!.payload), payload)).toBe(0);
  }
});

test('the longest frame passes and a longer one is dropped, whatever the pieces', () => {
  const longest = encodeFrame({ type: 1, stream: 1, payload: new Uint8Array(payloadMaxBytes).fill(1) });
  const longer = encodeFrame({ type: 1, stream: 2, payload: new Uint8Array(payloadMaxBytes + 2000).fill(1) });
  const reader = new FrameReader();
  const seen: number[] = [];
  const bytes = Buffer.concat([longer, longest]);
  for (let at = 0; at < bytes.length; at += 9973) {
    for (const frame of reader.read(bytes.subarray(at, at + 9973))) seen.push(frame.stream);
  }
  expect(seen).toEqual([1]);
  expect(reader.broken).toBe(1);
});

test('a frame that comes byte by byte costs its bytes, not an object for each', () => {
  const coded = encodeFrame({ type: 1, stream: 1, payload: new Uint8Array(200_000).fill(1) });
  const reader = new FrameReader();
  Bun.gc(true);
  const before = heapStats().objectCount;
  for (const byte of coded.subarray(0, -1)) reader.read(Buffer.from([byte])).next();
  Bun.gc(true);
  expect(heapStats().objectCount - before).toBeLessThan(20_000);
  expect([...reader.read(Buffer.from([0]))][0]?.payload).toHaveLength(200_000);
});

test('a changed byte and a broken coding are dropped, and the next frame is read', () => {
  const good = encodeFrame({ type: 2, stream: 3, payload: Buffer.from('text') });
  const reader = new FrameReader();
  for (let at = 0; at < good.length - 1; at++) {
    const changed = Buffer.from(good);
    changed[at] = changed[at]! ^ 0x55 || 1;
    expect([...reader.read(changed)].length).toBeLessThanOrEqual(0);
  }
  expect([...reader.read(good)]).toHaveLength(1);
});
