import { expect, test } from 'vitest';
import { connectPlain } from './plainSocket.ts';
import { connectedPair } from './testing/connectedPair.ts';

const MiB = 1_048_576;

async function world() {
  const { socket, peer } = await connectedPair({ allowHalfOpen: true });
  const heard: string[] = [];
  let gotBytes = 0;
  socket.listen({
    data: (bytes) => (gotBytes += bytes.length),
    drained: () => heard.push('drained'),
    closed: () => heard.push('closed'),
  });
  return { socket, peer, heard, gotBytes: () => gotBytes };
}

test('everything arrives in order, whatever waits here meanwhile', async () => {
  const { socket, peer, heard } = await world();
  const piece = (at: number) => Buffer.alloc(100_003 + at, at);
  const expected: Buffer[] = [];
  for (let at = 0; at < 60; at++) {
    const head = Buffer.from(`[${at}]`);
    // Small and large ones: those that are copied together and those that are not.
    const bytes = at % 2 === 0 ? piece(at) : Buffer.alloc(at, at);
    expected.push(head, bytes);
    socket.write(head, bytes);
  }
  expect(heard).toEqual([]);
  const got: Buffer[] = [];
  peer.on('data', (bytes: Buffer) => got.push(bytes));
  peer.resume();
  await expect.poll(() => heard).toEqual(['drained']);
  const wanted = Buffer.concat(expected);
  await expect.poll(() => got.reduce((sum, { length }) => sum + length, 0)).toBe(wanted.length);
  expect(Buffer.concat(got).equals(wanted)).toBe(true);
});

test('nothing is read while it is paused', async () => {
  const { socket, peer, gotBytes } = await world();
  socket.pause();
  peer.write(Buffer.alloc(4 * MiB));
  await Bun.sleep(50);
  expect(gotBytes()).toBe(0);
  socket.resume();
  await expect.poll(gotBytes).toBe(4 * MiB);
});

test('an end waits for what was written, a destruction does not', async () => {
  const ending = await world();
  while (ending.socket.write(Buffer.alloc(MiB)));
  ending.socket.end();
  await Bun.sleep(50);
  expect(ending.socket.isClosed).toBe(false);
  ending.peer.on('end', () => ending.peer.end()).resume();
  await expect.poll(() => ending.heard).toEqual(['closed']);
  const broken = await world();
  while (broken.socket.write(Buffer.alloc(MiB)));
  broken.socket.destroy();
  await expect.poll(() => broken.heard).toEqual(['closed']);
  expect(broken.socket.write(Buffer.from('late'))).toBe(true);
});

test.each([
  ['its end', true],
  ['the other side’s', false],
])('whatever is unread when it comes to %s, what was written arrives', async (_, isOurs) => {
  const { socket, peer, heard } = await world();
  // Unread here at the end: a close would reset the connection, and what the other side has not read with it.
  socket.pause();
  peer.write(Buffer.alloc(100_000));
  // With the kernel, where it is the other side's turn; here, where it is ours to wait.
  const written = isOurs ? 50_000 : 4 * MiB;
  expect(socket.write(Buffer.alloc(written))).toBe(isOurs);
  await Bun.sleep(50);
  if (isOurs) socket.end();
  else peer.end();
  await Bun.sleep(50);
  socket.resume();
  let got = 0;
  peer.on('data', (bytes: Buffer) => (got += bytes.length)).on('end', () => peer.end());
  peer.resume();
  await expect.poll(() => got).toBe(written);
  await expect.poll(() => heard).toEqual(['closed']);
});

test('where nobody listens is said at once', async () => {
  await expect(connectPlain({ path: '/nowhere/at/all' }, 2_000)).rejects.toThrow('Failed to connect');
  await expect(connectPlain({ host: '127.0.0.1', port: 1 }, 2_000)).rejects.toThrow('Failed to connect');
});
