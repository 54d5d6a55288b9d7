import { readFileSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { InitExecRequest } from '../../guest/init/channel.ts';
import { InitClient, openInitChannel } from '../../guest/init/client.ts';
import { ByteReader } from '../../guest/display/byteReader.ts';
import { encodeFrame } from '../../guest/init/frame.ts';
import { startGuestDouble, type GuestDouble } from './guestDouble.ts';

let guest: GuestDouble;
let socket: Socket;
let init: InitClient;
const user = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
const home = execFileSync('sh', ['-c', 'eval echo ~$(id -un)'], { encoding: 'utf8' }).trim();

beforeAll(async () => {
  guest = await startGuestDouble();
}, 60_000);
afterAll(() => guest.stop());

beforeEach(async () => {
  socket = await guest.connection();
  init = openInitChannel(socket, systemClock);
});
afterEach(() => init.close());

const run = (argv: string[], more: Partial<InitExecRequest> = {}) =>
  init.exec({ argv, user, cwd: '/', timeoutMs: 10_000, outputMaxBytes: 1 << 20, ...more });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

test('health tells the protocol and that no X server answers', async () => {
  const health = await init.health(5000);
  expect(health).toMatchObject({ protocol: 1, displayUp: false, windowManagerUp: false });
  expect(health.memoryFreeMiB).toBeGreaterThan(0);
});

test('a command gets arguments, environment and folder, and its streams stay apart', async () => {
  const result = await run(['sh', '-c', 'echo "$1 $WHO $HOME"; pwd; echo wrong >&2; exit 3', 'sh', 'two words'], {
    env: { WHO: 'ünï' },
    cwd: '/usr',
  });
  expect(text(result.stdout)).toBe(`two words ünï ${home}\n/usr\n`);
  expect(text(result.stderr)).toBe('wrong\n');
  expect(result).toMatchObject({ exitCode: 3, timedOut: false, truncated: false });
});

test('what cannot be started ends like in a shell', async () => {
  const missing = await run(['no-such-program']);
  expect(missing.exitCode).toBe(127);
  expect(text(missing.stderr)).toContain('No such file');
  expect((await run(['/etc'])).exitCode).toBe(126);
  expect(text((await run(['true'], { cwd: '/no/such' })).stderr)).toContain('working directory');
  expect(text((await run(['true'], { user: 'nobody-of-this-name' })).stderr)).toContain('no such user');
});

test('stdin and stdout pass megabytes unchanged, also zeros', async () => {
  const stdin = new Uint8Array(3_000_000).map((_, i) => (i % 7 === 0 ? 0 : i % 251));
  const result = await run(['cat'], { stdin, outputMaxBytes: 4_000_000 });
  expect(Buffer.compare(Buffer.from(result.stdout), Buffer.from(stdin))).toBe(0);
});

test('a command that reads no stdin still ends', async () => {
  expect(await run(['true'], { stdin: new Uint8Array(1_000_000) })).toMatchObject({ exitCode: 0 });
});

test('output past the limit is cut, each stream for itself', async () => {
  const result = await run(['sh', '-c', 'head -c 100000 /dev/zero; printf 123456789 >&2'], { outputMaxBytes: 5 });
  expect(result.stdout).toHaveLength(5);
  expect(text(result.stderr)).toBe('12345');
  expect(result.truncated).toBe(true);
});

test('a time-out kills the whole session, job control or not', async () => {
  const marker = `31${Math.floor(Math.random() * 1e6)}`;
  const result = await run(['bash', '-mc', `sleep ${marker} & sleep ${marker}; true`], { timeoutMs: 300 });
  expect(result).toMatchObject({ timedOut: true, exitCode: 137 });
  const left = await run(['pgrep', '-f', `^sleep ${marker}`]);
  expect(left.exitCode).toBe(1);
});

test('an abort kills the command', async () => {
  const marker = `32${Math.floor(Math.random() * 1e6)}`;
  const abort = new AbortController();
  const running = run(['sleep', marker], { signal: abort.signal });
  setTimeout(() => abort.abort(new Error('enough')), 100);
  await expect(running).rejects.toThrow('enough');
  await expect.poll(async () => (await run(['pgrep', '-f', `^sleep ${marker}`])).exitCode).toBe(1);
});

test('a program left in the background neither holds the command nor dies of its closed pipe', async () => {
  const result = await run([
    'sh',
    '-c',
    '(sleep 0.6; echo late; echo later >&2; echo alive > "$0") & echo now',
    join(guest.root, 'mark'),
  ]);
  expect(text(result.stdout)).toBe('now\n');
  await expect.poll(() => readOr(join(guest.root, 'mark')), { timeout: 5000 }).toBe('alive\n');
});

test('forty commands at once each get their own answer', async () => {
  const results = await Promise.all(Array.from({ length: 40 }, (_, i) => run(['sh', '-c', `sleep 0.2; echo ${i}`])));
  expect(results.map((result) => Number(text(result.stdout)))).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test('the sixty-fifth command at once is refused', async () => {
  const abort = new AbortController();
  const first = Array.from({ length: 64 }, () => run(['sleep', '30'], { signal: abort.signal }).catch(() => undefined));
  await expect(run(['true'])).rejects.toMatchObject({ code: 'guest_unreachable' });
  abort.abort();
  await Promise.all(first);
});

test('garbage, half frames, huge frames and wrong sums are passed over', async () => {
  await init.health(5000);
  const good = encodeFrame({ type: 2, stream: 99, payload: Buffer.alloc(0) });
  const wrong = Buffer.from(good);
  wrong[3] = wrong[3]! ^ 1;
  for (const piece of [
    Buffer.from([7, 7, 0]),
    good.subarray(0, 6),
    Buffer.from([0]),
    wrong,
    Buffer.alloc(700_000, 9),
    Buffer.from([0, 0]),
  ]) {
    socket.write(piece);
  }
  expect((await init.health(5000)).protocol).toBe(1);
});

test('a new host is served although the former left in the middle of a frame', async () => {
  const marker = `33${Math.floor(Math.random() * 1e6)}`;
  const lost = run(['sleep', marker]).catch((error: unknown) => error);
  await init.health(5000);
  socket.write(encodeFrame({ type: 4, stream: 7, payload: Buffer.alloc(1000) }).subarray(0, 500));
  const next = guest.connection();
  socket.end();
  expect(await lost).toMatchObject({ code: 'guest_unreachable' });
  socket = await next;
  init = openInitChannel(socket, systemClock);
  await expect.poll(async () => (await run(['pgrep', '-f', `^sleep ${marker}`])).exitCode).toBe(1);
});

test('a host that reads nothing stalls the output and loses none of it', async () => {
  await init.health(5000);
  const running = run(['head', '-c', '3000000', '/dev/zero'], { outputMaxBytes: 3_000_000 });
  socket.pause();
  setTimeout(() => socket.resume(), 700);
  expect((await running).stdout).toHaveLength(3_000_000);
});

test('sixty commands that write at once to a host that reads late lose nothing', async () => {
  await init.health(5000);
  const argv = ['sh', '-c', 'head -c 150000 /dev/zero & head -c 150000 /dev/zero >&2; wait'];
  const running = Array.from({ length: 60 }, () => run(argv, { timeoutMs: 20_000 }));
  socket.pause();
  setTimeout(() => socket.resume(), 700);
  for (const result of await Promise.all(running)) {
    expect([result.stdout.length, result.stderr.length, result.truncated]).toEqual([150_000, 150_000, false]);
  }
}, 30_000);

test('commands of a program that restarted fail at once', async () => {
  const running = run(['sleep', '30']).catch((error: unknown) => error);
  await init.health(5000);
  const next = guest.connection();
  await guest.restart();
  expect(await running).toMatchObject({ code: 'guest_unreachable' });
  init.close();
  socket = await next;
  init = openInitChannel(socket, systemClock);
  expect((await init.health(5000)).protocol).toBe(1);
});

test('a socket of the guest is reached, both ways, with more than any window holds, and its end is told', async () => {
  const path = join(guest.root, 'echo.sock');
  const server = createServer({ allowHalfOpen: true }, (peer) => peer.pipe(peer)).listen(path);
  const link = await init.connect(path, 5000);
  const sent = Buffer.alloc(700_000, 'abc\0é');
  const parts: Buffer[] = [];
  link.on('data', (part: Buffer) => parts.push(part));
  const ended = new Promise((resolve) => link.once('close', resolve));
  link.end(sent);
  await ended;
  expect(Buffer.compare(Buffer.concat(parts), sent)).toBe(0);
  await expect(init.connect(join(guest.root, 'nothing.sock'), 5000)).rejects.toThrow('No such file');
  server.close();
});

test('what a socket sent before it ended is there to be read late, and a dead stream is known as one', async () => {
  const path = join(guest.root, 'farewell.sock');
  const server = createServer((peer) => peer.end(Buffer.alloc(100_000, 'x'))).listen(path);
  const link = await init.connect(path, 5000);
  await expect.poll(() => link.readableLength).toBe(100_000);
  let read = 0;
  for await (const part of link) read += (part as Buffer).length;
  expect(read).toBe(100_000);
  await expect(new ByteReader(link).read(1)).rejects.toThrow('closed');
  server.close();
});

test('a link that its host gives up is closed in the guest, and one whose channel breaks fails', async () => {
  const path = join(guest.root, 'open.sock');
  const peers: Socket[] = [];
  const server = createServer((peer) => peers.push(peer.on('error', () => {}))).listen(path);
  const links = await Promise.all(Array.from({ length: 16 }, () => init.connect(path, 5000)));
  await expect(init.connect(path, 5000)).rejects.toThrow('too many');
  links[0]!.destroy();
  await expect
    .poll(() =>
      init.connect(path, 5000).then(
        () => 'open',
        () => 'refused',
      ),
    )
    .toBe('open');
  const broken = new Promise((resolve) => links[1]!.once('error', resolve));
  init.close();
  expect(await broken).toMatchObject({ code: 'guest_unreachable' });
  server.close();
});

const identity = {
  owner: 'asg_1',
  boot: 2,
  version: 0,
  hostName: 'desk-a',
  machineId: '0123456789abcdef0123456789abcdef',
  mac: '52:54:00:01:02:03',
  sshHostKey: 'KEY',
  sshAuthorizedKey: 'ssh-ed25519 AAAA x',
  clockMs: 1_700_000_000_000,
  entropy: Buffer.alloc(64, 3).toString('base64'),
  timeZone: 'Europe/Paris',
  config: '{"secret":"x"}',
};

test('identify writes every file with its mode, is told by health, and may be repeated', async () => {
  await init.identify(identity, 5000);
  await init.identify({ ...identity, boot: 3, hostName: 'desk-b' }, 5000);
  const file = (path: string) => readFileSync(join(guest.root, path), 'utf8');
  expect(file('run/lebureau/hostname')).toBe('desk-b\n');
  expect(file('run/lebureau/machine-id')).toBe(`${identity.machineId}\n`);
  expect(file('run/lebureau/ssh_host_ed25519_key')).toBe('KEY\n');
  expect(file('run/lebureau/authorized_keys')).toBe('ssh-ed25519 AAAA x\n');
  expect(file('etc/timezone')).toBe('Europe/Paris\n');
  expect(statSync(join(guest.root, 'run/lebureau/config.json')).mode & 0o777).toBe(0o600);
  expect(statSync(join(guest.root, 'run/lebureau/ssh_host_ed25519_key')).mode & 0o777).toBe(0o600);
  expect((await init.health(5000)).identity).toBe('asg_1:3:0');
  await init.forget(5000);
  expect((await init.health(5000)).identity).toBeUndefined();
});

test('an identity that cannot be carried out is refused and not taken on', async () => {
  await expect(init.identify({ ...identity, timeZone: '../../etc/passwd' }, 5000)).rejects.toThrow('time zone');
  expect((await init.health(5000)).identity).toBeUndefined();
});

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

test('over standard input and output it does the same, knows the same, and ends with its host', async () => {
  await init.identify({ ...identity, owner: 'asg_stdio' }, 5000);
  const { stream, ended } = guest.overStdio();
  const other = openInitChannel(stream, systemClock);
  expect((await other.health(5000)).identity).toBe('asg_stdio:2:0');
  const stdin = new Uint8Array(3_000_000).map((_, i) => i % 251);
  const result = await other.exec({
    ...{ argv: ['cat'], user, cwd: '/', stdin },
    ...{ timeoutMs: 10_000, outputMaxBytes: 4_000_000 },
  });
  expect(Buffer.from(result.stdout).equals(Buffer.from(stdin))).toBe(true);
  other.close();
  await ended;
});
