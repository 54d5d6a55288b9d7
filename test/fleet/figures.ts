import { loadavg } from 'node:os';
import { idBody, newId } from '@lebureau/kit/id';
import type { Assignment } from '../../hostd/orders.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { SimulatedNode } from './simulatedNode.ts';
import { type Figure, figure, quantile, summary } from '../bench/figure.ts';
import { cpuSeconds, descendantsCpuSeconds, residentMiB } from '../bench/processes.ts';

/** Figures of a fleet without machines: hostd's real code on hypervisors in memory, all of them in this process. */

const endLimitMs = 100_000;

export interface Crowd {
  fleet: Fleet;
  nodes: SimulatedNode[];
}

/** @param size.waiting nodes that joined and do not run yet. */
export async function withCrowd(
  size: {
    nodes: number;
    onOrder?: (order: Assignment) => void;
    waiting?: boolean;
    environment?: Record<string, string>;
  },
  measure: (crowd: Crowd) => Promise<Figure[]>,
): Promise<Figure[]> {
  const fleet = await startFleet(size.environment);
  const nodes: SimulatedNode[] = [];
  try {
    for (let at = 0; at < size.nodes; at++) {
      const name = `node-${at}`;
      const apiAddress = fleet.replicas[at % fleet.replicas.length]!.nodeAddress;
      const node = new SimulatedNode({ apiAddress, token: await fleet.newToken(name), name, onOrder: size.onOrder });
      nodes.push(node);
      await node.join();
      if (size.waiting !== true) await node.start();
    }
    if (size.waiting !== true) await untilUp(fleet, size.nodes);
    return await measure({ fleet, nodes });
  } finally {
    await Promise.all(nodes.map((node) => node.remove()));
    await fleet.close();
  }
}

export async function untilUp(fleet: Fleet, wanted: number): Promise<void> {
  const endMs = performance.now() + endLimitMs;
  while (performance.now() < endMs) {
    if ((await listNodes(fleet)).filter((node) => node.status === 'up').length === wanted) return;
    await Bun.sleep(200);
  }
  throw new Error('The nodes did not come up.');
}

interface NodeSeen {
  status: string;
  lastHeardAt: string;
}

const patienceMs = 30_000;

/** Asks again for a while when the service says that it is busy. @throws Error that says what was answered instead of a page */
async function page(fleet: Fleet, path: string): Promise<{ data: unknown[]; nextCursor: string | null }> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const { status, body } = await fleet.ask(0, 'GET', { path });
    if (status === 200) return body as { data: unknown[]; nextCursor: string | null };
    if (status !== 503 || performance.now() > endMs)
      throw new Error(
        `${path} answered ${status}: ${JSON.stringify(body)}\n${fleet.replicas[0]!.process.output.slice(-3000)}`,
      );
    await Bun.sleep(1_000);
  }
}

async function listNodes(fleet: Fleet): Promise<NodeSeen[]> {
  const nodes: NodeSeen[] = [];
  for (let cursor = ''; ;) {
    const body = await page(fleet, `/v1/nodes?limit=100${cursor}`);
    nodes.push(...(body.data as NodeSeen[]));
    if (body.nextCursor === null) return nodes;
    cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
  }
}

/** @param isPatient asks again when the service says that it is busy */
async function create(
  fleet: Fleet,
  at: number,
  isPatient = false,
): Promise<{ id: string; beganMs: number; endedMs: number }> {
  const beganMs = performance.now();
  const { status, body } = await fleet.ask(at % fleet.replicas.length, 'POST', {
    path: '/v1/desktops',
    body: { size: 'nano', network: 'none' },
  });
  if (status === 503 && isPatient) {
    await Bun.sleep(1_000);
    return create(fleet, at + 1, isPatient);
  }
  if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
  return { id: (body as { id: string }).id, beganMs, endedMs: performance.now() };
}

/** So many creates, so many at a time. */
async function createMany(fleet: Fleet, count: number, { atOnce, isPatient }: { atOnce: number; isPatient?: boolean }) {
  const made: Awaited<ReturnType<typeof create>>[] = [];
  let next = 0;
  const work = async () => {
    while (next < count) made.push(await create(fleet, next++, isPatient));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return made;
}

async function countReady(fleet: Fleet): Promise<number> {
  let count = 0;
  for (let cursor = ''; ;) {
    const body = await page(fleet, `/v1/desktops?limit=100${cursor}`);
    count += (body.data as { ready: boolean }[]).filter((desktop) => desktop.ready).length;
    if (body.nextCursor === null) return count;
    cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
  }
}

export async function untilReady(fleet: Fleet, wanted: number): Promise<number> {
  const endMs = performance.now() + endLimitMs;
  let ready = 0;
  while (performance.now() < endMs && (ready = await countReady(fleet)) < wanted) await Bun.sleep(250);
  return ready;
}

/** When the transaction of each create was committed, in milliseconds since 1970, as the database tells. */
async function commitsOf(fleet: Fleet): Promise<Map<string, number>> {
  const postgres = new Bun.SQL(fleet.databaseUrl);
  const rows = (await postgres`select "desktopId", extract(epoch from pg_xact_commit_timestamp("xid"::xid)) * 1000 as ms
    from events where type = 'desktop.created'`) as { desktopId: string; ms: string }[];
  await postgres.end();
  return new Map(rows.map((row) => [row.desktopId, Number(row.ms)]));
}

/** A thousand creates on fifty nodes, over two replicas. */
export function createsFigures(): Promise<Figure[]> {
  const count = 1000;
  const atOnce = 16;
  const reachedMs = new Map<string, number>();
  const onOrder = (order: Assignment) => void reachedMs.set(order.desktopId ?? '', performance.now());
  // The clock of this process as the database's, which is that of the machine.
  const originMs = Date.now() - performance.now();
  return withCrowd({ nodes: 50, onOrder }, async ({ fleet, nodes }) => {
    await createMany(fleet, 50, { atOnce });
    await untilReady(fleet, 50);
    const pids = fleet.replicas.map((replica) => replica.process.pid);
    const before = pids.map(cpuSeconds);
    const beganMs = performance.now();
    const made = await createMany(fleet, count, { atOnce });
    const tookMs = performance.now() - beganMs;
    const ready = (await untilReady(fleet, count + 50)) - 50;
    const allMs = performance.now() - beganMs;
    // Of a create and all that is reported of it; unlike the clock it hardly feels what else the machine does.
    const cpuMsEach = pids.map((pid, at) => ((cpuSeconds(pid) - before[at]!) * 1000) / count);
    const calls = made.map((one) => one.endedMs - one.beganMs);
    const committed = await commitsOf(fleet);
    const sinceCommit = made.map((one) => reachedMs.get(one.id)! + originMs - committed.get(one.id)!);
    const sinceCall = made.map((one) => reachedMs.get(one.id)! - one.beganMs);
    const sinceAnswer = made.map((one) => reachedMs.get(one.id)! - one.endedMs);
    const detail = { atOnce, nodes: nodes.length, replicas: fleet.replicas.length };
    const vms = nodes.reduce((sum, node) => sum + node.world.vms.size, 0);
    return [
      figure('1,000 creates on 50 nodes: desktops that end ready', 'desktops', {
        value: ready,
        at: '>=',
        reach: count,
        detail: { ...detail, machines: vms - 50, createsSeconds: tookMs / 1000, allReadySeconds: allMs / 1000 },
      }),
      figure('create call, p99 over p50', 'ratio', {
        value: quantile(calls, 0.99) / quantile(calls, 0.5),
        at: '<=',
        reach: 5,
        detail: { ...detail, callMs: summary(calls), replicaCpuMsEach: cpuMsEach },
      }),
      figure('order reaches hostd after its create was committed, p50', 'ms', {
        value: quantile(sinceCommit, 0.5),
        at: '<=',
        reach: 300,
        detail: {
          sinceCommitMs: summary(sinceCommit),
          sinceAnswerMs: summary(sinceAnswer),
          sinceCallBeganMs: summary(sinceCall),
        },
      }),
    ];
  });
}

/** Ten thousand desktops on five hundred nodes, and nobody does anything. Nearly all are put in place by rows, to save time. */
export function steadyFigures(): Promise<Figure[]> {
  return steady(fill);
}

/** The same with each desktop created through the API; this costs minutes. */
export function steadyCreatedFigures(): Promise<Figure[]> {
  return steady(async ({ fleet, nodes }, count) => {
    for (const node of nodes.slice(1)) await node.start();
    await untilUp(fleet, nodes.length);
    const beganMs = performance.now();
    await createMany(fleet, count, { atOnce: 16, isPatient: true });
    console.error(`${count} creates took ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
  });
}

function steady(fillWith: (crowd: Crowd, count: number) => Promise<void>): Promise<Figure[]> {
  const count = 10_000;
  const watchedMs = 20_000;
  return withCrowd({ nodes: 500, waiting: true }, async ({ fleet, nodes }) => {
    const beganMs = performance.now();
    await nodes[0]!.start();
    await untilUp(fleet, 1);
    await fillWith({ fleet, nodes }, count);
    await untilUp(fleet, nodes.length);
    const ready = await untilReady(fleet, count);
    const filledSeconds = (performance.now() - beganMs) / 1000;
    await Bun.sleep(5_000);
    const pids = fleet.replicas.map((replica) => replica.process.pid);
    const before = pids.map(cpuSeconds);
    const others = () => ({
      allHostd: cpuSeconds(process.pid),
      postgres: descendantsCpuSeconds(process.pid, 'postgres'),
    });
    const othersBefore = others();
    const loads = [loadavg()[0]!];
    const startMs = performance.now();
    const ages: number[] = [];
    while (performance.now() - startMs < watchedMs) {
      ages.push(await oldestSeconds(fleet));
      await Bun.sleep(1_000);
    }
    const seconds = (performance.now() - startMs) / 1000;
    const cores = pids.map((pid, at) => (cpuSeconds(pid) - before[at]!) / seconds);
    const othersNow = others();
    const beside = {
      allHostd: (othersNow.allHostd - othersBefore.allHostd) / seconds,
      postgres: (othersNow.postgres - othersBefore.postgres) / seconds,
    };
    loads.push(loadavg()[0]!);
    const resident = pids.map(residentMiB);
    const detail = { desktops: ready, nodes: nodes.length, filledSeconds, replicas: pids.length };
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    return [
      figure('10,000 desktops on 500 nodes, idle: processor of the API, all replicas', 'cores', {
        value: sum(cores),
        at: '<=',
        reach: 1,
        detail: { ...detail, each: cores, beside },
      }),
      figure('the same: memory of the larger replica', 'MB', {
        value: Math.max(...resident) * 1.048_576,
        at: '<=',
        reach: 512,
        detail: { residentMiB: resident },
      }),
      figure('the same: age of what was observed, worst node', 's', {
        value: Math.max(...ages),
        at: '<=',
        reach: 15,
        detail: { eachSecond: ages, loads },
      }),
    ];
  });
}

/** One is created as ever; the others are put in place as they stand once they are ready, rows and machines. */
export async function fill({ fleet, nodes }: Crowd, count: number): Promise<void> {
  const { id } = await create(fleet, 0);
  await untilReady(fleet, 1);
  const postgres = new Bun.SQL(fleet.databaseUrl);
  const [desktop] = (await postgres`select * from desktops where id = ${id}`) as Row[];
  const [order] = (await postgres`select * from assignments where "desktopId" = ${id}`) as Row[];
  const rows = Array.from({ length: count - 1 }, (_, at) => {
    const [desktopId, assignmentId] = [newId('dsk', Date.now()), newId('asg', Date.now())];
    const node = nodes[1 + (at % (nodes.length - 1))]!;
    const vmRef = `lb-${idBody(assignmentId)}`;
    node.plant({ assignmentId, vmRef });
    return {
      desktop: { ...desktop, id: desktopId, assignmentId, nodeId: node.nodeId },
      order: { ...order, id: assignmentId, desktopId, nodeId: node.nodeId, vmRef },
    };
  });
  for (let from = 0; from < rows.length; from += 500) {
    const part = rows.slice(from, from + 500);
    await postgres`insert into assignments ${postgres(part.map((row) => row.order))}`;
    await postgres`insert into desktops ${postgres(part.map((row) => row.desktop))}`;
  }
  await postgres.end();
  for (const node of nodes.slice(1)) await node.start();
}

type Row = Record<string, unknown>;

async function oldestSeconds(fleet: Fleet): Promise<number> {
  const heardMs = (await listNodes(fleet)).map((node) => Date.parse(node.lastHeardAt));
  return (Date.now() - Math.min(...heardMs)) / 1000;
}

/** A node comes back after its desktops were deleted, restarted and left alone while it was away. */
export function returnFigures(): Promise<Figure[]> {
  const count = 60;
  return withCrowd({ nodes: 1 }, async ({ fleet, nodes }) => {
    const [node] = nodes;
    const made = await createMany(fleet, count, { atOnce: 8 });
    await untilReady(fleet, count);
    await node!.stop();
    for (const [at, { id }] of made.entries()) {
      if (at % 3 === 0) await fleet.ask(0, 'DELETE', { path: `/v1/desktops/${id}` });
      if (at % 3 === 1) await fleet.ask(0, 'POST', { path: `/v1/desktops/${id}/restart` });
    }
    // An hour in which nothing was heard, as far as the rows can tell.
    const postgres = new Bun.SQL(fleet.databaseUrl);
    await postgres`update nodes set "heardMs" = "heardMs" - 3600000`;
    await postgres.end();
    const beganMs = performance.now();
    await node!.start();
    const left = (count * 2) / 3;
    const isOver = async () => (await countReady(fleet)) === left && node!.world.vms.size === left;
    while (performance.now() - beganMs < endLimitMs && !(await isOver())) await Bun.sleep(50);
    return [
      figure('a node comes back after an hour: all is as wanted', 's', {
        value: (performance.now() - beganMs) / 1000,
        at: '<=',
        reach: 60,
        detail: { deleted: count / 3, restarted: count / 3, disksMade: node!.world.disksMade.length },
      }),
      figure('the same: machines that were made twice', 'desktops', {
        value: node!.world.disksMade.length - count,
        at: '<=',
        reach: 0,
      }),
    ];
  });
}
