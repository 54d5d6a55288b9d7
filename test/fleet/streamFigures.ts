import { loadavg } from 'node:os';
import type { Socket } from 'node:net';
import { type Figure, figure, quantile, summary } from '../bench/figure.ts';
import { residentMiB } from '../bench/processes.ts';
import { desktopsCount, type StreamBench } from './streamBench.ts';
import { offsets, type StreamGuests } from './streamGuests.ts';
import { direct, hostdAlone, masked, ours, theirs, type Way } from './streamWays.ts';

const secondsEach = 2;
const MiB = 1_048_576;

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

/** So many times in turn, so that what else the machine does befalls all alike. */
const rounds = 5;

/** The relay, down and up, beside websockify in front of the same servers: hostd's hop by itself, and both of ours. */
export async function throughputFigures(bench: StreamBench): Promise<Figure[]> {
  const other = await theirs(bench);
  const ways = { hostd: hostdAlone(bench), both: ours(bench), ...(other ? { websockify: other } : {}) };
  const readings: Record<string, number[]> = {};
  const loads: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [name, way] of Object.entries(ways)) {
        (readings[`${name} down`] ??= []).push(await down(way));
        (readings[`${name} up`] ??= []).push(await up(way, bench.guests));
      }
      loads.push(loadavg()[0]!);
    }
  } finally {
    other?.close();
  }
  const beside = (way: 'down' | 'up', of: 'hostd' | 'both', { what, reach }: { what: string; reach: number }) => {
    const [rate, reference] = [readings[`${of} ${way}`]!, readings[`websockify ${way}`] ?? []];
    const rounded = { ours: rate.map(Math.round), websockify: reference.map(Math.round), unit: 'MiB/s' };
    const detail = { ...rounded, loads: loads.map((load) => Math.round(load * 10) / 10) };
    const value = quantile(rate, 0.5);
    if (reference.length === 0)
      return figure(`${what}: websockify is not installed`, 'MiB/s', { value, at: '>=', reach: 0, detail });
    return figure(what, 'ratio', { value: value / quantile(reference, 0.5), at: '>=', reach, detail });
  };
  return (['down', 'up'] as const).flatMap((way) => [
    beside(way, 'hostd', { what: `stream ${way}, hostd's relay beside websockify, one hop each`, reach: 1.1 }),
    beside(way, 'both', { what: `stream ${way}, API and hostd (two hops) beside websockify (one hop)`, reach: 1 }),
  ]);
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
