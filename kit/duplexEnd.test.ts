import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { DuplexEnd } from './duplexEnd.ts';

/** A stream that gives `bytes` in one piece and ends, and what was heard of its end. */
function listenTo(bytes: Buffer, pauseAfter: number) {
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
  stream.push(null);
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

test('a stream that breaks while somebody pauses is over at once', async () => {
  const { heard, closed, stream, end } = listenTo(bytes, 2);
  await turn();
  expect(heard).toHaveLength(2);
  stream.destroy(new Error('gone'));
  await turn();
  expect(closed).toEqual([[4503, 'the connection broke']]);
  end.resume();
  expect([heard.length, closed.length]).toEqual([2, 1]);
});

test('nothing more comes of one that is closed', async () => {
  const { heard, closed, end } = listenTo(bytes, 3);
  await turn();
  end.close();
  end.resume();
  await turn();
  expect([heard.length, closed.length]).toEqual([3, 0]);
});
