import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import * as operations from './operations.ts';
import * as records from './records.ts';

export function grantRoutes(services: Services): Route[] {
  return [...ofPeople(services), ...ofGateway(services), ...ofRecords(services)];
}

function ofPeople(services: Services): Route[] {
  return [
    // The gate lets nobody without a session to these two.
    route(contract.listGrants, async ({ caller }) => ({
      status: 200,
      body: { data: await operations.listGrants(services, caller.session!) },
    })),
    writeRoute(contract.revokeGrant, async ({ caller, requestId, params }, write) => {
      const act = { caller, own: caller.session!, requestId, grantId: params.grantId };
      await operations.revokeGrant(services, write, act);
      return { status: 204 };
    }),
  ];
}

function ofGateway(services: Services): Route[] {
  return [
    writeRoute(contract.createGrant, async ({ requestId, body }, write) => ({
      status: 201,
      body: await operations.createGrant(services, write, { requestId, body }),
    })),
    route(contract.findGrantOperation, async ({ body }) => ({
      status: 200,
      body: await operations.findGoodGrant(services, body.grantId),
    })),
    route(contract.findGoodGrants, async ({ body }) => ({
      status: 200,
      body: { grantIds: await operations.goodOf(services, body.grantIds) },
    })),
    writeRoute(contract.endGrant, async ({ requestId, body }, write) => {
      await operations.endGrant(services, write, { grantId: body.grantId, requestId });
      return { status: 204 };
    }),
    route(contract.findAccess, async ({ body }) => ({
      status: 200,
      body: await operations.findAccess(services, body),
    })),
  ];
}

function ofRecords(services: Services): Route[] {
  return [
    writeRoute(contract.saveOauthRecord, async ({ body }, write) => {
      await records.saveRecord(services, write, body);
      return { status: 204 };
    }),
    route(contract.findOauthRecord, async ({ body }) => ({
      status: 200,
      body: await records.findRecord(services, body),
    })),
    writeRoute(contract.consumeOauthRecord, async ({ requestId, body }, write) => ({
      status: 200,
      body: { first: await records.consumeRecord(services, write, { name: body, requestId }) },
    })),
    writeRoute(contract.deleteOauthRecord, async ({ body }, write) => {
      await records.deleteRecord(write, body);
      return { status: 204 };
    }),
  ];
}
