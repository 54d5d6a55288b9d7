import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { buildInitProgram } from '../initProgram.ts';

/** The real init program, running here against a folder instead of a guest; for tests. */
export interface GuestDouble {
  /** Files of the identity land below it. */
  root: string;
  /** The next connection the program makes; it makes a new one whenever the former has ended. */
  connection(): Promise<Socket>;
  restart(): Promise<void>;
  /** Another run of the program on its standard input and output, as it is started over SSH. */
  overStdio(): { stream: Duplex; ended: Promise<unknown> };
  stop(): Promise<void>;
}

const connectMaxMs = 10_000;

export async function startGuestDouble(): Promise<GuestDouble> {
  const folder = mkdtempSync(join(tmpdir(), 'lb-init-'));
  const root = join(folder, 'root');
  const program = join(folder, 'init');
  const socket = join(folder, 'port');
  mkdirSync(root);
  await buildInitProgram(program, AbortSignal.timeout(60_000));
  const server = createServer();
  server.listen(socket);
  await once(server, 'listening');
  const options = ['--root', root, '--display', join(folder, 'display')];
  const start = () => spawn(program, ['--device', `unix:${socket}`, ...options], { stdio: 'inherit' });
  let child = start();
  return {
    root,
    connection: () => nextConnection(server),
    restart: async () => {
      await end(child);
      child = start();
    },
    overStdio: () => {
      const run = spawn(program, ['--device', 'stdio', ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
      return { stream: Duplex.from({ readable: run.stdout, writable: run.stdin }), ended: once(run, 'close') };
    },
    stop: async () => {
      await end(child);
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function nextConnection(server: Server): Promise<Socket> {
  const [socket] = (await once(server, 'connection', { signal: AbortSignal.timeout(connectMaxMs) })) as [Socket];
  return socket;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}
