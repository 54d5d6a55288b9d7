import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { freePort } from '../freePort.ts';
import { nginxInFront } from './nginxInFront.ts';
import type { StreamBench } from './streamBench.ts';
import { offsets, type StreamGuests } from './streamGuests.ts';

type Target = 'source' | 'sink' | 'echo' | 'display';

/** What stands between the client and a server: nothing, websockify, hostd alone, nginx and hostd, API and hostd, or all of ours. */
export interface Way {
  /** Where it begins and what to say there; good for one connection. */
  begin(target: Target): Promise<Begin>;
  /** Whether bytes travel in frames. */
  framed: boolean;
  close(): void;
}

export interface Begin {
  /** A port of this machine, or the path of a Unix socket. */
  to: string;
  /** The handshake; empty where bytes travel without frames. */
  request: string;
}

export function direct({ guests }: StreamBench): Way {
  return {
    begin: (target) => Promise.resolve({ to: String(portOf(guests, target)), request: '' }),
    framed: false,
    close: () => {},
  };
}

/** A connection of this process, past the handshake. */
export async function openWay(way: Way, target: Target): Promise<Socket> {
  const { to, request } = await way.begin(target);
  const socket = await dial(to.startsWith('/') ? { path: to } : { port: Number(to), host: '127.0.0.1' });
  return request === '' ? socket : upgraded(socket, request);
}

/** By a ticket, at the API itself as a program comes, or through the gateway as a browser does. */
export function ours(bench: StreamBench, door: 'api' | 'gateway' = 'api'): Way {
  let count = 0;
  const { api, gateway, desktopIds } = bench;
  const port = door === 'api' ? Number(new URL(api.url).port) : gateway.port;
  return {
    framed: true,
    begin: async (target) => {
      const id = desktopIds[count++ % desktopIds.length]!;
      const wish = target === 'display' ? { kind: 'vnc', mode: 'control' } : { kind: 'port', port: offsets[target] };
      const answer = await api.ask('POST', `/v1/desktops/${id}/streams`, { body: wish });
      const { path, ticket } = (await answer.json()) as { path: string; ticket: string };
      return { to: String(port), request: handshake(`${path}?ticket=${ticket}`, { host: `localhost:${port}` }) };
    },
    close: () => {},
  };
}

/** @param to its port, or the Unix socket on which the API dials it */
export function hostdAlone(to: string): Way {
  const assignmentId = `asg_${'0'.repeat(26)}`;
  return {
    framed: true,
    begin: (target) => {
      const kind = target === 'display' ? 'vnc?mode=control' : `port?port=${offsets[target]}`;
      return Promise.resolve({ to, request: handshake(`/guest/${assignmentId}/streams/${kind}`) });
    },
    close: () => {},
  };
}

export function nginxAndHostd({ socket }: StreamBench): Way | undefined {
  const nginx = nginxInFront(socket);
  return nginx && { ...hostdAlone(nginx.socket), close: nginx.close };
}

/** One websockify for each target. */
export async function theirs({ guests }: StreamBench): Promise<Way | undefined> {
  if (spawnSync('which', ['websockify']).status !== 0) return undefined;
  const children: ChildProcess[] = [];
  const ports: Record<string, number> = {};
  for (const target of ['source', 'sink', 'echo', 'display'] as const) {
    ports[target] = await freePort();
    const args = [`127.0.0.1:${ports[target]}`, `127.0.0.1:${portOf(guests, target)}`];
    children.push(spawn('websockify', args, { stdio: 'ignore' }));
  }
  for (const port of Object.values(ports)) {
    for (let tries = 0; tries < 100; tries++) {
      const socket = await dial({ port, host: '127.0.0.1' }).catch(() => undefined);
      socket?.destroy();
      if (socket) break;
      await Bun.sleep(50);
    }
  }
  return {
    framed: true,
    begin: (target) => Promise.resolve({ to: String(ports[target]), request: handshake('/', { protocol: 'binary' }) }),
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

function portOf({ base, display }: StreamGuests, target: Target): number {
  return target === 'display' ? display : base + offsets[target];
}

function dial(to: NetConnectOpts): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    socket.setNoDelay(true);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

function handshake(path: string, { host = '127.0.0.1', protocol }: { host?: string; protocol?: string } = {}): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A WebSocket, whose frames are left to whoever reads. */
function upgraded(socket: Socket, request: string): Promise<Socket> {
  socket.write(request);
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the socket was refused')));
    socket.once('data', (bytes: Buffer) => {
      const end = bytes.indexOf('\r\n\r\n');
      if (!bytes.toString('latin1').startsWith('HTTP/1.1 101')) return reject(new Error(bytes.toString('latin1')));
      socket.pause();
      const rest = bytes.subarray(end + 4);
      if (rest.length > 0) socket.unshift(rest);
      resolve(socket);
    });
  });
}

export function masked(payload: Buffer): Buffer {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 14 : 6);
  head[0] = 0x82;
  head[1] = 0x80 | (long ? 127 : payload.length);
  if (long) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}
