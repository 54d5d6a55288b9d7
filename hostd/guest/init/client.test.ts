import { Duplex } from 'node:stream';
import { heapStats } from 'bun:jsc';
import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { openInitChannel } from './client.ts';
import { Execution } from './execution.ts';
import { decodeFields, encodeFields } from './fields.ts';
import { encodeFrame, FrameReader, type Frame } from './frame.ts';
import { execMessage, identifyMessage } from './messages.ts';

/** A guest that does what a test tells it to; the far end of the channel. */
function hostileGuest(answer: (frame: Frame, say: (bytes: Uint8Array) => void) => void): Duplex {
  const reader = new FrameReader();
  const stream: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      for (const frame of reader.read(chunk)) answer(frame, (bytes) => stream.push(bytes));
      done();
    },
  });
  return stream;
}

const frame = (type: number, stream: number, fields: [string, string][]) =>
  encodeFrame({ type, stream, payload: encodeFields(fields) });

/** Greets, and leaves the rest to the test. */
function greeting(more: (frame: Frame, say: (bytes: Uint8Array) => void) => void): Duplex {
  return hostileGuest((got, say) => {
    if (got.type === 1) say(frame(0x81, 0, [['session', decodeFields(got.payload).get('session') ?? '']]));
    else more(got, say);
  });
}

const request = { argv: ['x'], user: 'agent', timeoutMs: 2000, outputMaxBytes: 100 };

test('a guest that never greets gives guest_unreachable after the time asked for', async () => {
  const channel = openInitChannel(
    hostileGuest(() => {}),
    systemClock,
  );
  await expect(channel.health(50)).rejects.toMatchObject({ code: 'guest_unreachable' });
  channel.close();
});

test('answers of a former connection are not taken for ours', async () => {
  const channel = openInitChannel(
    hostileGuest((got, say) => {
      say(frame(0x82, got.stream + 1, [['protocol', '666']]));
      if (got.type === 1) say(frame(0x81, 0, [['session', 'of somebody else']]));
    }),
    systemClock,
  );
  await expect(channel.health(50)).rejects.toMatchObject({ code: 'guest_unreachable' });
  channel.close();
});

test('health of a lying guest is cut to size and made of numbers', async () => {
  const lies: [string, string][] = [
    ['protocol', 'NaN'],
    ['programVersion', 'v'.repeat(9000)],
    ['uptimeSeconds', '-5'],
    ['memoryFreeMiB', 'Infinity'],
  ];
  const channel = openInitChannel(
    greeting((got, say) => say(frame(0x82, got.stream, lies))),
    systemClock,
  );
  const health = await channel.health(1000);
  expect(health).toMatchObject({ protocol: 0, uptimeSeconds: 0, memoryFreeMiB: 0, displayUp: false });
  expect(health.programVersion).toHaveLength(512);
  channel.close();
});

test('a guest that sends more output than was asked for is cut', async () => {
  const channel = openInitChannel(
    greeting((got, say) => {
      for (let i = 0; i < 50; i++)
        say(encodeFrame({ type: 0x21, stream: got.stream, payload: Buffer.alloc(1000, 65) }));
      say(frame(0x23, got.stream, [['code', '9999']]));
    }),
    systemClock,
  );
  const result = await channel.exec(request);
  expect(result.stdout).toHaveLength(100);
  expect(result).toMatchObject({ truncated: true, exitCode: 255 });
  channel.close();
});

test('a guest that sends garbage for ever is given up', async () => {
  const channel = openInitChannel(
    greeting((_, say) => say(Buffer.from('\u0001x\0'.repeat(2000)))),
    systemClock,
  );
  await expect(channel.health(2000)).rejects.toThrow('garbage');
});

test('everything that waits fails when the stream breaks', async () => {
  const stream = greeting(() => {});
  const channel = openInitChannel(stream, systemClock);
  const waiting = [channel.health(5000), channel.exec(request)].map((each) => each.catch((error: unknown) => error));
  setTimeout(() => stream.destroy(), 20);
  for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'guest_unreachable' });
});

test('unanswered questions are limited', async () => {
  const channel = openInitChannel(
    greeting(() => {}),
    systemClock,
  );
  const asked = Array.from({ length: 300 }, () => channel.health(300).catch((error: Error) => error.message));
  const messages = await Promise.all(asked);
  expect(messages.filter((message) => String(message).includes('256 questions'))).toHaveLength(44);
  channel.close();
});

/** Greets, and from then on reads nothing. */
function deafGuest(): Duplex {
  const reader = new FrameReader();
  const stream: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      const [hello] = reader.read(chunk);
      if (hello?.type === 1)
        stream.push(frame(0x81, 0, [['session', decodeFields(hello.payload).get('session') ?? '']]));
      if (hello === undefined || hello.type === 1) done();
    },
  });
  return stream;
}

test('a guest that reads nothing is asked no more than two megabytes', async () => {
  const stream = deafGuest();
  const channel = openInitChannel(stream, systemClock);
  const argv = ['x'.repeat(200_000)];
  const asked = Array.from({ length: 40 }, () =>
    channel.exec({ ...request, argv }).catch((error: Error) => error.message),
  );
  await expect.poll(() => stream.writableLength).toBeGreaterThan(2_000_000);
  await expect(channel.health(1000)).rejects.toThrow('does not read');
  expect(stream.writableLength).toBeLessThan(2_500_000);
  channel.close();
  const refused = (await Promise.all(asked)).filter((message) => String(message).includes('does not read'));
  expect(refused.length).toBeGreaterThan(25);
});

test('a guest that gives credit for stdin which it never reads is given up', async () => {
  const stream = deafGuest();
  const channel = openInitChannel(stream, systemClock);
  await expect.poll(() => stream.writableLength).toBe(0);
  const running = channel
    .exec({ ...request, stdin: new Uint8Array(50_000_000) })
    .catch((error: Error) => error.message);
  await expect.poll(() => stream.writableLength).toBeGreaterThan(60_000);
  for (let i = 0; i < 700; i++) stream.push(frame(0x24, 1, [['bytes', '65536']]));
  expect(await running).toContain('does not read');
  expect(stream.destroyed).toBe(true);
});

test('output that comes byte by byte costs its bytes, not an object for each', async () => {
  const execution = new Execution({ ...request, outputMaxBytes: 200_000 }, () => {});
  const payload = new Uint8Array([65]);
  Bun.gc(true);
  const before = heapStats().objectCount;
  for (let i = 0; i < 200_001; i++) execution.take({ type: 0x21, stream: 1, payload });
  Bun.gc(true);
  expect(heapStats().objectCount - before).toBeLessThan(20_000);
  execution.take({ type: 0x23, stream: 1, payload: encodeFields([['code', '0']]) });
  const result = await execution.result;
  expect(result.truncated).toBe(true);
  expect(Buffer.from(result.stdout).equals(Buffer.alloc(200_000, 65))).toBe(true);
});

test('what the wire cannot carry is refused before it is sent', () => {
  expect(() => execMessage({ ...request, argv: ['a\0b'] })).toThrow('NUL');
  expect(() => execMessage({ ...request, env: { 'A=B': 'c' } })).toThrow('unusable name');
  expect(() => execMessage({ ...request, argv: ['x'.repeat(300_000)] })).toThrow('longer than');
});

test('the public half of the host key is taken from the private one', () => {
  const publicBlob = Buffer.from('0000000b7373682d6564323535313900000020'.padEnd(102, 'ab'), 'hex');
  const part = (bytes: Buffer) =>
    Buffer.concat([Buffer.from(bytes.length.toString(16).padStart(8, '0'), 'hex'), bytes]);
  const none = part(Buffer.from('none'));
  const key = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    none,
    none,
    part(Buffer.alloc(0)),
    Buffer.from([0, 0, 0, 1]),
    part(publicBlob),
  ]);
  const sshHostKey = `-----BEGIN OPENSSH PRIVATE KEY-----\n${key.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
  const identity = {
    ...{ owner: 'o', boot: 1, version: 0, hostName: 'h', machineId: 'm', mac: 'x', sshHostKey, sshAuthorizedKey: 'k' },
    ...{ clockMs: 0, entropy: '/w==', timeZone: 'UTC', config: '{}' },
  };
  const fields = decodeFields(identifyMessage(identity, 1234.6));
  expect(fields.get('sshHostKeyPublic')).toBe(`ssh-ed25519 ${publicBlob.toString('base64')}\n`);
  expect(fields.get('entropy')).toBe('ff');
  expect([...fields.entries()].at(-1)).toEqual(['clockMs', '1235']);
});

test('a guest that took long to take its identity is told the time again, and only the time', async () => {
  const messages: Map<string, string>[] = [];
  const channel = openInitChannel(
    greeting((got, say) => {
      messages.push(decodeFields(got.payload) as Map<string, string>);
      const answer = () => say(frame(0x83, got.stream, []));
      if (messages.length === 1) setTimeout(answer, 150);
      else answer();
    }),
    systemClock,
  );
  const identity = {
    ...{
      owner: 'o',
      boot: 1,
      version: 0,
      hostName: 'h',
      machineId: 'm',
      mac: 'x',
      sshHostKey: 'x',
      sshAuthorizedKey: 'k',
    },
    ...{ clockMs: 1_000_000, entropy: '/w==', timeZone: 'UTC', config: '{}' },
  };
  await channel.identify(identity, 5000);
  channel.close();
  expect(messages).toHaveLength(2);
  expect([...messages[1]!.keys()]).toEqual(['identity', 'clockMs']);
  expect(Number(messages[1]!.get('clockMs')) - 1_000_000).toBeGreaterThanOrEqual(149);
});
