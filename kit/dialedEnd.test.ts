import { heapStats } from 'bun:jsc';
import { expect, test } from 'vitest';
import { ByteBudget } from './byteBudget.ts';
import { DialedEnd } from './dialedEnd.ts';
import type { WholeMessages } from './gathered.ts';
import { connectedPair } from './testing/connectedPair.ts';
import { frameOf } from './testing/frameOf.ts';

const KiB = 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** How many objects are kept. */
function living(): number {
  Bun.gc(true);
  return heapStats().objectCount;
}

/** A server that takes nothing until it is told to, on a real socket. */
async function world(whole: WholeMessages = {}) {
  const heard: string[] = [];
  const { socket, peer } = await connectedPair();
  const end = new DialedEnd(socket, { head: '', first: Buffer.alloc(0) }, whole);
  end.listen({
    bytes: (piece) => heard.push(`bytes ${piece.length}`),
    text: (text) => heard.push(`text ${text.length}`),
    drained: () => heard.push('drained'),
    closed: (code) => heard.push(`closed ${code}`),
  });
  return { socket, peer, end, heard };
}

test('a text that the server does not take is answered like bytes', async () => {
  const { end, heard, peer } = await world();
  expect(end.sendText('small')).toBe(true);
  expect(end.sendText('x'.repeat(4096 * KiB))).toBe(false);
  peer.resume();
  await expect.poll(() => heard).toEqual(['drained']);
});

test('a server that does not take its pongs is not read any more, until it does', async () => {
  const { peer, end, heard } = await world();
  const pings = Buffer.concat(Array.from({ length: 500 }, () => frameOf(9, Buffer.alloc(125))));
  let fed = 0;
  const feed = async () => {
    while (fed < 64 * 1024 * KiB && peer.write(pings)) fed += pings.length;
    await turn();
  };
  // It stalls when two looks apart nothing of it was read.
  for (let before = -1; before !== fed || peer.writableLength === 0; await Bun.sleep(100)) {
    before = fed;
    await feed();
  }
  expect(fed).toBeLessThan(8 * 1024 * KiB);
  // The other end, which takes more again, does not begin it anew.
  end.pause();
  end.resume();
  await Bun.sleep(100);
  expect(peer.writableLength).toBeGreaterThan(0);
  peer.resume();
  await expect.poll(() => heard).toContain('drained');
  await expect.poll(() => peer.writableLength).toBe(0);
});

test.each(['text', 'bytes'] as const)('%s in frames of one byte is not kept frame by frame', async (kind) => {
  const { peer, heard } = await world({ messageMaxBytes: 1024 * KiB });
  const frames = Buffer.concat(Array.from({ length: 50_000 }, () => frameOf(0, Buffer.from('x'), false)));
  peer.write(frameOf(kind === 'text' ? 1 : 2, Buffer.from('x'), false));
  await turn();
  const before = living();
  await new Promise((resolve) => peer.write(frames, resolve));
  await turn();
  expect(living() - before).toBeLessThan(25_000);
  peer.write(frameOf(0, Buffer.from('x')));
  await expect.poll(() => heard).toEqual([`${kind} 50002`]);
});

test('a server that says it is over and takes nothing is cut off', async () => {
  const { socket, peer, end, heard } = await world();
  while (end.send(Buffer.alloc(64 * KiB)));
  peer.write(frameOf(8, Buffer.from([0x03, 0xe8])));
  await expect.poll(() => heard).toEqual(['closed 1000']);
  expect(socket.isClosed).toBe(false);
  await expect.poll(() => socket.isClosed, { timeout: 3_000 }).toBe(true);
});

test('what was sent last arrives, however slowly it is taken', async () => {
  const { peer, end } = await world();
  let sent = 0;
  for (let taken = true; taken; sent += 64 * KiB) taken = end.send(Buffer.alloc(64 * KiB, 7));
  end.close(1000, 'done');
  let got = Buffer.alloc(0);
  peer.on('data', (bytes: Buffer) => (got = Buffer.concat([got, bytes])));
  peer.resume();
  await new Promise((resolve) => peer.once('end', resolve));
  expect(got.length).toBeGreaterThan(sent);
  expect(got.toString('latin1').endsWith('done')).toBe(true);
});

test('what several leave unfinished is bounded together: who exceeds it is closed, and short messages pass', async () => {
  const messageBudget = new ByteBudget(1024 * KiB);
  const whole = { messageMaxBytes: 1024 * KiB, messageBudget };
  const [text, binary, third] = [await world(whole), await world(whole), await world(whole)];
  text.peer.write(frameOf(1, Buffer.alloc(500 * KiB, 'x'), false));
  binary.peer.write(frameOf(2, Buffer.alloc(500 * KiB), false));
  await expect.poll(() => messageBudget.usedBytes).toBeGreaterThan(2 * 300 * KiB);
  third.peer.write(frameOf(1, Buffer.from('short')));
  await expect.poll(() => third.heard).toEqual(['text 5']);
  const closing = frameOf(2, Buffer.alloc(500 * KiB), false);
  third.peer.write(Buffer.concat([closing, frameOf(0, Buffer.alloc(500 * KiB), false)]));
  await expect.poll(() => third.heard).toEqual(['text 5', 'closed 1013']);
  // What ends, whole or not, gives back what it took.
  binary.peer.write(frameOf(0, Buffer.from('end')));
  await expect.poll(() => binary.heard).toEqual([`bytes ${500 * KiB + 3}`]);
  text.end.close(1000, 'done');
  expect(messageBudget.usedBytes).toBe(0);
  const fourth = await world(whole);
  fourth.peer.write(frameOf(2, Buffer.alloc(900 * KiB), false));
  await expect.poll(() => messageBudget.usedBytes).toBeGreaterThan(600 * KiB);
  fourth.peer.destroy();
  await expect.poll(() => messageBudget.usedBytes).toBe(0);
  expect(fourth.heard).toEqual(['closed 4503']);
});
