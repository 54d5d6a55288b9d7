import { mkdtempSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import ssh2 from 'ssh2';
import { expect, onTestFinished, test } from 'vitest';
import { SshConnection } from '../guest/ssh/connection.ts';
import { openTerminal } from './openTerminal.ts';
import { Recordings } from './recordings.ts';

const assignmentId = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const keyOf = () => ssh2.utils.generateKeyPairSync('ed25519');

/** A guest's SSH server that tells which sizes it heard. */
async function sshServer() {
  const host = keyOf();
  const sizes: string[] = [];
  const server = new ssh2.Server({ hostKeys: [host.private] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (asked) => asked.accept());
    client.on('session', (accept) => {
      const session = accept();
      session.on('pty', (take) => take());
      session.on('window-change', (_take, _refuse, { cols, rows }) => void sizes.push(`${cols}x${rows}`));
      session.on('exec', (take) => void take().write('shown'));
    });
  });
  const listener = createServer((socket) => server.injectSocket(socket));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  return { port, sizes, hostKey: host.public };
}

/** The same stream, but nothing written to it goes on while `gate` is shut. */
function gated(stream: Duplex, gate: { open: Promise<void> }): Duplex {
  const outer = new Duplex({
    read: () => stream.resume(),
    write: (piece: Buffer, _encoding, done) =>
      void gate.open.then(() => (stream.write(piece) ? done() : stream.once('drain', () => done()))),
    destroy: (error, done) => {
      stream.destroy();
      done(error);
    },
  });
  stream.on('data', (piece) => outer.push(piece) || stream.pause());
  stream.on('close', () => outer.destroy()).on('error', () => outer.destroy());
  return outer;
}

test('thousands of sizes for a guest that takes nothing take no memory, and the last of them counts', async () => {
  const { port, sizes, hostKey } = await sshServer();
  const gate = { open: Promise.resolve() };
  let sock: Duplex | undefined;
  const ssh = new SshConnection({
    openStream: () => Promise.resolve((sock = gated(connect(port, '127.0.0.1'), gate))),
    username: 'agent',
    privateKey: keyOf().private,
    hostKey,
    clock: systemClock,
    log: silentLog,
  });
  onTestFinished(() => ssh.close());
  const home = mkdtempSync(join(tmpdir(), 'lb-terminal-'));
  const recordings = new Recordings(home, systemClock);
  const guest = { terminals: () => Promise.resolve(ssh), parts: { clock: systemClock, log: silentLog } };
  const wish = { assignmentId, name: 'main', columns: 80, rows: 24, record: true, recordings };
  const terminal = await openTerminal(guest as never, wish);
  let shown = '';
  const nothing = () => {};
  const bytes = (piece: Uint8Array) => void (shown += Buffer.from(piece).toString());
  terminal.listen({ bytes, text: nothing, drained: nothing, closed: nothing });
  await expect.poll(() => shown).toBe('shown');
  const shut = Promise.withResolvers<void>();
  gate.open = shut.promise;
  const resize = (columns: number, rows: number) =>
    terminal.sendText(JSON.stringify({ type: 'resize', columns, rows }));
  for (let round = 0; round < 10; round++) {
    for (let at = 0; at < 1000; at++) resize(100 + (at % 50), 20 + (at % 30));
    await Bun.sleep(30);
    expect(sock!.writableLength).toBeLessThan(1000);
  }
  resize(123, 45);
  shut.resolve();
  await expect.poll(() => sizes.at(-1)).toBe('123x45');
  expect(sizes.length).toBeLessThan(10);
  terminal.close(1000, 'done');
  const cast = readFileSync(join(home, 'recordings', assignmentId, 'main.cast'), 'utf8');
  const recorded = cast.split('\n').filter((line) => line.includes(',"r",'));
  expect(recorded.map((line) => (JSON.parse(line) as unknown[])[2])).toEqual(sizes);
});
