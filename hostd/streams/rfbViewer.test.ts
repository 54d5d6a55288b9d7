import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectedPair } from '../guest/display/scriptedServer.ts';
import { VirtualClock } from '../virtualclock.ts';
import { ControlLeases } from './controlLeases.ts';
import { leaseRecordOf } from './leaseRecord.ts';
import { RfbViewer } from './rfbViewer.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const init = Buffer.concat([
  Buffer.from([5, 0, 3, 32]),
  Buffer.alloc(16),
  Buffer.from([0, 0, 0, 4]),
  Buffer.from('QEMU'),
]);
const keyDown = Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]);
const keyUp = Buffer.from([4, 0, 0, 0, 0, 0, 0, 97]);
const ask = Buffer.from([3, 0, 0, 0, 0, 0, 5, 0, 3, 32]);
const moment = () => new Promise((resolve) => setImmediate(resolve));

function world(mode: 'view' | 'control' = 'control') {
  const clock = new VirtualClock();
  const home = mkdtempSync(join(tmpdir(), 'lb-viewer-'));
  const leases = new ControlLeases({ clock, record: leaseRecordOf(home), versionOf: () => 0, onChange: () => {} });
  const [display, server] = connectedPair();
  const heard: Buffer[] = [];
  server.on('data', (bytes: Buffer) => heard.push(bytes));
  display.pause();
  const seen = { bytes: Buffer.alloc(0), texts: [] as { isYours: boolean; holder: unknown }[], closed: [] as number[] };
  const viewer = new RfbViewer({ display, rest: Buffer.from('early'), init, assignmentId: asg, leases, mode, clock });
  viewer.listen({
    bytes: (piece) => (seen.bytes = Buffer.concat([seen.bytes, piece])),
    text: (text) => seen.texts.push(JSON.parse(text)),
    drained: () => {},
    closed: (code) => seen.closed.push(code),
  });
  const greet = (version = '008') => {
    viewer.send(Buffer.from(`RFB 003.${version}\n`));
    if (version !== '003') viewer.send(Buffer.from([1]));
    viewer.send(Buffer.from([0]));
  };
  return { clock, leases, viewer, server, seen, greet, heard: () => Buffer.concat(heard) };
}

test.each([
  ['008', '0101' + '00000000'],
  ['007', '0101'],
  ['003', '00000001'],
])(
  'a viewer of version %s is let in without a password, and then sees what the server says',
  async (version, security) => {
    const { seen, greet, server } = world();
    expect(seen.bytes.toString()).toBe('RFB 003.008\n');
    greet(version);
    server.write('frame');
    await moment();
    const expected = Buffer.concat([
      Buffer.from('RFB 003.008\n'),
      Buffer.from(security, 'hex'),
      init,
      Buffer.from('earlyframe'),
    ]);
    expect(seen.bytes.toString('hex')).toBe(expected.toString('hex'));
    expect(seen.closed).toEqual([]);
  },
);

test('the handshake and the first messages may come in one piece, or byte by byte', async () => {
  const all = Buffer.concat([Buffer.from('RFB 003.008\n'), Buffer.from([1, 0]), ask, keyDown, ask]);
  for (const size of [1, 5, 1000]) {
    const { viewer, heard } = world();
    for (let at = 0; at < all.length; at += size) viewer.send(all.subarray(at, at + size));
    await moment();
    expect(heard().equals(Buffer.concat([ask, ask]))).toBe(true);
  }
});

test.each([
  ['no RFB', ['GET / HTTP/1.1\r\n']],
  ['an unknown version', ['RFB 009.999\n']],
  ['a security type that was not offered', ['RFB 003.008\n', '\u0002']],
])('%s ends it, and nothing reached the server', async (_about, messages) => {
  const { viewer, seen, heard } = world();
  for (const message of messages) viewer.send(Buffer.from(message));
  await moment();
  expect(seen.closed).toEqual([4400]);
  expect(heard().length).toBe(0);
});

test('who does not finish the handshake is sent away; who does is not', async () => {
  const slow = world();
  slow.viewer.send(Buffer.from('RFB 003.008\n'));
  const quick = world();
  quick.greet();
  for (const { clock } of [slow, quick]) while (await clock.next(11_000));
  await moment();
  expect([slow.seen.closed, quick.seen.closed]).toEqual([[4400], []]);
});

test('control is said at the beginning and at each change, and decides at each message', async () => {
  const { viewer, leases, seen, greet, heard } = world();
  greet();
  viewer.send(keyDown);
  const { leaseToken } = leases.take(asg, { kind: 'human', by: null, name: 'Ada' });
  viewer.send(keyDown);
  viewer.sendText(JSON.stringify({ type: 'control', leaseToken: `lease_${'A'.repeat(43)}` }));
  viewer.send(keyDown);
  expect(heard().length).toBe(0);
  viewer.sendText(JSON.stringify({ type: 'control', leaseToken }));
  viewer.send(keyDown);
  await moment();
  expect(heard().equals(keyDown)).toBe(true);
  leases.take(asg, { kind: 'human', by: null, takeOver: true });
  viewer.send(keyUp);
  viewer.send(keyDown);
  await moment();
  // The key that was held is let go of, once, and by us.
  expect(heard().equals(Buffer.concat([keyDown, keyUp]))).toBe(true);
  expect(seen.texts.map(({ isYours }) => isYours)).toEqual([false, false, false, true, false]);
});

test('one that only looks never writes, whatever token it says', async () => {
  const { viewer, leases, seen, greet, heard } = world('view');
  greet();
  const { leaseToken } = leases.take(asg, { kind: 'human', by: null });
  viewer.sendText(JSON.stringify({ type: 'control', leaseToken }));
  viewer.send(keyDown);
  await moment();
  expect(heard().length).toBe(0);
  expect(seen.texts.at(-1)!.isYours).toBe(false);
});

test('a viewer that leaves with a key held lets go of it', async () => {
  const { viewer, leases, greet, heard } = world();
  greet();
  const { leaseToken } = leases.take(asg, { kind: 'human', by: null });
  viewer.sendText(JSON.stringify({ type: 'control', leaseToken }));
  viewer.send(keyDown);
  viewer.close();
  await moment();
  expect(heard().equals(Buffer.concat([keyDown, keyUp]))).toBe(true);
});

test('a text that is not understood ends it, and so does a display that goes away', async () => {
  const strange = world();
  strange.viewer.sendText('{"type":"power","off":true}');
  expect(strange.seen.closed).toEqual([4400]);
  const lost = world();
  lost.greet();
  lost.server.destroy();
  lost.viewer.close();
  await moment();
  expect(lost.seen.closed).toEqual([]);
});
