import { createServer, type Server, type Socket } from 'node:net';
import { serveEnds } from './streamEnds.ts';

/** TCP servers that stand for guests, on ports one after the other. */
export interface StreamGuests {
  /** `base + offsets.x` is the port of each. */
  base: number;
  /** Of a small RFB server that answers each key with a bell. */
  display: number;
  /** Says how much the sink got. */
  countPort: number;
  close(): void;
}

/** The source pours and the sink drops: both in a process of their own, so that a relay is measured and not this one. */
export const offsets = { source: 1, sink: 2, echo: 3 } as const;
const displayOffset = 4;
const countOffset = 5;

export async function openStreamGuests(): Promise<StreamGuests> {
  for (let tries = 0; tries < 50; tries++) {
    const base = 20_000 + Math.floor(Math.random() * 20_000);
    const servers = [
      createServer((socket) => quiet(socket).on('data', (bytes: Buffer) => socket.write(bytes))),
      createServer((socket) => ring(quiet(socket))),
    ];
    const listening = await Promise.all(servers.map((server, at) => listens(server, base + offsets.echo + at)));
    const ports = { source: base + offsets.source, sink: base + offsets.sink, count: base + countOffset };
    const ends = listening.every(Boolean) ? await serveEnds(ports) : undefined;
    const close = () => {
      ends?.close();
      for (const server of servers) server.close();
    };
    if (ends !== undefined) return { base, display: base + displayOffset, countPort: ends.countPort, close };
    close();
  }
  throw new Error('no four free ports in a row');
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
}

function quiet(socket: Socket): Socket {
  socket.setNoDelay(true);
  return socket.on('error', () => socket.destroy());
}

/** An RFB server without a picture: it answers each key event with a bell. */
function ring(socket: Socket): void {
  let heard = Buffer.alloc(0);
  let stage = 0;
  socket.write('RFB 003.008\n');
  socket.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
    for (;;) {
      const wanted = [12, 1, 1, 8][stage]!;
      if (heard.length < wanted) return;
      heard = heard.subarray(wanted);
      if (stage === 0) socket.write(Buffer.from([1, 1]));
      if (stage === 1) socket.write(Buffer.alloc(4));
      if (stage === 2) socket.write(Buffer.concat([Buffer.from([5, 0, 3, 32]), Buffer.alloc(20)]));
      if (stage === 3) socket.write(Buffer.from([2]));
      stage = Math.min(3, stage + 1);
    }
  });
}
