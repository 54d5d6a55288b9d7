import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import { Elysia } from 'elysia';
import { aboutRoutes } from './about/routes.ts';
import { desktopRoutes } from './desktops/routes.ts';
import { Usage } from './desktops/usage.ts';
import { eventRoutes } from './events/routes.ts';
import { grantRoutes } from './grants/routes.ts';
import { Forwarder } from './guest/forward.ts';
import { guestRoutes } from './guest/routes.ts';
import { type Readiness, healthRoutes } from './health/routes.ts';
import { Gate } from './http/gate.ts';
import { RequestMetrics } from './http/metrics.ts';
import { type RateLimits, RateLimiter } from './http/rateLimit.ts';
import type { Route } from './http/route.ts';
import { keyRoutes } from './keys/routes.ts';
import { meRoutes } from './me/routes.ts';
import { metricsRoutes } from './metrics/routes.ts';
import type { Peer } from './nodes/peer.ts';
import { joinTokenRoutes } from './nodes/joinRoutes.ts';
import { authorityRoutes } from './nodes/rotateAuthority.ts';
import { nodeRoutes } from './nodes/routes.ts';
import { syncRoutes } from './nodes/syncRoutes.ts';
import type { Ways } from './reach/ways.ts';
import type { Services } from './services.ts';
import { sessionRoutes } from './sessions/routes.ts';
import { signInRoutes } from './signIn/routes.ts';
import { streamRoutes } from './streams/routes.ts';
import { StreamDoor } from './streams/streamDoor.ts';
import { templateRoutes } from './templates/routes.ts';
import { userRoutes } from './users/routes.ts';

/** Calls `mayBeSilent` when this request may go on for longer than the listener leaves a connection idle. */
export type Answerer = (request: Request, mayBeSilent?: () => void) => Response | Promise<Response>;
/** The same for a node listener, which knows who speaks. */
export type NodeAnswerer = (request: Request, peer: Peer) => Response | Promise<Response>;

export interface Apps {
  /** The public contract. */
  public: Answerer;
  /** The node contract, for a listener of its own. */
  node: NodeAnswerer;
  /** Live sockets of the public contract. */
  streams: StreamDoor;
  usage: Usage;
  readiness: Readiness;
}

/** Puts everything together. Listens to nothing and starts no timer. */
export function composeApps(
  services: Services,
  options: { rateLimits: RateLimits; ways: Ways; streamOrigins: readonly string[] },
): Apps {
  const { clock, log, database, authenticator } = services;
  const metrics = new RequestMetrics();
  const gate = new Gate({
    database,
    authenticator,
    limiter: new RateLimiter(options.rateLimits, clock),
    metrics,
    clock,
    log,
  });
  const usage = new Usage(clock);
  const readiness: Readiness = { draining: false };
  const publicRoutes = [
    ...meRoutes(services),
    ...desktopRoutes(services),
    ...metricsRoutes(services),
    ...guestRoutes(new Forwarder(services, { usage, ways: options.ways })),
    ...streamRoutes(services, options.ways),
    ...templateRoutes(services),
    ...nodeRoutes(services),
    ...joinTokenRoutes(services),
    ...authorityRoutes(services),
    ...keyRoutes(services),
    ...userRoutes(services),
    ...sessionRoutes(services),
    ...signInRoutes(services),
    ...grantRoutes(services),
    ...eventRoutes(services),
    ...aboutRoutes(services),
    ...healthRoutes(services, { metrics, readiness, startedMs: clock.nowMs() }),
  ];
  const forPublic = mount(publicRoutes, gate, services);
  const forNodes = mount(syncRoutes(services, options.ways), gate, services);
  return {
    public: (request, mayBeSilent) => forPublic(request, { mayBeSilent }),
    node: (request, peer) => forNodes(request, { peer }),
    streams: new StreamDoor(services, { gate, usage, ways: options.ways, origins: options.streamOrigins }),
    usage,
    readiness,
  };
}

interface Circumstances {
  peer?: Peer;
  mayBeSilent?: () => void;
}
type Mounted = (request: Request, at: Circumstances) => Response | Promise<Response>;

function mount(routes: readonly Route[], gate: Gate, services: Services): Mounted {
  const app = new Elysia({ normalize: false });
  const circumstances = new WeakMap<Request, Circumstances>();
  for (const each of routes) {
    const { method, path } = each.operation;
    app.route(
      method,
      path,
      ({ request, params }) => gate.serve(each, request, { params, ...circumstances.get(request) }),
      { parse: 'none' },
    );
  }
  const methodsOf = matcher(routes);
  app.onError(({ error, code, request }) => {
    const at = { requestId: newId('req', services.clock.nowMs()) };
    if (code !== 'NOT_FOUND') return gate.fail(error, at);
    const { pathname } = new URL(request.url);
    const methods = methodsOf(pathname);
    if (methods.length === 0) return gate.fail(new Fault('not_found', `There is no ${pathname}.`), at);
    const allow = methods.join(', ');
    return gate.fail(new Fault('method_not_allowed', `${pathname} has ${allow}.`), {
      ...at,
      headers: { Allow: allow },
    });
  });
  const { fetch } = app.compile();
  return (request, at) => {
    const served = hasShortHost(request)
      ? new Request(request.url.replace('://', '://short-host.'), request as RequestInit)
      : request;
    circumstances.set(served, at);
    return fetch(served);
  };
}

/** Elysia looks for the path behind the eleventh character and misses it after a host of three. */
function hasShortHost(request: Request): boolean {
  return request.url.indexOf('/', 8) < 11;
}

/** Which methods a path has. */
function matcher(routes: readonly Route[]): (pathname: string) => string[] {
  const patterns = routes.map(({ operation }) => ({
    method: operation.method,
    pattern: new RegExp(`^${operation.path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')}/?$`),
  }));
  return (pathname) => patterns.filter(({ pattern }) => pattern.test(pathname)).map(({ method }) => method);
}
