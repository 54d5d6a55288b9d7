import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { type Route, route } from '../http/route.ts';
import type { Ways } from '../reach/ways.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import { createTicket, enterPreview } from './operations.ts';

export function streamRoutes(services: Services, ways: Ways): Route[] {
  return [
    route(contract.createStream, async ({ caller, params, body }) => {
      const { desktopId } = params;
      const { ticket, expiresMs, wish } = await createTicket(services, ways, { caller, desktopId, wish: body });
      const { kind, terminalName } = wish;
      const answer = {
        kind,
        path: `/v1/desktops/${desktopId}/streams/${kind}`,
        expiresAt: toRfc3339(expiresMs),
        ...(terminalName === undefined ? {} : { terminalName }),
      };
      return { status: 201, body: { ...answer, ticket }, replayBody: answer };
    }),
    route(contract.enterPreview, async ({ body }) => ({ status: 200, body: await enterPreview(services, body) })),
    // A WebSocket is taken before it comes here.
    route(contract.connectStream, () =>
      Promise.reject(
        new Fault('invalid_request', 'This path is for WebSockets.', { hint: 'Send Upgrade: websocket.' }),
      ),
    ),
  ];
}
