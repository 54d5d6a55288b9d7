import { loadavg } from 'node:os';
import type { Socket } from 'node:net';
import { type Figure, figure, quantile, summary } from '../bench/figure.ts';
import { residentMiB } from '../bench/processes.ts';
import { desktopsCount, type StreamBench } from './streamBench.ts';
import { rateOf } from './streamEnds.ts';
import { offsets, type StreamGuests } from './streamGuests.ts';
import { direct, hostdAlone, masked, nginxAndHostd, openWay, ours, theirs, type Way } from './streamWays.ts';

const secondsEach = 2;

const rate = async (way: Way, word: 'read' | 'write', { countPort }: StreamGuests) => {
  const begin = await way.begin(word === 'read' ? 'source' : 'sink');
  return rateOf(word, { ...begin, seconds: secondsEach, countPort });
};

/** So many times in turn, so that what else the machine does befalls all alike. */
const rounds = 5;

type Readings = Record<string, number[]>;

/** The relay, down and up, beside websockify and nginx in front of the same servers: hostd's hop by itself, and all of ours. */
export async function throughputFigures(bench: StreamBench): Promise<Figure[]> {
  const [websockify, nginx] = [await theirs(bench), nginxAndHostd(bench)];
  const ways = {
    hostd: hostdAlone(String(bench.nodePort)),
    hostdUnix: hostdAlone(bench.socket),
    api: ours(bench),
    gateway: ours(bench, 'gateway'),
    ...(websockify ? { websockify } : {}),
    ...(nginx ? { nginx } : {}),
  };
  const readings: Readings = {};
  const loads: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const all = Object.entries(ways);
      // Nobody is always the one after the same other.
      for (const [name, way] of [...all.slice(round), ...all.slice(0, round)]) {
        (readings[`${name} down`] ??= []).push(await rate(way, 'read', bench.guests));
        (readings[`${name} up`] ??= []).push(await rate(way, 'write', bench.guests));
      }
      loads.push(Math.round(loadavg()[0]! * 10) / 10);
    }
  } finally {
    websockify?.close();
    nginx?.close();
  }
  return (['down', 'up'] as const).flatMap((way) => [
    beside(readings, loads, { way, of: 'hostd', reference: 'websockify', reach: 1.1 }),
    beside(readings, loads, { way, of: 'hostdUnix', reference: 'websockify', reach: 0 }),
    beside(readings, loads, { way, of: 'api', reference: 'nginx', reach: 0 }),
    beside(readings, loads, { way, of: 'api', reference: 'websockify', reach: 0 }),
    beside(readings, loads, { way, of: 'gateway', reference: 'websockify', reach: 0 }),
  ]);
}

const named = {
  hostd: 'hostd (one hop, TCP)',
  hostdUnix: 'hostd (one hop, its Unix socket)',
  api: 'API and hostd (two hops)',
  gateway: 'gateway, API and hostd (three hops)',
  websockify: 'websockify (one hop, TCP)',
  nginx: 'nginx and hostd (two hops)',
} as const;

interface Comparison {
  way: 'down' | 'up';
  of: keyof typeof named;
  reference: keyof typeof named;
  /** 0: reported, without a figure to reach. */
  reach: number;
}

function beside(readings: Readings, loads: readonly number[], { way, of, reference, reach }: Comparison): Figure {
  const [rate, other] = [readings[`${of} ${way}`]!, readings[`${reference} ${way}`]];
  const detail = { [of]: rate.map(Math.round), [reference]: other?.map(Math.round), unit: 'MiB/s', loads };
  const value = quantile(rate, 0.5);
  if (other === undefined)
    return figure(`stream ${way}, ${named[of]}; ${reference} is not installed`, 'MiB/s', {
      value,
      at: '>=',
      reach: 0,
      detail,
    });
  return figure(`stream ${way}, ${named[of]} beside ${named[reference]}`, 'ratio', {
    value: value / quantile(other, 0.5),
    at: '>=',
    reach,
    detail,
  });
}

const keyDown = Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]);

/** From a key to the bell that answers it, after an RFB handshake. */
async function bells(way: Way, leaseToken: string | undefined): Promise<number[]> {
  const socket = await openWay(way, 'display');
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
    const [plain, mine] = [await bells(direct(bench), undefined), await bells(ours(bench, 'gateway'), leaseToken)];
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

const residentOf = ({ api, node, gateway }: StreamBench) => ({
  gateway: residentMiB(gateway.child.pid!),
  api: residentMiB(api.pid),
  hostd: residentMiB(node.pid!),
});
const sum = ({ gateway, api, hostd }: ReturnType<typeof residentOf>) => gateway + api + hostd;

/** Memory of all processes while viewers take nothing of what an endless source gives. */
export async function stallFigures(bench: StreamBench): Promise<Figure[]> {
  const way = ours(bench, 'gateway');
  for (let round = 0; round < 2; round++) await rate(way, 'read', bench.guests);
  await Bun.sleep(1000);
  const before = residentOf(bench);
  const sockets = await Promise.all(Array.from({ length: 4 }, () => openWay(way, 'source')));
  let most = before;
  for (let at = 0; at < 50; at++) {
    await Bun.sleep(100);
    const now = residentOf(bench);
    if (sum(now) > sum(most)) most = now;
  }
  for (const socket of sockets) socket.destroy();
  const value = (sum(most) - sum(before)) / sockets.length;
  return [
    figure('memory of a viewer that stalls, gateway, API and hostd together, of 4', 'MiB', {
      value,
      at: '<=',
      reach: 16,
      detail: { before, most },
    }),
  ];
}

const idleCount = 500;

/** Memory of all processes for streams that are open and say nothing. */
export async function idleFigures(bench: StreamBench): Promise<Figure[]> {
  const way = ours(bench, 'gateway');
  const opened: Socket[] = [];
  const open = async (count: number) => {
    for (let at = 0; at < count; at += 20)
      opened.push(...(await Promise.all(Array.from({ length: Math.min(20, count - at) }, () => openWay(way, 'echo')))));
  };
  await open(100);
  // What making tickets leaves behind is no part of what an open stream costs.
  const wish = { body: { kind: 'port', port: offsets.echo } };
  for (let at = 0; at < idleCount; at++)
    await bench.api.ask('POST', `/v1/desktops/${bench.desktopIds[at % desktopsCount]}/streams`, wish);
  await Bun.sleep(3000);
  const before = residentOf(bench);
  await open(idleCount - 100);
  // The streams are idle: what opening them left behind is collected within that time, and is no part of what they cost.
  await Bun.sleep(20_000);
  const after = residentOf(bench);
  const alive = opened.filter((socket) => !socket.destroyed).length;
  for (const socket of opened) socket.destroy();
  const value = ((sum(after) - sum(before)) * 1024) / (idleCount - 100);
  return [
    figure('open at once', 'streams', { value: alive, at: '>=', reach: idleCount }),
    figure('memory of an idle stream, gateway, API and hostd together, of 400', 'KiB', {
      value,
      at: '<=',
      reach: 32,
      detail: { before, after },
    }),
  ];
}
