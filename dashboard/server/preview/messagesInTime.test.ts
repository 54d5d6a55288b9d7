import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteBudget } from '@lebureau/kit/byteBudget';
import type { Clock } from '@lebureau/kit/clock';
import { dialSocketEnd } from '@lebureau/kit/dialSocketEnd';
import { frameOf } from '@lebureau/kit/testing/frameOf';
import { expect, onTestFinished, test } from 'vitest';
import { MessagesInTime } from './messagesInTime.ts';

const limitMs = 60_000;

/** Time goes on when it is told to. */
class HandClock implements Clock {
  #ms = 0;
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>();

  nowMs = () => this.#ms;
  monotonicMs = () => this.#ms;
  sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const sleeper = { atMs: this.#ms + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => (this.#sleepers.delete(sleeper), resolve()));
    });

  get sleeping(): number {
    return this.#sleepers.size;
  }

  async pass(ms: number): Promise<void> {
    this.#ms += ms;
    for (const sleeper of this.#sleepers)
      if (sleeper.atMs <= this.#ms && this.#sleepers.delete(sleeper)) sleeper.wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A guest's server of WebSockets, which sends what it is told, and who listens to it. */
async function world() {
  const path = join(mkdtempSync(join(tmpdir(), 'lb-messages-')), 'guest');
  const coming = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      coming.resolve(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const [clock, share] = [new HandClock(), new ByteBudget(2 ** 20)];
  const messages = new MessagesInTime(share, { clock, limitMs });
  const wish = { to: { path }, path: '/', headers: {}, limitMs: 5_000 };
  const end = messages.of(await dialSocketEnd({ ...wish, messageMaxBytes: 2 ** 20, messageBudget: messages }));
  const guest = await coming.promise;
  onTestFinished(() => {
    guest.destroy();
    server.close();
  });
  const heard: string[] = [];
  end.listen({
    bytes: (piece) => heard.push(`bytes ${piece.length}`),
    text: (text) => heard.push(`text ${text.length}`),
    drained: () => {},
    closed: (code) => heard.push(`closed ${code}`),
  });
  return { clock, share, end, guest, heard };
}
const message = frameOf(2, Buffer.alloc(300_000));
const pieceBytes = 100_000;

test.each([1, 2])('a message of which nothing more comes ends its socket (opcode %d)', async (opcode) => {
  const { clock, share, guest, heard } = await world();
  guest.write(frameOf(opcode, Buffer.alloc(300_000, 'x')).subarray(0, pieceBytes));
  await expect.poll(() => share.usedBytes).toBeGreaterThan(0);
  await clock.pass(limitMs - 1);
  expect(heard).toEqual([]);
  await clock.pass(1);
  expect([heard, share.usedBytes, clock.sleeping]).toEqual([['closed 1013'], 0, 0]);
});

test('one that goes on, one that is whole, and a socket that says nothing stay', async () => {
  const { clock, share, guest, heard } = await world();
  guest.write(message.subarray(0, pieceBytes));
  let known = 0;
  for (let at = pieceBytes; at < message.length; at += pieceBytes) {
    await expect.poll(() => share.usedBytes).toBeGreaterThan(known);
    known = share.usedBytes;
    await clock.pass(limitMs - 1);
    guest.write(message.subarray(at, at + pieceBytes));
  }
  await expect.poll(() => heard).toEqual(['bytes 300000']);
  for (let round = 0; round < 3; round++) await clock.pass(limitMs);
  expect([heard, clock.sleeping]).toEqual([['bytes 300000'], 0]);
});

test('a guest that nobody reads is not late, and is when it is read again', async () => {
  const { clock, share, end, guest, heard } = await world();
  guest.write(message.subarray(0, pieceBytes));
  await expect.poll(() => share.usedBytes).toBeGreaterThan(0);
  end.pause();
  for (let round = 0; round < 5; round++) await clock.pass(limitMs);
  end.resume();
  await clock.pass(limitMs - 1);
  expect(heard).toEqual([]);
  for (let round = 0; round < 2; round++) await clock.pass(limitMs);
  expect(heard).toEqual(['closed 1013']);
});

test('nothing is waited for when the socket is over', async () => {
  const { clock, share, guest, heard } = await world();
  guest.write(message.subarray(0, pieceBytes));
  await expect.poll(() => [share.usedBytes > 0, clock.sleeping]).toEqual([true, 1]);
  guest.destroy();
  await expect.poll(() => heard).toEqual(['closed 4503']);
  expect([share.usedBytes, clock.sleeping]).toEqual([0, 0]);
});
