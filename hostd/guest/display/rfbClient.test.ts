import { deflateSync, constants } from 'node:zlib';
import type { Duplex } from 'node:stream';
import { systemClock } from '@lebureau/kit/clock';
import { describe, expect, test } from 'vitest';
import { RfbClient } from './rfbClient.ts';
import { answerChallenge } from './rfbHandshake.ts';
import { connectedPair, pixelsOf, rfb, vncResponse } from './scriptedServer.ts';

const area = (...[x, y, width, height]: [number, number, number, number]) => ({ x, y, width, height });
const u16 = (...values: number[]) => Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 255])));
const u32 = (value: number) => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]);

function serve(...messages: Buffer[]): { stream: Duplex; server: Duplex } {
  const [stream, server] = connectedPair();
  server.on('error', () => {});
  for (const message of messages) server.write(message);
  return { stream, server };
}

async function connected(width: number, height: number) {
  const { stream, server } = serve(rfb.version, rfb.noSecurity, rfb.init(width, height));
  const client = await RfbClient.connect(stream, { clock: systemClock });
  const send = (...messages: Buffer[]) => {
    for (const message of messages) server.write(message);
  };
  const pixel = (x: number, y: number) =>
    client.framebuffer.pixels.readUInt32LE((y * client.framebuffer.width + x) * 4);
  return { client, server, send, pixel };
}

test('raw, copied and compressed rectangles arrive, over any cut of the stream', async () => {
  const { client, send, pixel } = await connected(100, 80);
  const red = rfb.update(
    rfb.raw({ ...area(0, 0, 100, 80), colour: 0xff0000 }),
    rfb.raw({ ...area(3, 4, 2, 2), colour: 0x00ff00 }),
  );
  send(
    ...Array.from({ length: Math.ceil(red.length / 999) }, (_, index) => red.subarray(index * 999, (index + 1) * 999)),
  );
  await expect
    .poll(() => [client.complete, pixel(0, 0), pixel(3, 4), pixel(5, 4)])
    .toEqual([true, 0xff0000, 0x00ff00, 0xff0000]);

  send(rfb.update(rfb.rectangle(area(50, 60, 2, 2), 1, u16(3, 4))));
  await expect.poll(() => [pixel(50, 60), pixel(51, 61), pixel(52, 60)]).toEqual([0x00ff00, 0x00ff00, 0xff0000]);

  const compressed = deflateSync(pixelsOf({ width: 10, height: 5, colour: 0x0000ff }), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  send(rfb.update(rfb.rectangle(area(90, 70, 10, 5), 6, Buffer.concat([u32(compressed.length), compressed]))));
  await expect
    .poll(() => [client.failure, pixel(90, 70), pixel(99, 74), pixel(99, 75)])
    .toEqual([undefined, 0x0000ff, 0x0000ff, 0xff0000]);
});

test('a copy onto itself moves rows as they were', async () => {
  const { send, pixel } = await connected(10, 10);
  send(rfb.update(...Array.from({ length: 10 }, (_, y) => rfb.raw({ ...area(0, y, 10, 1), colour: y }))));
  send(rfb.update(rfb.rectangle(area(0, 1, 10, 9), 1, u16(0, 0))));
  await expect.poll(() => Array.from({ length: 10 }, (_, y) => pixel(0, y))).toEqual([0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('an update larger than the queue flows without being held whole', async () => {
  const { client, send, pixel } = await connected(2000, 1000);
  send(rfb.update(rfb.raw({ ...area(0, 0, 2000, 1000), colour: 0x123456 })));
  await expect.poll(() => [client.complete, pixel(1999, 999)]).toEqual([true, 0x123456]);
});

test('a new size begins a new framebuffer; the extended form may also say no', async () => {
  const { client, send, pixel } = await connected(10, 10);
  const size = () => [client.framebuffer.width, client.framebuffer.height];
  send(rfb.update(rfb.raw({ ...area(0, 0, 10, 10), colour: 1 })));
  send(rfb.update(rfb.rectangle(area(0, 0, 30, 20), -223)));
  await expect.poll(() => [...size(), client.complete]).toEqual([30, 20, false]);
  const oneScreen = Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.alloc(16)]);
  send(rfb.update(rfb.rectangle(area(1, 3, 99, 99), -308, oneScreen)));
  send(rfb.update(rfb.raw({ ...area(29, 19, 1, 1), colour: 7 })));
  await expect.poll(() => pixel(29, 19)).toBe(7);
  expect(size()).toEqual([30, 20]);
  send(rfb.update(rfb.rectangle(area(0, 0, 40, 25), -308, oneScreen)));
  await expect.poll(size).toEqual([40, 25]);
});

test('the pointer is drawn into pictures, by its mask, and counts as a change', async () => {
  const { client, send } = await connected(64, 64);
  let updates = 0;
  client.onUpdate(() => (updates += 1));
  send(rfb.update(rfb.raw({ ...area(0, 0, 64, 64), colour: 0 })));
  const mask = Buffer.from([0b1000_0000, 0b0100_0000]);
  send(
    rfb.update(
      rfb.rectangle(area(1, 0, 2, 2), -239, Buffer.concat([pixelsOf({ width: 2, height: 2, colour: 0xffffff }), mask])),
    ),
  );
  await expect.poll(() => updates).toBe(2);
  const before = client.framebuffer.damage.sequence;
  client.pointer(0, 11, 20);
  expect(client.framebuffer.damage.changedSince(before, client.framebuffer.screen)).toHaveLength(1);
  const copy = client.framebuffer.cut(client.framebuffer.screen);
  client.framebuffer.drawCursor(client.framebuffer.screen, copy);
  const white = Array.from({ length: 64 * 64 }, (_, at) => at).filter((at) => copy.readUInt32LE(at * 4) === 0xffffff);
  expect(white).toEqual([20 * 64 + 10, 21 * 64 + 11]);
});

test('VNC authentication proves the password', async () => {
  const challenge = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  for (const password of ['', 'a', 'secret', 'longer than eight']) {
    expect(answerChallenge(challenge, password)).toEqual(vncResponse(challenge, password));
  }
  const { stream, server } = serve(rfb.version, Buffer.from([1, 2]), challenge);
  const received: Buffer[] = [];
  server.on('data', (chunk: Buffer) => {
    received.push(chunk);
    if (Buffer.concat(received).length === 29) server.write(Buffer.concat([Buffer.alloc(4), rfb.init(8, 8)]));
  });
  await RfbClient.connect(stream, { clock: systemClock, password: 'secret' });
  expect(Buffer.concat(received).subarray(13, 29)).toEqual(vncResponse(challenge, 'secret'));
});

describe('a hostile server is refused', () => {
  const reason = Buffer.concat([u32(4), Buffer.from('no!!')]);
  const refused: [string, Buffer[], RegExp][] = [
    ['no RFB', [Buffer.from('HTTP/1.1 200 OK\r\n')], /no RFB server/],
    ['an old version', [Buffer.from('RFB 003.003\n')], /speaks only RFB 003.003/],
    ['a refusal', [rfb.version, Buffer.from([0]), reason], /refused: no!!/],
    ['an endless refusal', [rfb.version, Buffer.from([0]), u32(0xffff_ffff)], /bytes is refused/],
    ['unknown security', [rfb.version, Buffer.from([2, 30, 19])], /no known security type/],
    ['a password that we lack', [rfb.version, Buffer.from([1, 2])], /wants a password/],
    ['a failed login', [rfb.version, Buffer.from([1, 1]), u32(1), reason], /refused: no!!/],
    ['a screen without pixels', [rfb.version, rfb.noSecurity, rfb.init(0, 600)], /0×600 is refused/],
    ['a screen of 16 GB', [rfb.version, rfb.noSecurity, rfb.init(65_535, 65_535)], /65535×65535 is refused/],
    [
      'an endless name',
      [rfb.version, rfb.noSecurity, Buffer.concat([rfb.init(10, 10).subarray(0, 20), u32(0x7fff_ffff)])],
      /text of/,
    ],
  ];
  test.each(refused)('in the handshake: %s', async (_name, messages, why) => {
    const { stream } = serve(...messages);
    await expect(RfbClient.connect(stream, { clock: systemClock })).rejects.toThrow(why);
    expect(stream.destroyed).toBe(true);
  });

  const bomb = deflateSync(Buffer.alloc(5_000_000), { finishFlush: constants.Z_SYNC_FLUSH });
  const broken: [string, Buffer, RegExp][] = [
    ['a rectangle outside', rfb.update(rfb.rectangle(area(95, 0, 6, 1), 0)), /outside the screen/],
    ['a copy from outside', rfb.update(rfb.rectangle(area(0, 0, 10, 10), 1, u16(95, 0))), /outside the screen/],
    ['an unknown encoding', rfb.update(rfb.rectangle(area(0, 0, 1, 1), 16)), /encoding 16/],
    ['an unknown message', Buffer.from([77]), /message 77/],
    ['an endless cut text', Buffer.concat([Buffer.from([3, 0, 0, 0]), u32(0x7fff_ffff)]), /cut text/],
    ['a cut text of negative length', Buffer.concat([Buffer.from([3, 0, 0, 0]), u32(0x8000_0000)]), /cut text/],
    ['a giant cursor', rfb.update(rfb.rectangle(area(0, 0, 60_000, 60_000), -239)), /cursor of/],
    ['a giant new size', rfb.update(rfb.rectangle(area(0, 0, 60_000, 60_000), -223)), /60000×60000 is refused/],
    [
      'endless copying',
      rfb.update(...Array.from({ length: 255 }, () => rfb.rectangle(area(0, 0, 100, 80), 1, u16(0, 0)))),
      /too often/,
    ],
    [
      'endless new sizes',
      rfb.update(rfb.rectangle(area(0, 0, 90, 60), -223), rfb.rectangle(area(0, 0, 60, 90), -223)),
      /more than one new size/,
    ],
    ['more compressed than plain', rfb.update(rfb.rectangle(area(0, 0, 2, 2), 6, u32(1_000_000))), /compressed bytes/],
    [
      'a compression bomb',
      rfb.update(rfb.rectangle(area(0, 0, 80, 20), 6, Buffer.concat([u32(bomb.length), bomb]))),
      /pixels/,
    ],
    [
      'broken compression',
      rfb.update(rfb.rectangle(area(0, 0, 2, 2), 6, Buffer.concat([u32(6), Buffer.from('rubbish')]))),
      /./,
    ],
    [
      'too few pixels',
      rfb.update(
        rfb.rectangle(
          area(0, 0, 9, 9),
          6,
          Buffer.concat([u32(11), deflateSync(Buffer.alloc(3), { finishFlush: constants.Z_SYNC_FLUSH })]).subarray(
            0,
            15,
          ),
        ),
      ),
      /./,
    ],
  ];
  test.each(broken)('after it: %s', async (_name, message, why) => {
    const { client, send } = await connected(100, 80);
    send(message);
    await client.closed;
    expect(client.failure?.message).toMatch(why);
  });

  test('a message that never ends, and an end in the middle of one', async () => {
    let isOver = false;
    const sleep = (ms: number, signal?: AbortSignal) => systemClock.sleep(isOver ? 20 : ms, signal);
    const clock = { ...systemClock, sleep };
    const { stream, server } = serve(rfb.version, rfb.noSecurity, rfb.init(10, 10));
    const client = await RfbClient.connect(stream, { clock });
    isOver = true;
    server.write(rfb.update(rfb.raw({ ...area(0, 0, 10, 10), colour: 1 })).subarray(0, 50));
    await client.closed;
    expect(client.failure?.message).toMatch(/no whole message/);
    expect(client.complete).toBe(false);

    const cut = await connected(10, 10);
    cut.server.end(Buffer.from([0, 0, 0]));
    await cut.client.closed;
    expect(cut.client.failure?.message).toMatch(/ended|closed/);
  });

  test('much work in few bytes leaves everything else its turn', async () => {
    const { client, server } = await connected(1000, 1000);
    let updates = 0;
    client.onUpdate(() => (updates += 1));
    const copy = rfb.rectangle(area(0, 0, 1000, 1000), 1, u16(0, 0));
    server.write(Buffer.concat(Array.from({ length: 30 }, () => rfb.update(copy, copy, copy))));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(updates).toBeLessThan(10);
    await expect.poll(() => updates).toBe(30);
    expect(client.failure).toBeUndefined();
  });

  test('a million random bytes end the connection and nothing else', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { client, server } = await connected(64, 64);
      let state = seed;
      const bytes = Buffer.from(Array.from({ length: 50_000 }, () => (state = (state * 48_271) % 0x7fff_ffff) & 255));
      server.end(bytes);
      await client.closed;
      expect(client.failure).toBeDefined();
      await client.confirm();
    }
  });
});
