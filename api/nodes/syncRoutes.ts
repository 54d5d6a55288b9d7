import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import { metricsOfNodes } from '../metrics/routes.ts';
import { type Admit, admitted } from './admission.ts';
import { listAssignments } from './assignments.ts';
import * as sync from './contract.ts';
import { welcomeNode } from './hello.ts';
import { joinRoutes } from './joinRoutes.ts';
import type { Ways } from '../reach/ways.ts';
import { recordingRoute } from '../streams/passRecording.ts';
import { takeReport } from './observations.ts';

/** What the API serves to nodes. */
export function syncRoutes(services: Services, ways: Ways): Route[] {
  const admit: Admit = (db, peer) => admitted(db, peer, services.clock.nowMs());
  return [
    writeRoute(sync.helloOperation, async ({ body, peer }, write) => ({
      status: 200,
      body: await welcomeNode(services, write, { peer: await admit(write.db, peer), hello: body }),
    })),
    route(sync.listAssignmentsOperation, async ({ query, request, peer }) => {
      const { read } = services.database;
      const own = await admit(read, peer);
      const list = await listAssignments(services, { ...query, peer: own, signal: request.signal });
      // It may have waited for half a minute, and orders are for nobody who was taken out meanwhile.
      await admit(read, peer);
      return { status: 200, body: list };
    }),
    writeRoute(sync.reportObservationsOperation, async ({ body, peer }, write) => ({
      status: 200,
      body: await takeReport(services, write, { peer: await admit(write.db, peer), report: body }),
    })),
    ...metricsOfNodes(services, admit),
    recordingRoute(services, ways, admit),
    ...joinRoutes(services, admit),
  ];
}
