import { type Route, route, writeRoute } from '../http/route.ts';
import type { Admit } from '../nodes/admission.ts';
import type { Services } from '../services.ts';
import { getDesktopMetrics, reportMetrics } from './contract.ts';
import { takeMetrics } from './intake.ts';
import { KnownMembers } from './knownMembers.ts';
import { readMetrics } from './readMetrics.ts';

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
  return [
    writeRoute(reportMetrics, async ({ body, peer }, write) => ({
      status: 200,
      body: await takeMetrics({ services, known }, write, { peer: await admit(write.db, peer), report: body }),
    })),
  ];
}
