import { desktopParams } from '../desktops/schema.ts';
import type { Route } from '../http/route.ts';
import { guestOperations } from './contract.ts';
import type { Forwarder } from './forward.ts';
import { guestOperationsBelow } from './operations.ts';

/** One route for each row of the guest table. */
export function guestRoutes(forwarder: Forwarder): Route[] {
  const byId = new Map(guestOperations.map((operation) => [operation.operationId, operation]));
  return guestOperationsBelow('/v1/desktops/:desktopId', desktopParams).map((operation) => {
    const row = byId.get(operation.operationId)!;
    return { operation, handle: (call) => forwarder.forward(row, call) };
  });
}
