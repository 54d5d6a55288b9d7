import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import { createSignInLink } from './links.ts';
import * as operations from './operations.ts';

export function signInRoutes(services: Services): Route[] {
  return [
    writeRoute(contract.createSignInLink, async ({ caller, requestId, body }, write) => {
      const made = await createSignInLink(services, write, { caller, requestId, body });
      return { status: 201, body: made, replayBody: { signInLink: made.signInLink } };
    }),
    writeRoute(contract.signInByLink, async ({ requestId, body }, write) => ({
      status: 201,
      body: await operations.signInByLink(services, write, { requestId, body }),
    })),
    writeRoute(contract.signInByIdentity, async ({ requestId, body }, write) => ({
      status: 201,
      body: await operations.signInByIdentity(services, write, { requestId, body }),
    })),
    route(contract.findSessionOperation, async ({ body }) => ({
      status: 200,
      body: await operations.findSession(services, body.hash),
    })),
  ];
}
