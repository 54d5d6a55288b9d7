import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { DuplexEnd } from './duplexEnd.ts';

/** A stream that gives `bytes` in one piece, and ends, and what was heard of its end. */
function listenTo(bytes: Buffer, pauseAfter: number, { isEnded = true } = {}) {
  const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const end = new DuplexEnd(stream);
  const heard: Buffer[] = [];
  const closed: [number, string][] = [];
  end.listen({
    bytes: (piece) => {
      heard.push(Buffer.from(piece));
      if (heard.length % pauseAfter === 0) end.pause();
    },
    text: () => {},
    drained: () => {},
    closed: (code, reason) => closed.push([code, reason]),
  });
  stream.push(bytes);
  if (isEnded) stream.push(null);
  return { end, heard, closed, stream };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
const bytes = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * 31) >> 3));

test('who pauses is given nothing more, and everything in order when it goes on, and then the end', async () => {
  const { end, heard, closed } = listenTo(bytes, 1);
  await turn();
  for (let pieces = 1; pieces < 7; pieces++) {
    expect(heard).toHaveLength(pieces);
    await turn();
    expect([heard.length, closed.length]).toEqual([pieces, 0]);
    end.resume();
  }
  expect(Buffer.concat(heard).equals(bytes)).toBe(true);
  end.resume();
  await turn();
  expect(closed).toEqual([[1000, 'ended']]);
});

test.each([
  ['breaks', new Error('gone'), [4503, 'the connection broke']],
  ['is closed', undefined, [1000, 'ended']],
])('of a stream that %s while somebody pauses, what was read is given, and the end at once', async (_, error, how) => {
  const { heard, closed, stream, end } = listenTo(bytes, 2, { isEnded: false });
  await turn();
  expect(heard).toHaveLength(2);
  stream.destroy(error);
  await turn();
  expect(closed).toEqual([how]);
  end.resume();
  expect([Buffer.concat(heard).equals(bytes), closed.length]).toEqual([true, 1]);
});

test('what the other side of an ended stream is still sent loses nothing of what it said', async () => {
  const { end, heard, closed } = listenTo(bytes, 1);
  await turn();
  expect(end.send(Buffer.from('too late'))).toBe(true);
  await turn();
  expect(closed).toEqual([]);
  for (let pieces = 1; pieces <= 7; pieces++) end.resume();
  expect(Buffer.concat(heard).equals(bytes)).toBe(true);
});

test('nothing more comes of one that is closed', async () => {
  const { heard, closed, end } = listenTo(bytes, 3);
  await turn();
  end.close();
  end.resume();
  await turn();
  expect([heard.length, closed.length]).toEqual([3, 0]);
});
