import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiProcess } from '../../api/testing/apiProcess.ts';
import { type Figure, figure, quantile, summary } from '../bench/figure.ts';
import { residentMiB } from '../bench/processes.ts';
import { type NodeDouble, startNodeDouble } from '../doubles/node.ts';
import { freePort } from '../freePort.ts';
import { offsets, openStreamGuests, type StreamGuests } from './streamGuests.ts';

/** The API and hostd's half of streams as processes of their own, and websockify in front of the same servers. */
export interface StreamBench {
  api: ApiProcess;
  node: ChildProcess;
  orders: NodeDouble;
  guests: StreamGuests;
  desktopIds: string[];
  close(): Promise<void>;
}

const desktopsCount = 8;
const secondsEach = 3;
const MiB = 1_048_576;

export async function openStreamBench(program: string): Promise<StreamBench> {
  const api = new ApiProcess({ LEBUREAU_LOG_LEVEL: 'warn', LEBUREAU_POOL_MEMBERS_MAX: '0' });
  await api.start();
  const guests = await openStreamGuests();
  const folder = mkdtempSync(join(tmpdir(), 'lb-streams-'));
  const socket = join(folder, 'node.sock');
  const args = [program, '--node', socket, String(guests.base), String(guests.display)];
  const node = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const orders = await startNodeDouble({
    apiSocket: join(api.home, 'run', 'api-node.sock'),
    guestSocket: join(folder, 'unused.sock'),
    hello: { guestAddress: `unix:${socket}` },
  });
  for (let tries = 0; !existsSync(socket) && tries < 200; tries++) await Bun.sleep(50);
  const desktopIds: string[] = [];
  for (let count = 0; count < desktopsCount; count++) {
    const made = (await (await api.ask('POST', '/v1/desktops', { body: { network: 'none' } })).json()) as {
      id: string;
    };
    await api.ask('GET', `/v1/desktops/${made.id}?waitFor=ready&timeoutSeconds=20`);
    desktopIds.push(made.id);
  }
  return {
    api,
    node,
    orders,
    guests,
    desktopIds,
    async close() {
      await orders.stop();
      node.kill('SIGKILL');
      guests.close();
      await api.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What stands between the client and a server: nothing, websockify, or we. */
interface Way {
  open(target: 'source' | 'sink' | 'echo' | 'display'): Promise<Socket>;
  /** Whether bytes travel in frames. */
  framed: boolean;
  close(): void;
}

function direct({ guests }: StreamBench): Way {
  const open: Way['open'] = (target) => dial(portOf(guests, target));
  return { open, framed: false, close: () => {} };
}

function ours(bench: StreamBench): Way {
  let count = 0;
  return {
    framed: true,
    open: async (target) => {
      const id = bench.desktopIds[count++ % bench.desktopIds.length]!;
      const wish = target === 'display' ? { kind: 'vnc', mode: 'control' } : { kind: 'port', port: offsets[target] };
      const answer = await bench.api.ask('POST', `/v1/desktops/${id}/streams`, { body: wish });
      const { path, ticket } = (await answer.json()) as { path: string; ticket: string };
      return upgrade(Number(new URL(bench.api.url).port), `${path}?ticket=${ticket}`);
    },
    close: () => {},
  };
}

/** One websockify for each target. */
async function theirs({ guests }: StreamBench): Promise<Way | undefined> {
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
      const socket = await dial(port).catch(() => undefined);
      socket?.destroy();
      if (socket) break;
      await Bun.sleep(50);
    }
  }
  return {
    framed: true,
    open: (target) => upgrade(ports[target]!, '/'),
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

function portOf({ base, display }: StreamGuests, target: 'source' | 'sink' | 'echo' | 'display'): number {
  return target === 'display' ? display : base + offsets[target];
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** A WebSocket, whose frames are left to whoever reads. */
async function upgrade(port: number, path: string): Promise<Socket> {
  const socket = await dial(port);
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: binary',
  ].slice(0, path === '/' ? 7 : 6);
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

function masked(payload: Buffer): Buffer {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 14 : 6);
  head[0] = 0x82;
  head[1] = 0x80 | (long ? 127 : payload.length);
  if (long) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

async function down(way: Way): Promise<number> {
  const socket = await way.open('source');
  let got = 0;
  socket.on('data', (bytes: Buffer) => (got += bytes.length));
  socket.resume();
  await Bun.sleep(300);
  const before = got;
  const beganMs = performance.now();
  await Bun.sleep(secondsEach * 1000);
  const rate = (got - before) / MiB / ((performance.now() - beganMs) / 1000);
  socket.destroy();
  return rate;
}

async function up(way: Way, guests: StreamGuests): Promise<number> {
  const socket = await way.open('sink');
  const frame = way.framed ? masked(Buffer.alloc(65_536, 7)) : Buffer.alloc(65_536, 7);
  const pump = () => {
    while (socket.write(frame));
  };
  socket.on('drain', pump);
  pump();
  await Bun.sleep(300);
  const before = guests.sunkBytes();
  const beganMs = performance.now();
  await Bun.sleep(secondsEach * 1000);
  const rate = (guests.sunkBytes() - before) / MiB / ((performance.now() - beganMs) / 1000);
  socket.destroy();
  return rate;
}

/** The relay, down and up, beside websockify in front of the same servers. */
export async function throughputFigures(bench: StreamBench): Promise<Figure[]> {
  const other = await theirs(bench);
  const mine = ours(bench);
  try {
    const readings: Record<string, number[]> = {};
    for (let round = 0; round < 3; round++) {
      for (const [name, way] of [
        ['ours', mine],
        ['websockify', other],
      ] as const) {
        if (way === undefined) continue;
        (readings[`${name} down`] ??= []).push(await down(way));
        (readings[`${name} up`] ??= []).push(await up(way, bench.guests));
      }
    }
    return (['down', 'up'] as const).map((way) => {
      const [rate, reference] = [readings[`ours ${way}`]!, readings[`websockify ${way}`] ?? []];
      const detail = { ours: rate.map(Math.round), websockify: reference.map(Math.round), unit: 'MiB/s' };
      const what = `stream ${way}, viewer ↔ API ↔ hostd ↔ port, beside websockify (one hop)`;
      if (reference.length === 0)
        return figure(`${what}: websockify is not installed`, 'MiB/s', {
          value: quantile(rate, 0.5),
          at: '>=',
          reach: 0,
          detail,
        });
      return figure(what, 'ratio', {
        value: quantile(rate, 0.5) / quantile(reference, 0.5),
        at: '>=',
        reach: 1,
        detail,
      });
    });
  } finally {
    other?.close();
  }
}

const keyDown = Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]);

/** From a key to the bell that answers it, after an RFB handshake. */
async function bells(way: Way, leaseToken: string | undefined): Promise<number[]> {
  const socket = await way.open('display');
  const send = (bytes: Buffer) => socket.write(way.framed ? masked(bytes) : bytes);
  const next = () => new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.resume();
  for (const bytes of ['RFB 003.008\n', '\x01', '\x01'].map((text) => Buffer.from(text, 'latin1'))) {
    send(bytes);
    await Bun.sleep(50);
  }
  if (leaseToken !== undefined) {
    const text = masked(Buffer.from(JSON.stringify({ type: 'control', leaseToken })));
    text[0] = 0x81;
    socket.write(text);
  }
  await Bun.sleep(200);
  const readings: number[] = [];
  for (let round = 0; round < 550; round++) {
    const answered = next();
    const beganMs = performance.now();
    send(keyDown);
    await answered;
    if (round >= 50) readings.push(performance.now() - beganMs);
  }
  socket.destroy();
  return readings;
}

/** What the way to a screen adds to a key press. */
export async function latencyFigures(bench: StreamBench): Promise<Figure[]> {
  const other = await theirs(bench);
  try {
    const answer = await bench.api.ask('POST', `/v1/desktops/${bench.desktopIds[0]}/control`, {
      body: { kind: 'human' },
    });
    const { leaseToken } = (await answer.json()) as { leaseToken: string };
    const [plain, mine] = [await bells(direct(bench), undefined), await bells(ours(bench), leaseToken)];
    const reference = other && (await bells(other, undefined));
    const added = quantile(mine, 0.5) - quantile(plain, 0.5);
    const detail = {
      direct: summary(plain),
      ours: summary(mine),
      ...(reference ? { websockify: summary(reference) } : {}),
    };
    return [
      figure('key press to its answer on a screen: added to a direct connection, p50', 'ms', {
        value: added,
        at: '<=',
        reach: 5,
        detail,
      }),
    ];
  } finally {
    other?.close();
  }
}

const residentOf = (bench: StreamBench) => ({ api: residentMiB(bench.api.pid), hostd: residentMiB(bench.node.pid!) });
const sum = ({ api, hostd }: { api: number; hostd: number }) => api + hostd;

/** Memory of both processes while viewers take nothing of what an endless source gives. */
export async function stallFigures(bench: StreamBench): Promise<Figure[]> {
  const way = ours(bench);
  for (let round = 0; round < 2; round++) await down(way);
  await Bun.sleep(1000);
  const before = residentOf(bench);
  const sockets = await Promise.all(Array.from({ length: 4 }, () => way.open('source')));
  let most = before;
  for (let at = 0; at < 50; at++) {
    await Bun.sleep(100);
    const now = residentOf(bench);
    if (sum(now) > sum(most)) most = now;
  }
  for (const socket of sockets) socket.destroy();
  const value = (sum(most) - sum(before)) / sockets.length;
  return [
    figure('memory of a viewer that stalls, API and hostd together, of 4', 'MiB', {
      value,
      at: '<=',
      reach: 16,
      detail: { before, most },
    }),
  ];
}

const idleCount = 500;

/** Memory of both processes for streams that are open and say nothing. */
export async function idleFigures(bench: StreamBench): Promise<Figure[]> {
  const way = ours(bench);
  const opened: Socket[] = [];
  const open = async (count: number) => {
    for (let at = 0; at < count; at += 20)
      opened.push(...(await Promise.all(Array.from({ length: Math.min(20, count - at) }, () => way.open('echo')))));
  };
  await open(100);
  // What making tickets leaves behind is no part of what an open stream costs.
  const wish = { body: { kind: 'port', port: offsets.echo } };
  for (let at = 0; at < idleCount; at++)
    await bench.api.ask('POST', `/v1/desktops/${bench.desktopIds[at % desktopsCount]}/streams`, wish);
  await Bun.sleep(3000);
  const before = residentOf(bench);
  await open(idleCount - 100);
  await Bun.sleep(5000);
  const after = residentOf(bench);
  const alive = opened.filter((socket) => !socket.destroyed).length;
  for (const socket of opened) socket.destroy();
  const value = ((sum(after) - sum(before)) * 1024) / (idleCount - 100);
  return [
    figure('open at once', 'streams', { value: alive, at: '>=', reach: idleCount }),
    figure('memory of an idle stream, API and hostd together, of 400', 'KiB', {
      value,
      at: '<=',
      reach: 32,
      detail: { before, after },
    }),
  ];
}
