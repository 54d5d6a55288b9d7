import { type Route, route } from '../http/route.ts';
import type { Admit } from '../nodes/admission.ts';
import type { Write } from '../db/database.ts';
import type { Services } from '../services.ts';
import { getDesktopMetrics, reportMetrics } from './contract.ts';
import { takeMetrics } from './intake.ts';
import { KnownMembers } from './knownMembers.ts';
import { readMetrics } from './readMetrics.ts';
import { Turns } from './turns.ts';

/** A few of the connections to the database at most: what was observed comes before what was used. */
const turnLimits = { atOnceMax: 3, waitingMax: 600 };

export function metricsRoutes(services: Services): Route[] {
  return [
    route(getDesktopMetrics, async ({ caller, params, query }) => ({
      status: 200,
      body: await readMetrics(services, caller, { desktopId: params.desktopId, query }),
    })),
  ];
}

/** What the API takes from nodes. */
export function metricsOfNodes(services: Services, admit: Admit): Route[] {
  const known = new KnownMembers();
  const turns = new Turns(turnLimits);
  return [
    route(reportMetrics, async ({ body, peer }) => {
      const take = async (write: Write) =>
        takeMetrics({ services, known }, write, { peer: await admit(write.db, peer), report: body });
      return { status: 200, body: await turns.run(() => services.database.write(take)) };
    }),
  ];
}
