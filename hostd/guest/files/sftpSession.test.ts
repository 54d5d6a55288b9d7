import { Duplex } from 'node:stream';
import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { encodePacket, packetType, statusCode } from './sftpPacket.ts';
import { SftpSession } from './sftpSession.ts';

interface Seen {
  type: number;
  id: number;
}

/** Two ends of one connection. */
function pair(): [Duplex, Duplex] {
  const ends: Duplex[] = [0, 1].map(
    (at) =>
      new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          ends[1 - at]!.push(chunk);
          done();
        },
      }),
  );
  return [ends[0]!, ends[1]!];
}

/** A guest that speaks no truth: `answer` says what comes back for each request after the greeting. */
async function against(answer: (seen: Seen) => readonly Uint8Array[], silenceMaxMs = 5000): Promise<SftpSession> {
  const [ours, theirs] = pair();
  let held = Buffer.alloc(0);
  theirs.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const packet = held.subarray(4, 4 + held.readUInt32BE(0));
      held = held.subarray(4 + packet.length);
      const seen = { type: packet[0]!, id: packet.readUInt32BE(1) };
      const bytes = seen.type === packetType.init ? [encodePacket(packetType.version, 3, [])] : answer(seen);
      for (const part of bytes) theirs.write(part);
    }
  });
  return SftpSession.start(ours, { clock: systemClock, silenceMaxMs });
}

const broken = { code: 'guest_unreachable' };
const status = (id: number, code: number) => encodePacket(packetType.status, id, [code, 'why', 'en']);
const handle = Buffer.from('h');

test('an honest answer in small pieces is put together', async () => {
  const session = await against(({ id }) =>
    [...encodePacket(packetType.data, id, ['hello'])].map((byte) => Uint8Array.of(byte)),
  );
  expect((await session.read(handle, 0, 10)).toString()).toBe('hello');
  expect(session.isIdle).toBe(true);
});

test.each<[string, (seen: Seen) => Uint8Array[]]>([
  ['more bytes than asked for', ({ id }) => [encodePacket(packetType.data, id, ['x'.repeat(11)])]],
  ['no bytes and no end', ({ id }) => [encodePacket(packetType.data, id, [''])]],
  ['OK instead of data', ({ id }) => [status(id, statusCode.ok)]],
  ['another type of answer', ({ id }) => [encodePacket(packetType.handle, id, ['x'])]],
  ['an answer to another request', ({ id }) => [status(id + 1, statusCode.ok)]],
  ['a length inside that is a lie', ({ id }) => [encodePacket(packetType.data, id, [0xffff_ffff])]],
  ['a packet without content', () => [Buffer.from([0, 0, 0, 0])]],
  ['a packet of four gigabytes', () => [Buffer.from([0xff, 0xff, 0xff, 0xff])]],
])('%s breaks the session, and every request with it', async (_what, answer) => {
  const session = await against(answer);
  const results = await Promise.allSettled([session.read(handle, 0, 10), session.stat('/')]);
  expect(results[0]).toMatchObject({ status: 'rejected', reason: broken });
  expect(results[1]).toMatchObject({ status: 'rejected', reason: broken });
  expect(session.isBroken).toBe(true);
  await expect(session.stat('/')).rejects.toMatchObject(broken);
});

test('names that are none are left out, and counts that lie are found out', async () => {
  const names = ['ok', '', '.', '..', 'a/b', 'nul\0', 'x'.repeat(256)];
  const session = await against(({ id }) => [
    encodePacket(packetType.name, id, [names.length, ...names.flatMap((name) => [name, 'long', 0])]),
  ]);
  expect((await session.readDirectory(handle))?.map((item) => item.name.toString())).toEqual(['ok']);
  const liar = await against(({ id }) => [encodePacket(packetType.name, id, [1_000_000, 'a', 'long', 0])]);
  await expect(liar.readDirectory(handle)).rejects.toMatchObject(broken);
});

test('sizes past what a number can count, and attributes of the future, are borne', async () => {
  const extended = [0x8000_0001, 2n ** 64n - 1n, 1, 'name', 'value'];
  const session = await against(({ id }) => [encodePacket(packetType.attributes, id, extended)]);
  expect((await session.stat('/')).sizeBytes).toBe(Number.MAX_SAFE_INTEGER);
});

test('a refusal is told with its words, and the session goes on', async () => {
  const session = await against(({ id }) => [status(id, statusCode.permissionDenied)]);
  await expect(session.stat('/')).rejects.toMatchObject({ status: statusCode.permissionDenied, message: 'why' });
  expect(session.isBroken).toBe(false);
});

test('silence ends the session in time', async () => {
  const session = await against(() => [], 100);
  await expect(session.stat('/')).rejects.toMatchObject(broken);
});

test('a server that never greets is given up', async () => {
  const [ours] = pair();
  await expect(SftpSession.start(ours, { clock: systemClock, silenceMaxMs: 100 })).rejects.toMatchObject(broken);
});

/** A small generator of its own, so that a failure can be repeated. */
function* randoms(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

test('answers with bytes turned over end in an answer, a refusal or a broken session, and nothing else', async () => {
  const random = randoms(11);
  const next = (max: number) => Math.floor((random.next().value as number) * max);
  const honest = (id: number) => [
    encodePacket(packetType.name, id, [2, 'a', 'long', 5, 9n, 0o100644, 'b', 'long', 0]),
    encodePacket(packetType.attributes, id, [15, 9n, 1, 1, 0o100644, 1, 1]),
    encodePacket(packetType.data, id, ['some data']),
    status(id, statusCode.failure),
  ];
  for (let round = 0; round < 300; round++) {
    const session = await against(({ id }) => {
      const packet = honest(id)[next(4)]!;
      for (let count = next(4); count > 0; count--) packet[4 + next(packet.length - 4)] = next(256);
      return [packet];
    });
    const asks = [
      () => session.readDirectory(handle),
      () => session.stat('/'),
      () => session.read(handle, 0, 64),
      () => session.realPath('/'),
    ];
    const result = await asks[next(4)]!().then(
      () => 'answered',
      (error: Error) => error.constructor.name,
    );
    expect(['answered', 'SftpRefusal', 'Fault']).toContain(result);
    session.end();
  }
});
