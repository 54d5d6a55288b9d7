import { type Reply, type Route, route, writeRoute } from '../http/route.ts';
import type { Services } from '../services.ts';
import * as contract from './contract.ts';
import { createDesktop } from './create.ts';
import { ListCache } from './listCache.ts';
import * as operations from './operations.ts';
import { type DesktopView, etagOf, toWire } from './view.ts';
import { waitForDesktop } from './wait.ts';
import { WireCache } from './wireCache.ts';

export function desktopRoutes(services: Services): Route[] {
  const { clock } = services;
  const cache = new WireCache();
  const lists = new ListCache(services.database);
  const reply = (view: DesktopView, status = 200): Reply => ({
    status,
    body: toWire(view, clock.nowMs()),
    headers: { ETag: etagOf(view) },
  });
  const life = (operation: typeof contract.startDesktop, action: 'start' | 'stop' | 'restart') =>
    writeRoute(operation, async (call, write) => {
      const { caller, requestId, params } = call;
      return reply(
        await operations.changeLife(services, write, { caller, requestId, desktopId: params.desktopId, action }),
      );
    });
  return [
    route(contract.listDesktops, async ({ caller, query }) => {
      const { workspaceId, restriction } = caller;
      const key = JSON.stringify([workspaceId, restriction, query]);
      const make = () => operations.listDesktops(services, caller, { query, cache });
      return { status: 200, text: await lists.answer(key, clock.nowMs(), make) };
    }),
    writeRoute(contract.createDesktop, async ({ caller, requestId, body }, write) => {
      const view = await createDesktop(services, write, { caller, requestId, body });
      return { ...reply(view, 201), headers: { ETag: etagOf(view), Location: `/v1/desktops/${view.id}` } };
    }),
    route(contract.getDesktop, async ({ caller, params, query, request }) => {
      const { desktopId } = params;
      if (query.waitFor === undefined) return reply(await operations.getDesktop(services, caller, desktopId));
      const wish = { desktopId, target: query.waitFor, timeoutSeconds: query.timeoutSeconds, signal: request.signal };
      return reply(await waitForDesktop(services, caller, wish));
    }),
    writeRoute(contract.updateDesktop, async ({ caller, requestId, params, body, request }, write) => {
      const ifMatch = request.headers.get('if-match');
      return reply(
        await operations.updateDesktop(services, write, {
          caller,
          requestId,
          desktopId: params.desktopId,
          ifMatch,
          body,
        }),
      );
    }),
    writeRoute(contract.deleteDesktop, async ({ caller, requestId, params, request }, write) => {
      const ifMatch = request.headers.get('if-match');
      const view = await operations.deleteDesktop(services, write, {
        caller,
        requestId,
        desktopId: params.desktopId,
        ifMatch,
      });
      return view.destroyedMs === null ? reply(view, 202) : { status: 204 };
    }),
    life(contract.startDesktop, 'start'),
    life(contract.stopDesktop, 'stop'),
    life(contract.restartDesktop, 'restart'),
  ];
}
