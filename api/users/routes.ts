import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import * as operations from './operations.ts';

export function userRoutes(services: Services): Route[] {
  return [
    route(contract.listUsers, async ({ caller, query }) => ({
      status: 200,
      body: await operations.listUsers(services, caller, query),
    })),
    writeRoute(contract.updateUser, async ({ caller, requestId, params, body }, write) => {
      const member = await operations.updateUser(services, write, { caller, requestId, userId: params.userId, body });
      return { status: 200, body: operations.userToWire(member) };
    }),
    writeRoute(contract.removeUser, async ({ caller, requestId, params }, write) => {
      await operations.removeUser(services, write, { caller, requestId, userId: params.userId });
      return { status: 204 };
    }),
  ];
}
