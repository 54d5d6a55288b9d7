import { Fault } from '@lebureau/kit/fault';
import type { Write } from '../db/database.ts';
import type { Static } from '../http/schema.ts';
import { type NodePeer, demandOwn } from '../nodes/admission.ts';
import { superseded } from '../nodes/hello.ts';
import type { Services } from '../services.ts';
import { packReport, partOf, partsFor, type ToldSample } from './journal.ts';
import type { MetricsReceipt, MetricsReport, MetricsValues } from './nodeSchema.ts';
import type { Values } from './point.ts';
import type { KnownMembers, Member } from './knownMembers.ts';
import { countSamples, insertReports } from './store.ts';

type Report = Static<typeof MetricsReport>;
type Told = Static<typeof MetricsValues>;

/** What an emulator takes beside the processors and the memory of its guest. */
const coresBeside = 4;
const memoryBesideMiB = 1024;
/** 100 GB/s, of disk or network. */
const bytesPerMs = 100_000_000;
/** Of each desktop until they are rolled up: ten times what ten minutes make, and three times an hour that hostd kept. */
const samplesMax = 1000;

/** So many reports of ordinary size go unweighed between two that are weighed against `samplesMax`. */
const weighedEvery = 16;

/** Writes down what a node measured of its own desktops. Rolled up later, all together. */
export async function takeMetrics(
  { services, known }: { services: Services; known: KnownMembers },
  write: Write,
  from: { peer: NodePeer; report: Report },
): Promise<Static<typeof MetricsReceipt>> {
  const node = await acceptReport(services, write, from);
  if (node === undefined) return { dropped: 0 };
  const members = await known.of(node, () => membersOf(write, node.id));
  const nowMs = services.clock.nowMs();
  const parts = partsFor(members.size);
  const told = from.report.samples.reduce((sum, { values }) => sum + values.length, 0);
  // Counted here: the number of a report is the node's own choice.
  const isWeighed = known.turn(node.id) % weighedEvery === 0 || told > 2 * (members.size + 1);
  if (isWeighed && (await countSamples(write, node.id)) + told > samplesMax * (members.size + 1))
    throw new Fault('rate_limited', 'This node sends more than is kept.');
  const byPart = new Map<number, ToldSample[]>();
  let dropped = 0;
  for (const { ageMs, overMs, values } of from.report.samples) {
    for (const told of values) {
      const member = members.get(told.assignmentId);
      // A machine that waited in the pool is somebody's from the create on.
      if (member === undefined || nowMs - ageMs - overMs < member.createdMs) {
        dropped += 1;
        continue;
      }
      const believed = believable(told, member, overMs);
      dropped += believed.dropped;
      const part = partOf(member.desktopId!, parts);
      const sample = { desktopId: member.desktopId!, atMs: nowMs - ageMs, overMs, values: believed.values };
      byPart.set(part, [...(byPart.get(part) ?? []), sample]);
    }
  }
  const rows = [...byPart].map(([part, samples]) => ({
    nodeId: node.id,
    part,
    receivedMs: nowMs,
    samples: samples.length,
    data: packReport(samples),
  }));
  await insertReports(write, rows);
  return { dropped };
}

/** @returns the node, or undefined when this report was taken in before. @throws Fault `epoch_superseded` */
async function acceptReport(
  services: Services,
  { db }: Write,
  from: { peer: NodePeer; report: Report },
): Promise<{ id: string; epoch: number; revision: number } | undefined> {
  const { peer, report } = from;
  const node = await db
    .updateTable('nodes')
    .set({ metricsSeq: report.seq, metricsMs: services.clock.nowMs() })
    .where('epoch', '=', report.epoch)
    .where('metricsSeq', '<', report.seq)
    .returning(['id', 'joinedMs', 'epoch', 'revision'])
    .executeTakeFirst();
  const known =
    node ??
    (await db
      .selectFrom('nodes')
      .select(['id', 'joinedMs', 'epoch', 'revision'])
      .where('epoch', '=', report.epoch)
      .executeTakeFirst());
  if (known === undefined) throw superseded(report.epoch);
  demandOwn(peer, known);
  return node;
}

/** The desktops of a node by assignment: nobody else speaks of them. */
async function membersOf({ db }: Write, nodeId: string): Promise<Map<string, Member>> {
  const rows = await db
    .selectFrom('assignments as a')
    .innerJoin('desktops as d', (join) => join.onRef('d.id', '=', 'a.desktopId').onRef('d.assignmentId', '=', 'a.id'))
    .select(['a.id', 'a.desktopId', 'a.vcpus', 'a.memoryMiB', 'a.diskGiB', 'd.createdMs'])
    .where('a.nodeId', '=', nodeId)
    .where('a.closedMs', 'is', null)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** What its hardware cannot do is left out, as if it were not known. */
function believable(told: Told, member: Member, overMs: number): { values: Values; dropped: number } {
  const { assignmentId: _, ...values } = told;
  const limits: Required<Values> = {
    cpuMs: (member.vcpus + coresBeside) * overMs,
    memoryUsedKiB: (member.memoryMiB * 2 + memoryBesideMiB) * 1024,
    memoryHostKiB: (member.memoryMiB * 2 + memoryBesideMiB) * 1024,
    diskUsedKiB: member.diskGiB * 2 * 1_048_576,
    diskReadBytes: bytesPerMs * overMs,
    diskWrittenBytes: bytesPerMs * overMs,
    networkReceivedBytes: bytesPerMs * overMs,
    networkSentBytes: bytesPerMs * overMs,
  };
  const kept: Values = {};
  let dropped = 0;
  for (const [name, value] of Object.entries(values) as [keyof Values, number | undefined][]) {
    if (value === undefined || !(name in limits)) continue;
    if (value > limits[name]) dropped += 1;
    else kept[name] = value;
  }
  return { values: kept, dropped };
}
