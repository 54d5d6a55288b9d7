import { Fault } from '@lebureau/kit/fault';
import { sql } from 'kysely';
import type { RequestMetrics } from '../http/metrics.ts';
import { type Route, route } from '../http/route.ts';
import type { Services } from '../services.ts';
import { getHealth, getMetrics, getReadiness, getServiceHealth } from './contract.ts';
import { gaugesText } from './gauges.ts';
import { serviceHealth } from './serviceHealth.ts';

export interface Readiness {
  /** Set when the process begins to stop: it still answers, but gets no new work. */
  draining: boolean;
}

export function healthRoutes(
  services: Services,
  of: { metrics: RequestMetrics; readiness: Readiness; startedMs: number },
): Route[] {
  return [
    route(getHealth, async () => ({ status: 200, body: { status: 'ok' } })),
    route(getReadiness, async () => {
      if (of.readiness.draining) throw new Fault('unavailable', 'The service is stopping.');
      await sql`select 1`.execute(services.database.read);
      return { status: 200, body: { status: 'ok' } };
    }),
    route(getServiceHealth, async () => ({ status: 200, body: await serviceHealth(services, of.startedMs) })),
    route(getMetrics, async () => ({
      status: 200,
      text: of.metrics.text() + (await gaugesText(services)),
      headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
    })),
  ];
}
