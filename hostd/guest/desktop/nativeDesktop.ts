import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { Display } from '../display/display.ts';
import { FrameStore } from '../display/frameStore.ts';
import type { InitChannel } from '../init/channel.ts';
import { EyesAndHands } from './eyesAndHands.ts';

const programs = ['Xtigervnc', 'openbox', 'zenity', 'xclip', 'setxkbmap', 'xterm'];

/** For tests: an X desktop of this machine that stands for a guest, with real programs on it and no VM around it. */
export interface NativeDesktop {
  eyesAndHands: EyesAndHands;
  display: Display;
  /** Runs a program on it; what it wrote to stdout once it has ended. */
  run(argv: readonly string[], stdin?: string): Promise<string>;
  /** From now on so much time passes between two requests to its X server, as on a machine that has too much to do. */
  slow(ms: number): void;
  close(): Promise<void>;
}

/** The programs that a native desktop lacks on this machine. */
export function missingPrograms(): string[] {
  const folders = ['/usr/bin', '/usr/local/bin', '/bin'];
  return programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
}

export async function openNativeDesktop(): Promise<NativeDesktop> {
  const folder = mkdtempSync(join(tmpdir(), 'native-desktop-'));
  const number = 100 + (process.pid % 400);
  const x11Path = `/tmp/.X11-unix/X${number}`;
  const rfbPath = join(folder, 'rfb.sock');
  const env = { PATH: '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8', DISPLAY: `:${number}`, NO_AT_BRIDGE: '1' };
  const children: ChildProcess[] = [];
  const start = (argv: readonly string[]) => {
    const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['pipe', 'pipe', 'ignore'] });
    children.push(child);
    return child;
  };
  start([
    'Xtigervnc',
    `:${number}`,
    '-geometry',
    '1280x800',
    '-depth',
    '24',
    '-SecurityTypes',
    'None',
    '-rfbport',
    '-1',
    '-rfbunixpath',
    rfbPath,
  ]);
  await until(() => existsSync(x11Path) && existsSync(rfbPath));
  start(['openbox']);

  const run = async (argv: readonly string[], stdin = '') => {
    const child = start(argv);
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.stdin!.end(stdin);
    // `close` and not `exit`: what it wrote last may come after its end.
    await new Promise((resolve) => child.once('close', resolve));
    return output;
  };
  let slowMs = 0;
  const init = { exec: ({ argv, stdin }) => execAs(run, argv, stdin) } as Partial<InitChannel> as InitChannel;
  const parts = { clock: systemClock, log: silentLog };
  const display = new Display({ open: async () => ({ stream: connect(rfbPath) }), ...parts });
  const eyesAndHands = new EyesAndHands({
    display,
    frames: new FrameStore(systemClock),
    openX11: async () => requestByRequest(connect(x11Path), () => slowMs),
    init: async () => init,
    ...parts,
  });
  await until(async () => (await eyesAndHands.windows().catch(() => undefined)) !== undefined);
  return {
    eyesAndHands,
    display,
    run,
    slow: (ms) => {
      slowMs = ms;
    },
    close: async () => {
      eyesAndHands.close();
      display.close();
      for (const child of children.toReversed()) child.kill();
      await systemClock.sleep(200);
      for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function requestByRequest(socket: Socket, gapMs: () => number): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      void writeSlowly(socket, chunk, gapMs()).then(() => done());
    },
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk) => {
    if (!stream.push(chunk)) socket.pause();
  });
  socket.once('end', () => stream.push(null));
  socket.once('error', (error) => stream.destroy(error));
  return stream;
}

/** `chunk` holds whole requests of X11, each with its length in words of four bytes. */
async function writeSlowly(socket: Socket, chunk: Buffer, gapMs: number): Promise<void> {
  if (gapMs === 0) return void socket.write(chunk);
  for (let at = 0; at < chunk.length;) {
    const end = at + chunk.readUInt16LE(at + 2) * 4;
    socket.write(chunk.subarray(at, end));
    await systemClock.sleep(gapMs);
    at = end;
  }
}

async function execAs(run: NativeDesktop['run'], argv: readonly string[], stdin?: Uint8Array) {
  const stdout = Buffer.from(await run(argv, stdin && Buffer.from(stdin).toString('utf8')));
  return { stdout, stderr: new Uint8Array(), exitCode: 0, timedOut: false, truncated: false };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await systemClock.sleep(50);
  }
  throw new Error('the native desktop did not start');
}
