import { toRfc3339 } from '@lebureau/kit/clock';
import { type Route, route, writeRoute } from '../http/route.ts';
import { pageOf } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { NodeRow } from '../db/tables.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import type { Services } from '../services.ts';
import { listAssignments } from './assignments.ts';
import * as sync from './contract.ts';
import { welcomeNode } from './hello.ts';
import { takeReport } from './observations.ts';
import * as contract from './publicContract.ts';
import { findNode, helloOf, listNodeRows } from './store.ts';

/** What the API serves to nodes. */
export function syncRoutes(services: Services): Route[] {
  return [
    writeRoute(sync.helloOperation, async ({ body }, write) => ({
      status: 200,
      body: await welcomeNode(services, write, body),
    })),
    route(sync.listAssignmentsOperation, async ({ query, request }) => ({
      status: 200,
      body: await listAssignments(services, { ...query, signal: request.signal }),
    })),
    writeRoute(sync.reportObservationsOperation, async ({ body }, write) => ({
      status: 200,
      body: await takeReport(services, write, body),
    })),
  ];
}

/** What users see of nodes. */
export function nodeRoutes(services: Services): Route[] {
  return [
    route(contract.listNodes, async ({ query }) => {
      const { data, nextCursor } = pageOf(await listNodeRows(services.database.read), query, 'nodes');
      return { status: 200, body: { data: data.map((row) => toWire(row, services.clock.nowMs())), nextCursor } };
    }),
    route(contract.getNode, async ({ params }) => {
      const row = await findNode(services.database.read, params.nodeId);
      if (row === undefined) throw notFound('node');
      return { status: 200, body: toWire(row, services.clock.nowMs()) };
    }),
  ];
}

function toWire(row: NodeRow, nowMs: number): Static<typeof contract.Node> {
  const hello = helloOf(row);
  return {
    id: row.id,
    name: row.name,
    status: nowMs - row.heardMs < nodeSilentMs ? 'up' : 'silent',
    cordoned: row.cordoned === 1,
    version: hello.version,
    driver: hello.driver,
    accelerator: hello.accelerator,
    acceleratorReason: hello.acceleratorReason,
    hypervisorVersion: hello.hypervisorVersion,
    network: hello.network,
    networkReason: hello.networkReason,
    capacity: { vcpus: row.vcpus, memoryMiB: row.memoryMiB, diskFreeMiB: row.diskFreeMiB },
    reserved: { vcpus: row.reservedVcpus, memoryMiB: row.reservedMemoryMiB, diskGiB: row.reservedDiskGiB },
    templateIds: hello.templates.map((template) => template.id),
    strangers: (JSON.parse(row.strangersJson) as unknown[]).length,
    lastHeardAt: toRfc3339(row.heardMs),
  };
}
