import { toRfc3339 } from '@lebureau/kit/clock';
import { pageOf } from '../http/page.ts';
import type { Reader, Write } from '../db/database.ts';
import type { NodeRow } from '../db/tables.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import { notFound } from '../http/problem.ts';
import { type Route, route, writeRoute } from '../http/route.ts';
import type { Static } from '../http/schema.ts';
import type { Caller } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import * as duty from './duty.ts';
import { type Limits, limitsOf } from './placement.ts';
import * as contract from './publicContract.ts';
import { decommissionNode, fenceNode } from './retire.ts';
import { listLeft } from './listLeft.ts';
import { findNode, helloOf, listNodeRows } from './store.ts';

/** What users see of nodes. */
export function nodeRoutes(services: Services): Route[] {
  return [
    route(contract.listNodes, async ({ query }) => {
      const { data, nextCursor } = pageOf(await listNodeRows(services.database.read), query, 'nodes');
      const nodes = data.map((row) => toWire(services, services.database.read, row));
      return { status: 200, body: { data: await Promise.all(nodes), nextCursor } };
    }),
    route(contract.getNode, async ({ params }) => {
      const row = await findNode(services.database.read, params.nodeId);
      if (row === undefined) throw notFound('node');
      return { status: 200, body: await toWire(services, services.database.read, row) };
    }),
    ...dutyRoutes(services),
  ];
}

function dutyRoutes(services: Services): Route[] {
  const done = async (write: Write, row: Promise<NodeRow>) => ({
    status: 200,
    body: await toWire(services, write.db, await row),
  });
  const actOf = ({ caller, requestId, params }: { caller: Caller; requestId: string; params: { nodeId: string } }) => ({
    caller,
    requestId,
    nodeId: params.nodeId,
  });
  return [
    writeRoute(contract.updateNode, (call, write) =>
      done(write, duty.updateNode(services, write, { act: actOf(call), labels: call.body.labels })),
    ),
    writeRoute(contract.cordonNode, (call, write) => done(write, duty.cordonNode(services, write, actOf(call)))),
    writeRoute(contract.uncordonNode, (call, write) => done(write, duty.uncordonNode(services, write, actOf(call)))),
    writeRoute(contract.drainNode, (call, write) =>
      done(write, duty.drainNode(services, write, { act: actOf(call), wish: call.body })),
    ),
    writeRoute(contract.fenceNode, (call, write) => done(write, fenceNode(services, write, actOf(call)))),
    writeRoute(contract.decommissionNode, (call, write) =>
      done(write, decommissionNode(services, write, { act: actOf(call), force: call.body.force === true })),
    ),
  ];
}

function statusOf(row: NodeRow, nowMs: number): Static<typeof contract.Node>['status'] {
  if (row.decommissionedMs !== null) return 'decommissioned';
  if (nowMs - row.heardMs < nodeSilentMs) return 'up';
  return row.fencedMs === null ? 'silent' : 'fenced';
}

function overBooked(row: NodeRow, limits: Limits): Static<typeof contract.Node>['overBooked'] {
  return {
    vcpus: Math.max(0, row.reservedVcpus - limits.vcpus),
    memoryMiB: Math.max(0, row.reservedMemoryMiB - limits.memoryMiB),
    diskGiB: Math.max(0, row.reservedDiskGiB - limits.diskGiB),
  };
}

async function toWire(services: Services, db: Reader, row: NodeRow): Promise<Static<typeof contract.Node>> {
  const hello = helloOf(row);
  return {
    id: row.id,
    name: row.name,
    status: statusOf(row, services.clock.nowMs()),
    drain:
      row.drainMs === null
        ? null
        : {
            stopsAt: toRfc3339(row.drainMs),
            drainedAt: row.drainedMs === null ? null : toRfc3339(row.drainedMs),
            mode: row.drainMode as 'stop' | 'move',
            unmoved: row.drainUnmoved as 'stop' | 'leave',
            move: hello?.cluster === undefined ? 'unsupported' : 'supported',
            desktops: row.drainMode === 'move' ? await listLeft(db, row.id) : [],
          },
    cordoned: row.cordoned === 1,
    version: hello?.version ?? '',
    driver: hello?.driver ?? null,
    accelerator: hello?.accelerator ?? '',
    acceleratorReason: hello?.acceleratorReason ?? '',
    hypervisorVersion: hello?.hypervisorVersion ?? '',
    network: hello?.network ?? 'none',
    networkReason: hello?.networkReason ?? 'It was not heard yet.',
    capacity: { vcpus: row.vcpus, memoryMiB: row.memoryMiB, diskMiB: row.diskMiB, diskFreeMiB: row.diskFreeMiB },
    labels: JSON.parse(row.labelsJson) as Record<string, string>,
    reserved: { vcpus: row.reservedVcpus, memoryMiB: row.reservedMemoryMiB, diskGiB: row.reservedDiskGiB },
    overBooked: overBooked(row, limitsOf(row, services.placement.overcommit)),
    templateIds: (hello?.templates ?? []).map((template) => template.id),
    strangers: (JSON.parse(row.strangersJson) as unknown[]).length,
    lastHeardAt: row.heardMs === 0 ? null : toRfc3339(row.heardMs),
  };
}
