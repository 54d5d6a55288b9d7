import { type Route, route } from '../http/route.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import { listDesktopEvents } from './history.ts';
import { streamEvents } from './stream.ts';

export function eventRoutes(services: Services): Route[] {
  return [
    route(contract.listDesktopEvents, async ({ caller, params, query }) => ({
      status: 200,
      body: await listDesktopEvents(services, caller, { desktopId: params.desktopId, query }),
    })),
    route(contract.streamEvents, ({ caller, query, request }) =>
      streamEvents(services, {
        caller,
        after: request.headers.get('last-event-id') ?? query.after,
        desktopId: query.desktopId,
        types: query.type === undefined ? undefined : new Set(query.type.split(',')),
        signal: request.signal,
      }),
    ),
  ];
}
