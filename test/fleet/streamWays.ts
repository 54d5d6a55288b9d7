import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { freePort } from '../freePort.ts';
import { nginxInFront } from './nginxInFront.ts';
import type { StreamBench } from './streamBench.ts';
import { offsets, type StreamGuests } from './streamGuests.ts';

type Target = 'source' | 'sink' | 'echo' | 'display';

/** What stands between the client and a server: nothing, websockify, hostd alone, nginx and hostd, API and hostd, or all of ours. */
export interface Way {
  open(target: Target): Promise<Socket>;
  /** Whether bytes travel in frames. */
  framed: boolean;
  close(): void;
}

export function direct({ guests }: StreamBench): Way {
  const open: Way['open'] = (target) => dial(tcp(portOf(guests, target)));
  return { open, framed: false, close: () => {} };
}

/** By a ticket, at the API itself as a program comes, or through the gateway as a browser does. */
export function ours(bench: StreamBench, door: 'api' | 'gateway' = 'api'): Way {
  let count = 0;
  const { api, gateway, desktopIds } = bench;
  const port = door === 'api' ? Number(new URL(api.url).port) : gateway.port;
  return {
    framed: true,
    open: async (target) => {
      const id = desktopIds[count++ % desktopIds.length]!;
      const wish = target === 'display' ? { kind: 'vnc', mode: 'control' } : { kind: 'port', port: offsets[target] };
      const answer = await api.ask('POST', `/v1/desktops/${id}/streams`, { body: wish });
      const { path, ticket } = (await answer.json()) as { path: string; ticket: string };
      return upgrade(tcp(port), { path: `${path}?ticket=${ticket}`, host: `localhost:${port}` });
    },
    close: () => {},
  };
}

/** As the API dials it; its Unix socket is the one hop. */
export function hostdAlone({ socket }: Pick<StreamBench, 'socket'>): Way {
  const assignmentId = `asg_${'0'.repeat(26)}`;
  return {
    framed: true,
    open: (target) => {
      const kind = target === 'display' ? 'vnc?mode=control' : `port?port=${offsets[target]}`;
      return upgrade({ path: socket }, { path: `/guest/${assignmentId}/streams/${kind}` });
    },
    close: () => {},
  };
}

export function nginxAndHostd({ socket }: StreamBench): Way | undefined {
  const nginx = nginxInFront(socket);
  return nginx && { ...hostdAlone(nginx), close: nginx.close };
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
      const socket = await dial(tcp(port)).catch(() => undefined);
      socket?.destroy();
      if (socket) break;
      await Bun.sleep(50);
    }
  }
  return {
    framed: true,
    open: (target) => upgrade(tcp(ports[target]!), { path: '/', protocol: 'binary' }),
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

function portOf({ base, display }: StreamGuests, target: Target): number {
  return target === 'display' ? display : base + offsets[target];
}

const tcp = (port: number): NetConnectOpts => ({ port, host: '127.0.0.1' });

function dial(to: NetConnectOpts): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    socket.setNoDelay(true);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** A WebSocket, whose frames are left to whoever reads. */
async function upgrade(
  to: NetConnectOpts,
  { path, host = '127.0.0.1', protocol }: { path: string; host?: string; protocol?: string },
): Promise<Socket> {
  const socket = await dial(to);
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
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
