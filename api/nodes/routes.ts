import { toRfc3339 } from '@lebureau/kit/clock';
import { type Route, route, writeRoute } from '../http/route.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import type { NodeRow } from '../db/tables.ts';
import { nodeSilentMs } from '../desktops/view.ts';
import type { Services } from '../services.ts';
import { type Admit, admitted } from './admission.ts';
import { listAssignments } from './assignments.ts';
import * as sync from './contract.ts';
import { welcomeNode } from './hello.ts';
import { joinRoutes } from './joinRoutes.ts';
import { takeReport } from './observations.ts';
import * as contract from './publicContract.ts';
import { findNode, helloOf, listNodeRows } from './store.ts';

/** What the API serves to nodes. */
export function syncRoutes(services: Services): Route[] {
  const admit: Admit = (db, peer) => admitted(db, peer, services.clock.nowMs());
  return [
    writeRoute(sync.helloOperation, async ({ body, peer }, write) => ({
      status: 200,
      body: await welcomeNode(services, write, { peer: await admit(write.db, peer), hello: body }),
    })),
    route(sync.listAssignmentsOperation, async ({ query, request, peer }) => ({
      status: 200,
      body: await listAssignments(services, {
        ...query,
        peer: await admit(services.database.read, peer),
        signal: request.signal,
      }),
    })),
    writeRoute(sync.reportObservationsOperation, async ({ body, peer }, write) => ({
      status: 200,
      body: await takeReport(services, write, { peer: await admit(write.db, peer), report: body }),
    })),
    ...joinRoutes(services, admit),
  ];
}

/** What users see of nodes. */
export function nodeRoutes(services: Services): Route[] {
  return [
    route(contract.listNodes, async () => {
      const rows = await listNodeRows(services.database.read);
      return { status: 200, body: { data: rows.map((row) => toWire(row, services.clock.nowMs())), nextCursor: null } };
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
    templateIds: (hello?.templates ?? []).map((template) => template.id),
    strangers: (JSON.parse(row.strangersJson) as unknown[]).length,
    lastHeardAt: row.heardMs === 0 ? null : toRfc3339(row.heardMs),
  };
}
