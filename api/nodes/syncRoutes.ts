import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import { metricsOfNodes } from '../metrics/routes.ts';
import { type Admit, admitted } from './admission.ts';
import { listAssignments } from './assignments.ts';
import * as sync from './contract.ts';
import { welcomeNode } from './hello.ts';
import { joinRoutes } from './joinRoutes.ts';
import { takeReport } from './observations.ts';

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
    ...metricsOfNodes(services, admit),
    ...joinRoutes(services, admit),
  ];
}
