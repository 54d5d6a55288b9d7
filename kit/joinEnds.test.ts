import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { dialSocketEnd, NotSwitched } from './dialSocketEnd.ts';
import { DuplexEnd } from './duplexEnd.ts';
import { joinEnds } from './joinEnds.ts';
import { ServerSocketEnd, type ServerSocketData, serverSocketHandlers } from './serverSocketEnd.ts';
import { closeCodes, type EndListener, type StreamEnd } from './streamEnd.ts';

const MiB = 1_048_576;
const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0).toReversed()) close();
});

/** A viewer's server in front of a node's server in front of a byte stream, on real sockets, as the product has it. */
async function relay(onGuest: (guest: Socket) => void, options: { stallLimitMs?: number; texts?: string[] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'lb-relay-'));
  const join2 = { clock: systemClock, stallLimitMs: options.stallLimitMs ?? 60_000 };
  const guests: Socket[] = [];
  const guest = createServer((socket) => {
    guests.push(socket);
    socket.on('error', () => {});
    onGuest(socket);
  });
  await new Promise<void>((resolve) => guest.listen(join(folder, 'guest'), resolve));
  const node = Bun.serve<ServerSocketData>({
    unix: join(folder, 'node'),
    async fetch(request, server) {
      if (request.url.endsWith('/refused')) return Response.json({ code: 'not_ready' }, { status: 503 });
      const stream = connect(join(folder, 'guest'));
      await new Promise((resolve) => stream.once('connect', resolve));
      const viewed = new DuplexEnd(stream, { onText: (text) => options.texts?.push(text) });
      const viewer = new ServerSocketEnd();
      viewer.onOpen(() => joinEnds(viewer, viewed, join2));
      server.upgrade(request, { data: { end: viewer } });
      return undefined;
    },
    websocket: serverSocketHandlers,
  });
  const api = Bun.serve<ServerSocketData>({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request, server) {
      const wish = {
        to: { path: join(folder, 'node') },
        path: '/stream',
        headers: { 'x-caller': 'me' },
        limitMs: 2000,
      };
      const viewed = await dialSocketEnd(wish);
      const viewer = new ServerSocketEnd();
      viewer.onOpen(() => joinEnds(viewer, viewed, join2));
      server.upgrade(request, { data: { end: viewer } });
      return undefined;
    },
    websocket: serverSocketHandlers,
  });
  closing.push(
    () => guest.close(),
    () => void node.stop(true),
    () => void api.stop(true),
  );
  const view = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${api.port}/`);
    socket.binaryType = 'arraybuffer';
    closing.push(() => socket.close());
    await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
    return socket as WebSocket & { pause(): void; resume(): void };
  };
  return { view, guests, folder };
}

const closed = (socket: WebSocket) =>
  new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }), { once: true });
  });

test('a slow reader gets every byte in order, and nothing piles up for it', async () => {
  const total = 96 * MiB;
  const sent = createHash('sha256');
  let written = 0;
  const { view } = await relay((guest) => {
    const pump = () => {
      while (written < total) {
        const piece = randomBytes(65_536);
        sent.update(piece);
        written += piece.length;
        if (!guest.write(piece)) return;
      }
      guest.end();
    };
    guest.on('drain', pump);
    pump();
  });
  const socket = await view();
  const got = createHash('sha256');
  let gotBytes = 0;
  let aheadBytes = 0;
  socket.addEventListener('message', ({ data }) => {
    got.update(Buffer.from(data as ArrayBuffer));
    gotBytes += (data as ArrayBuffer).byteLength;
    if (gotBytes % (8 * MiB) < 65_536) {
      socket.pause();
      setTimeout(() => {
        aheadBytes = Math.max(aheadBytes, written - gotBytes);
        socket.resume();
      }, 60);
    }
  });
  expect(await closed(socket)).toMatchObject({ code: 1000 });
  expect(gotBytes).toBe(total);
  expect(got.digest('hex')).toBe(sent.digest('hex'));
  expect(aheadBytes).toBeLessThan(16 * MiB);
}, 30_000);

test('a guest that takes nothing holds its viewer, which may send all of it in the end', async () => {
  const total = 48 * MiB;
  const received = createHash('sha256');
  let receivedBytes = 0;
  const { view, guests } = await relay((guest) => guest.pause());
  const socket = await view();
  const sent = createHash('sha256');
  for (let at = 0; at < total; at += 524_288) {
    const piece = randomBytes(524_288);
    sent.update(piece);
    socket.send(piece);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  // What the two programs and the kernel took is far less than what was sent.
  expect(socket.bufferedAmount).toBeGreaterThan(24 * MiB);
  guests[0]!.on('data', (piece: Buffer) => {
    received.update(piece);
    receivedBytes += piece.length;
  });
  guests[0]!.resume();
  await expect.poll(() => receivedBytes, { timeout: 20_000 }).toBe(total);
  expect(received.digest('hex')).toBe(sent.digest('hex'));
}, 30_000);

test('a viewer that stalls is closed after the limit, and what it viewed with it', async () => {
  let guestClosed = false;
  const { view } = await relay(
    (guest) => {
      guest.on('close', () => (guestClosed = true));
      const pump = () => {
        while (guest.write(Buffer.alloc(65_536)));
      };
      guest.on('drain', pump);
      pump();
    },
    { stallLimitMs: 300 },
  );
  const socket = await view();
  socket.pause();
  await expect.poll(() => guestClosed, { timeout: 5_000 }).toBe(true);
});

/** A viewer by a plain connection, which nobody sees go away while it is not read, before something that takes nothing. */
async function held(bytesCount: number, heldLimitMs?: number) {
  const folder = mkdtempSync(join(tmpdir(), 'lb-held-'));
  const closes: number[] = [];
  const viewed: StreamEnd = {
    listen: () => {},
    send: () => false,
    sendText: () => false,
    pause: () => {},
    resume: () => {},
    close: (code) => closes.push(code),
  };
  let got = 0;
  const server = createServer((socket) => {
    const limits = { stallLimitMs: 60_000, ...(heldLimitMs === undefined ? {} : { heldLimitMs }) };
    const counted = { ...viewed, send: (piece: Uint8Array) => ((got += piece.length), false) };
    joinEnds(new DuplexEnd(socket), counted, { clock: systemClock, ...limits });
  });
  closing.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(join(folder, 'way'), resolve));
  const client = connect(join(folder, 'way'));
  client.on('error', () => {});
  client.write(Buffer.alloc(bytesCount));
  await expect.poll(() => got).toBeGreaterThan(0);
  return { client, closes, got: () => got };
}

test.each(['destroy', 'end'] as const)('a viewer that has said all and goes away (%s) is over at once', async (way) => {
  const { client, closes, got } = await held(180_000);
  client[way]();
  await expect.poll(() => closes).toEqual([1000]);
  expect(got()).toBe(180_000);
});

test('where a limit is given, what takes nothing holds no viewer for longer', async () => {
  const { client, closes } = await held(4 * MiB, 300);
  client.destroy();
  await expect.poll(() => closes).toContain(closeCodes.stalled);
});

test('texts travel beside the bytes, and the end of either side is the end of both', async () => {
  const texts: string[] = [];
  const { view, guests } = await relay((guest) => guest.pipe(guest), { texts });
  const socket = await view();
  const back = new Promise((resolve) =>
    socket.addEventListener('message', ({ data }) => resolve(data), { once: true }),
  );
  socket.send('{"type":"resize"}');
  socket.send(Buffer.from('hello'));
  expect(Buffer.from((await back) as ArrayBuffer).toString()).toBe('hello');
  expect(texts).toEqual(['{"type":"resize"}']);
  const guestEnd = new Promise((resolve) => guests[0]!.once('close', resolve));
  socket.close(1000);
  await guestEnd;
  const second = await view();
  const end = closed(second);
  guests[1]!.destroy();
  expect(await end).toMatchObject({ code: 1000 });
});

test('a giant frame ends the stream before it is held', async () => {
  const { view } = await relay((guest) => guest.resume());
  const socket = await view();
  const end = closed(socket);
  socket.send(Buffer.alloc(4 * MiB));
  expect((await end).code).not.toBe(1000);
});

test('a refusal is told with its answer', async () => {
  const { folder } = await relay(() => {});
  const wish = { to: { path: join(folder, 'node') }, path: '/refused', headers: {}, limitMs: 1000 };
  const error = await dialSocketEnd(wish).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotSwitched);
  expect(error).toMatchObject({ status: 503, body: '{"code":"not_ready"}' });
  await expect(dialSocketEnd({ ...wish, to: { path: join(folder, 'nobody') } })).rejects.toThrow(
    /ENOENT|closed|connect/i,
  );
});

/** An end that takes what it is sent and wants no more. */
function fullEnd() {
  const calls: string[] = [];
  let listener: EndListener | undefined;
  const end: StreamEnd = {
    listen: (given) => (listener = given),
    send: () => false,
    sendText: () => false,
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
    close: (code) => calls.push(`close ${code}`),
  };
  return { end, calls, tell: () => listener! };
}

test.each(['text', 'bytes'] as const)('whoever sends %s is held until the other takes more', async (kind) => {
  const [viewer, viewed] = [fullEnd(), fullEnd()];
  let pass: () => void = () => {};
  const clock = { ...systemClock, sleep: () => new Promise<void>((resolve) => (pass = resolve)) };
  joinEnds(viewer.end, viewed.end, { clock, stallLimitMs: 1000 });
  const say = (to: EndListener) => (kind === 'text' ? to.text('x') : to.bytes(Buffer.from('x')));
  say(viewer.tell());
  expect(viewer.calls).toEqual(['pause']);
  viewed.tell().drained();
  expect(viewer.calls).toEqual(['pause', 'resume']);
  say(viewed.tell());
  expect(viewed.calls).toEqual(['pause']);
  viewer.tell().drained();
  expect(viewed.calls).toEqual(['pause', 'resume']);
  say(viewed.tell());
  pass();
  await expect.poll(() => viewer.calls.at(-1)).toBe('close 4408');
});
