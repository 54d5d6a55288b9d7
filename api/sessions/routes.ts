import { type Call, type Route, route, writeRoute } from '../http/route.ts';
import type { SignedIn } from '../keys/auth.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import { endPersonsSession, endSessions, listPeoplesSessions, listSessions } from './operations.ts';

export function sessionRoutes(services: Services): Route[] {
  return [
    route(contract.listSessions, async (call) => ({
      status: 200,
      body: { data: await listSessions(services, ownOf(call)) },
    })),
    writeRoute(contract.revokeSession, async (call, write) => {
      const { caller, requestId, params } = call;
      await endSessions(services, write, { caller, own: ownOf(call), requestId, sessionId: params.sessionId });
      return { status: 204 };
    }),
    writeRoute(contract.revokeAllSessions, async (call, write) => {
      const { caller, requestId } = call;
      await endSessions(services, write, { caller, own: ownOf(call), requestId });
      return { status: 204 };
    }),
    route(contract.listPeoplesSessions, async ({ caller, query }) => ({
      status: 200,
      body: await listPeoplesSessions(services, caller, query),
    })),
    writeRoute(contract.endPersonsSession, async ({ caller, requestId, params }, write) => {
      await endPersonsSession(services, write, { caller, requestId, sessionId: params.sessionId });
      return { status: 204 };
    }),
  ];
}

/** The gate lets nobody else to an operation with the capability `session`. */
function ownOf({ caller }: Call): SignedIn {
  return caller.session!;
}
