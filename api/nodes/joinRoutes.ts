import { type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import type { Admit } from './admission.ts';
import { authorityOf, createJoinToken, joinNode, renewCertificate } from './join.ts';
import * as contract from './joinContract.ts';

/** How a machine becomes a node, as the API serves it to nodes. */
export function joinRoutes(services: Services, admit: Admit): Route[] {
  return [
    route(contract.getTrustAnchorOperation, async () => ({
      status: 200,
      body: { authority: authorityOf(services).replicasPem },
    })),
    writeRoute(contract.joinOperation, async ({ body }, write) => ({
      status: 201,
      body: await joinNode(services, write, body),
    })),
    writeRoute(contract.renewCertificateOperation, async ({ body, peer }, write) => ({
      status: 200,
      body: await renewCertificate(services, write, {
        peer: await admit(write.db, peer),
        requestPem: body.certificateRequest,
      }),
    })),
  ];
}

/** The half that people use. */
export function joinTokenRoutes(services: Services): Route[] {
  return [
    writeRoute(contract.createJoinToken, async ({ caller, body }, write) => {
      const created = await createJoinToken(services, write, { caller, body });
      return { status: 201, body: created, replayBody: { joinToken: created.joinToken } };
    }),
  ];
}
