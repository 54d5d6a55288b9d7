import { heapStats } from 'bun:jsc';
import { Duplex } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { DialedEnd } from './dialedEnd.ts';
import { frameOf } from './testing/frameOf.ts';

const KiB = 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** How many objects are kept. */
function living(): number {
  Bun.gc(true);
  return heapStats().objectCount;
}

/** A server that takes nothing until it is told to. */
function world(messageMaxBytes?: number) {
  const heard: string[] = [];
  let sentBytes = 0;
  let taken: (() => void)[] = [];
  let takes = false;
  const socket = new Duplex({
    highWaterMark: 16 * KiB,
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sentBytes += chunk.length;
      if (takes) done();
      else taken.push(done);
    },
  });
  const end = new DialedEnd(socket, { head: '', first: Buffer.alloc(0) }, messageMaxBytes);
  end.listen({
    bytes: (piece) => heard.push(`bytes ${piece.length}`),
    text: (text) => heard.push(`text ${text.length}`),
    drained: () => heard.push('drained'),
    closed: (code) => heard.push(`closed ${code}`),
  });
  const take = () => {
    takes = true;
    for (const done of taken) done();
    taken = [];
  };
  return { socket, end, heard, take, sent: () => sentBytes };
}

test('a text that the server does not take is answered like bytes', async () => {
  const { end, heard, take } = world();
  expect(end.sendText('small')).toBe(true);
  expect(end.sendText('x'.repeat(32 * KiB))).toBe(false);
  take();
  await expect.poll(() => heard).toEqual(['drained']);
});

test('a server that does not take its pongs is not read any more, until it does', async () => {
  const { socket, end, heard, take } = world();
  const pings = Buffer.concat(Array.from({ length: 200 }, () => frameOf(9, Buffer.alloc(125))));
  const feed = Array.from({ length: 50 }, () => pings);
  while (feed.length > 0 && !socket.isPaused()) {
    socket.push(feed.pop());
    await turn();
  }
  expect(socket.isPaused()).toBe(true);
  expect(socket.writableLength).toBeLessThan(64 * KiB);
  // The other end, which takes more again, does not begin it anew.
  end.pause();
  end.resume();
  expect(socket.isPaused()).toBe(true);
  take();
  await expect.poll(() => heard).toContain('drained');
  expect(socket.isPaused()).toBe(false);
});

test.each(['text', 'bytes'] as const)('%s in frames of one byte is not kept frame by frame', async (kind) => {
  const { socket, heard } = world(1024 * KiB);
  const frames = Buffer.concat(Array.from({ length: 50_000 }, () => frameOf(0, Buffer.from('x'), false)));
  socket.push(frameOf(kind === 'text' ? 1 : 2, Buffer.from('x'), false));
  await turn();
  const before = living();
  socket.push(frames);
  await turn();
  expect(living() - before).toBeLessThan(25_000);
  socket.push(frameOf(0, Buffer.from('x')));
  await turn();
  expect(heard).toEqual([`${kind} 50002`]);
});

test('a server that says it is over and takes nothing is cut off', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { socket, heard } = world();
  socket.push(frameOf(9, Buffer.alloc(125)));
  socket.push(frameOf(8, Buffer.from([0x03, 0xe8])));
  while (heard.length === 0) await turn();
  expect(heard).toEqual(['closed 1000']);
  vi.runAllTimers();
  expect(socket.destroyed).toBe(true);
});
