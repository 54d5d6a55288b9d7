import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import * as operations from './operations.ts';

export function keyRoutes(services: Services): Route[] {
  return [
    route(contract.listKeys, async ({ caller, query }) => {
      const { rows, nextCursor } = await operations.listKeys(services, caller, query);
      return { status: 200, body: { data: rows.map(operations.toWire), nextCursor } };
    }),
    writeRoute(contract.createKey, async ({ caller, requestId, body }, write) => {
      const { row, secret } = await operations.createKey(services, write, { caller, requestId, body });
      const key = operations.toWire(row);
      return { status: 201, body: { key, secret }, replayBody: { key } };
    }),
    writeRoute(contract.revokeKey, async ({ caller, requestId, params }, write) => {
      await operations.revokeKey(services, write, { caller, requestId, keyId: params.keyId });
      services.authenticator.forget(params.keyId);
      return { status: 204 };
    }),
  ];
}
