import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { newId } from '@lebureau/kit/id';
import { silentLog } from '@lebureau/kit/log';
import { purge } from '../../api/background/loops.ts';
import { rollUpMetrics } from '../../api/metrics/rollUp.ts';
import { type RunningApi, startApi } from '../../api/start.ts';
import { startTestPostgres } from '../../api/testing/postgres.ts';
import { readApiConfig } from '../../api/config.ts';
import { type Figure, figure } from '../bench/figure.ts';
import { cpuSeconds, descendantsCpuSeconds } from '../bench/processes.ts';
import type { Fleet } from './fleet.ts';
import { fill, untilReady, untilUp, withCrowd } from './figures.ts';

/** What metrics of a thousand desktops cost: live, beside the same fleet without them; and in bytes and work of a day. */

const desktops = 1000;
const nodesCount = 20;
const watchedMs = 60_000;

/** Two replicas on Postgres, hostd's real code on twenty nodes, nobody does anything; without metrics, then with them. */
export async function metricsLiveFigures(): Promise<Figure[]> {
  const off = await liveCores('off');
  const on = await liveCores('on');
  if (on.measuredSeconds < 50 || off.measuredSeconds > 0)
    throw new Error(`measured ${on.measuredSeconds} s with metrics and ${off.measuredSeconds} s without`);
  return [
    figure('metrics of 1,000 desktops on 20 nodes, live: processor of the API besides', '% of a core', {
      value: Math.max(0, on.api - off.api) * 100,
      at: '<=',
      reach: 5,
      detail: {
        watchedSeconds: watchedMs / 1000,
        apiCores: { on: on.api, off: off.api },
        allHostdCores: { on: on.hostd, off: off.hostd },
        measuredSeconds: on.measuredSeconds,
      },
    }),
  ];
}

/** Of some desktop in the last hour, so that nobody weighs what was not done. */
async function measuredSeconds(fleet: Fleet): Promise<number> {
  const list = await fleet.ask(0, 'GET', { path: '/v1/desktops?limit=1' });
  const { status, body } = await fleet.ask(0, 'GET', { path: `/v1/desktops/${list.body.data[0].id}/metrics` });
  if (status !== 200) throw new Error(`metrics answered ${status}`);
  return (body.points as { measuredSeconds: number }[]).reduce((sum, point) => sum + point.measuredSeconds, 0);
}

async function liveCores(metrics: 'on' | 'off') {
  const cores = { api: 0, hostd: 0, measuredSeconds: 0 };
  await withCrowd(
    { nodes: nodesCount + 1, waiting: true, environment: { LEBUREAU_METRICS: metrics } },
    async (crowd) => {
      const { fleet, nodes } = crowd;
      await nodes[0]!.start();
      await untilUp(fleet, 1);
      await fill(crowd, desktops);
      for (const node of nodes.slice(1)) await node.start();
      await untilUp(fleet, nodes.length);
      await untilReady(fleet, desktops);
      await Bun.sleep(15_000);
      const pids = fleet.replicas.map((replica) => replica.process.pid);
      const used = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
      const [api, own, beganMs] = [used(), cpuSeconds(process.pid), performance.now()];
      await Bun.sleep(watchedMs);
      const seconds = (performance.now() - beganMs) / 1000;
      cores.api = (used() - api) / seconds;
      cores.hostd = (cpuSeconds(process.pid) - own) / seconds;
      cores.measuredSeconds = await measuredSeconds(fleet);
      return [];
    },
  );
  return cores;
}

const daySeconds = 86_400;
/** So many stand for the thousand: rows and work are each desktop's own. */
const few = { desktops: 125, nodes: 5 };
const share = desktops / few.desktops;

/** A day of reports as nodes send them, as quickly as they are taken in, on each database. */
export async function metricsDayFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const home = mkdtempSync(join(tmpdir(), 'lb-metrics-'));
  const path = join(home, 'api.db');
  figures.push(
    ...(await dayFigures('SQLite', {
      home,
      url: `sqlite:${path}`,
      bytes: async (api) => {
        await api.services.database.select({ text: 'pragma wal_checkpoint(truncate)', parameters: [] });
        return statSync(path).size;
      },
      tidy: () => Promise.resolve(),
      otherCpuSeconds: () => 0,
    })),
  );
  rmSync(home, { recursive: true, force: true });
  const postgres = await startTestPostgres();
  const other = mkdtempSync(join(tmpdir(), 'lb-metrics-'));
  try {
    figures.push(
      ...(await dayFigures('Postgres', {
        home: other,
        url: await postgres.newDatabase(),
        bytes: async (api) => {
          const text = `select (pg_total_relation_size('"metricChunks"') + pg_total_relation_size('"metricReports"'))::bigint as "bytes"`;
          const [row] = await api.services.database.select<{ bytes: number }>({ text, parameters: [] });
          return Number(row!.bytes);
        },
        tidy: (api) => api.services.database.select({ text: 'vacuum "metricChunks", "metricReports"', parameters: [] }),
        otherCpuSeconds: () => descendantsCpuSeconds(process.pid, 'postgres'),
      })),
    );
  } finally {
    await postgres.stop();
    rmSync(other, { recursive: true, force: true });
  }
  return figures;
}

interface Store {
  home: string;
  url: string;
  bytes: (api: RunningApi) => Promise<number>;
  /** What a day leaves time for and this does not. */
  tidy: (api: RunningApi) => Promise<unknown>;
  otherCpuSeconds: () => number;
}

async function dayFigures(name: string, store: Store): Promise<Figure[]> {
  // A moment of rest before midnight, so that chunks of every length begin and end.
  let shiftMs = Math.ceil(Date.now() / 86_400_000) * 86_400_000 - Date.now() - 3_600_000;
  const clock = { ...systemClock, nowMs: () => Date.now() + shiftMs };
  const config = {
    ...readApiConfig({
      LEBUREAU_HOME: store.home,
      LEBUREAU_DATABASE_URL: store.url,
      LEBUREAU_API_LISTEN: '127.0.0.1:0',
    }),
    pool: undefined,
  };
  const api = await startApi(config, { clock, log: silentLog });
  try {
    const nodes = await plantNodes(api);
    const before = await store.bytes(api);
    const [cpu, other] = [process.cpuUsage(), store.otherCpuSeconds()];
    for (let second = 10; second <= daySeconds; second += 10) {
      shiftMs += 10_000;
      for (const node of nodes) await tell(api, node, second / 10);
      if (second % 600 !== 30) continue;
      await rollUpMetrics(api.services);
      await purge(api.services, config.eventRetentionMs);
      await store.tidy(api);
    }
    const used = process.cpuUsage(cpu);
    const apiPercent = ((used.user + used.system) / 1e6 / daySeconds) * share * 100;
    const databasePercent = ((store.otherCpuSeconds() - other) / daySeconds) * share * 100;
    const grownBytes = (await store.bytes(api)) - before;
    const detail = { database: name, simulated: few, times: share, grownBytes, dataBytes: await sizes(api) };
    return [
      figure(`metrics of 1,000 desktops, a day of them in ${name}: on the disk`, 'MB/day', {
        value: (grownBytes * share) / 1e6,
        at: '<=',
        reach: 50,
        detail,
      }),
      figure(`the same: processor of API and database for taking in and rolling up`, '% of a core', {
        value: apiPercent + databasePercent,
        at: '<=',
        reach: 5,
        detail: { ...detail, apiPercent, databasePercent, without: 'HTTP and TLS; see the live figure' },
      }),
    ];
  } finally {
    await api.stop(1000);
  }
}

interface PlantedNode {
  epoch: number;
  assignmentIds: string[];
}

/** Rows as they stand once desktops are ready. */
async function plantNodes(api: RunningApi): Promise<PlantedNode[]> {
  const { database, clock } = api.services;
  const nowMs = clock.nowMs();
  const workspace = await database.read.selectFrom('workspaces').select('id').executeTakeFirstOrThrow();
  const nodes: PlantedNode[] = [];
  for (let at = 0; at < few.nodes; at++) {
    const hello = { ...helloOfFake, nodeName: `node-${at}` };
    const { epoch, nodeId } = (await post(api, '/node/v1/hello', hello)) as { epoch: number; nodeId: string };
    const ids = Array.from(
      { length: few.desktops / few.nodes },
      () => [newId('dsk', nowMs), newId('asg', nowMs)] as const,
    );
    await database.write(async ({ db }) => {
      await db
        .insertInto('assignments')
        .values(
          ids.map(([desktopId, id]) => ({
            ...assignmentRow,
            id,
            desktopId,
            vmRef: id,
            nodeId,
            workspaceId: workspace.id,
          })),
        )
        .execute();
      await db
        .insertInto('desktops')
        .values(
          ids.map(([id, assignmentId]) => ({
            ...desktopRow,
            id,
            assignmentId,
            nodeId,
            workspaceId: workspace.id,
            createdMs: nowMs - 1000,
            startedMs: nowMs - 1000,
          })),
        )
        .execute();
    });
    nodes.push({ epoch, assignmentIds: ids.map(([, id]) => id) });
  }
  return nodes;
}

/** Noise as of real ones: most are idle, one in eight works at any time. */
async function tell(api: RunningApi, node: PlantedNode, seq: number): Promise<void> {
  const noise = (max: number) => Math.floor(Math.random() * max);
  const values = node.assignmentIds.map((assignmentId, at) => {
    const works = (Math.floor(seq / 30) + at) % 8 === 0;
    return {
      assignmentId,
      cpuMs: works ? 2_000 + noise(6_000) : 30 + noise(40) * 10,
      memoryUsedKiB: 700_000 + at * 1000 + (works ? noise(80_000) : noise(200)),
      memoryHostKiB: 110_000 + at * 500 + (works ? noise(80_000) : noise(200)),
      diskUsedKiB: 250_000 + at * 1000 + Math.floor(seq / 10) * 64,
      diskReadBytes: works ? noise(4_000_000) : 0,
      diskWrittenBytes: works ? noise(8_000_000) : noise(3) * 4096,
      networkReceivedBytes: works ? noise(5_000_000) : noise(400),
      networkSentBytes: works ? noise(300_000) : noise(400),
    };
  });
  await post(api, '/node/v1/metrics', {
    epoch: node.epoch,
    seq,
    samples: [{ ageMs: 2, overMs: 10_000 + noise(20), values }],
  });
}

async function post(api: RunningApi, path: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const request = new Request(`http://node${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await api.apps.node(request, { kind: 'local' });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function sizes(api: RunningApi): Promise<{ reports: number; chunks: number; by: Record<number, number> }> {
  const { database } = api.services;
  const one = async <Row>(text: string) => database.select<Row>({ text, parameters: [] });
  const [reports] = await one<{ bytes: number | null }>('select sum(length("data")) as "bytes" from "metricReports"');
  const rows = await one<{ step: number; bytes: number; count: number }>(
    'select "stepSeconds" as "step", sum(length("data")) as "bytes", count(*) as "count" from "metricChunks" group by "stepSeconds"',
  );
  const by = Object.fromEntries(rows.map((row) => [Number(row.step), Number(row.bytes)]));
  return { reports: Number(reports?.bytes ?? 0), chunks: rows.reduce((sum, row) => sum + Number(row.count), 0), by };
}

const helloOfFake = {
  version: '0',
  guestAddress: 'unix:/nowhere',
  driver: 'fake',
  accelerator: 'none',
  acceleratorReason: '',
  hypervisorVersion: '',
  vcpus: 64,
  memoryMiB: 262_144,
  diskFreeMiB: 10_000_000,
  network: 'none',
  networkReason: '',
  templates: [],
};
const assignmentRow = {
  templateId: `tpl_${'0'.repeat(26)}`,
  vcpus: 1,
  memoryMiB: 1024,
  diskGiB: 8,
  network: 'none',
  hostName: 'desk',
  timeZone: 'Etc/UTC',
  configJson: '{}',
  gracefulStopSeconds: 30,
  desired: 'running',
  desiredBoot: 1,
  generation: 1,
  cloneSeen: 1,
  holdsMemory: 1,
  observedGeneration: 1,
  presence: 'present',
  power: 'running',
  boot: 1,
  ready: 1,
  agentReady: 1,
  startMode: 'warm',
  ipAddress: null,
  faultJson: null,
  observedMs: null,
  closedMs: null,
  poolKey: null,
  identityVersion: 0,
  moveTo: null,
  moveNodeId: null,
  moveHolds: 0,
  moveFaultJson: null,
};
const desktopRow = {
  name: 'desk',
  size: 'nano',
  templateName: 'fake',
  labelsJson: '{}',
  nodeSelectorJson: '{}',
  timeZone: 'Etc/UTC',
  ephemeral: 0,
  ttlSeconds: null,
  expiresMs: null,
  runningMs: null,
  readyMs: null,
  deletedMs: null,
  destroyedMs: null,
  version: 1,
};
