import type { Duplex } from 'node:stream';
import { systemClock } from '@lebureau/kit/clock';
import { describe, expect, test } from 'vitest';
import { connectedPair } from '../../display/scriptedServer.ts';
import { X11Connection } from './connection.ts';
import { XTest } from './xtest.ts';

const root = 0x123;

/** What a server with one screen and no formats says first. */
function welcome(): Buffer {
  const body = Buffer.alloc(32 + 40);
  body.writeUInt32LE(0x0040_0000, 4);
  body.writeUInt16LE(0xffff, 18);
  body[20] = 1;
  body[26] = 8;
  body[27] = 255;
  body.writeUInt32LE(root, 32);
  const head = Buffer.from([1, 0, 11, 0, 0, 0, 0, 0]);
  head.writeUInt16LE(body.length / 4, 6);
  return Buffer.concat([head, body]);
}

function reply(sequence: number, extraBytes = 0): Buffer {
  const message = Buffer.alloc(32 + Math.min(extraBytes, 64));
  message[0] = 1;
  message.writeUInt16LE(sequence, 2);
  message.writeUInt32LE(extraBytes / 4, 4);
  return message;
}

function serve(first: Buffer): { stream: Duplex; server: Duplex; received: Buffer[] } {
  const [stream, server] = connectedPair();
  const received: Buffer[] = [];
  server.on('data', (chunk: Buffer) => received.push(chunk));
  server.on('error', () => {});
  server.write(first);
  return { stream, server, received };
}

test('requests are pipelined and get their own replies; an error is that of its request', async () => {
  const { stream, server, received } = serve(welcome());
  const x11 = await X11Connection.connect(stream, systemClock);
  expect(x11.setup).toEqual({ resourceBase: 0x0040_0000, resourceMask: 0, keycodeMin: 8, keycodeMax: 255, root });
  x11.send(25, 0, Buffer.alloc(40));
  const [one, two, three] = [
    x11.call(43, 0, Buffer.alloc(0)),
    x11.call(43, 0, Buffer.alloc(0)),
    x11.call(43, 0, Buffer.alloc(0)),
  ];
  const error = Buffer.alloc(32);
  error[1] = 3;
  error[10] = 43;
  error.writeUInt16LE(3, 2);
  const strayError = Buffer.alloc(32);
  strayError.writeUInt16LE(1, 2);
  server.write(Buffer.concat([strayError, reply(2, 8), error, reply(4)]));
  expect((await one).length).toBe(40);
  await expect(two).rejects.toThrow('X error 3 to request 43');
  expect((await three).readUInt16LE(2)).toBe(4);
  expect(Buffer.concat(received).subarray(0, 4)).toEqual(Buffer.from([0x6c, 0, 11, 0]));
});

test('fake input is one request of 36 bytes each', async () => {
  const { stream, server, received } = serve(welcome());
  const x11 = await X11Connection.connect(stream, systemClock);
  const opening = XTest.open(x11);
  const extension = reply(1);
  extension.set([1, 132], 8);
  server.write(extension);
  const xtest = await opening;
  await new Promise((resolve) => setImmediate(resolve));
  received.length = 0;
  xtest.move(640, 400);
  xtest.button(9, true);
  expect(received).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(received).toHaveLength(1);
  const sent = Buffer.concat(received);
  expect([sent.length, sent[0], sent[1], sent.readUInt16LE(2), sent[4]]).toEqual([72, 132, 2, 9, 6]);
  expect([sent.readUInt32LE(12), sent.readInt16LE(24), sent.readInt16LE(26)]).toEqual([root, 640, 400]);
  expect([sent[40], sent[41]]).toEqual([4, 9]);
});

describe('a hostile X server is refused', () => {
  const refusal = Buffer.concat([Buffer.from([0, 4, 11, 0, 0, 0, 1, 0]), Buffer.from('nope')]);
  test.each([
    ['a refusal', refusal],
    ['a welcome without a screen', Buffer.from([1, 0, 11, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8])],
  ])('at first: %s', async (_name, first) => {
    const { stream } = serve(first);
    await expect(X11Connection.connect(stream, systemClock)).rejects.toMatchObject({ code: 'guest_unreachable' });
    expect(stream.destroyed).toBe(true);
  });

  test.each([
    ['a reply that nobody asked for', reply(7)],
    ['a reply of 16 GB', reply(1, 0xffff_fffc)],
    ['the end in the middle of a reply', reply(1, 64).subarray(0, 40)],
  ])('later: %s', async (_name, message) => {
    const { stream, server } = serve(welcome());
    const x11 = await X11Connection.connect(stream, systemClock);
    const asked = x11.sync();
    server.end(message);
    await expect(asked).rejects.toMatchObject({ code: 'guest_unreachable' });
    expect(() => x11.send(43, 0, Buffer.alloc(0))).toThrow(expect.objectContaining({ code: 'guest_unreachable' }));
  });

  test('one that never answers', async () => {
    const clock = { ...systemClock, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(20, signal) };
    const { stream } = serve(welcome());
    const x11 = await X11Connection.connect(stream, clock);
    await expect(x11.sync()).rejects.toMatchObject({ code: 'guest_unreachable' });
    await expect(X11Connection.connect(serve(Buffer.alloc(0)).stream, clock)).rejects.toMatchObject({
      code: 'guest_unreachable',
    });
  });
});
