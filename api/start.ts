import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { type ServerSocketData, serverSocketHandlers } from '@lebureau/kit/serverSocketEnd';
import { type Apps, composeApps } from './app.ts';
import { runLoops } from './background/loops.ts';
import { ensureFirstKey, ensureOwnerLink, ensureWorkspace } from './bootstrap.ts';
import type { ApiConfig } from './config.ts';
import { openDatabase } from './db/open.ts';
import { Assertions } from './keys/assertion.ts';
import { Demand } from './pool/demand.ts';
import { Authenticator } from './keys/auth.ts';
import { gatewayKeys } from './keys/gatewayKey.ts';
import { type NodeListeners, listenNodes } from './nodes/listeners.ts';
import { readSealKeys } from './nodes/sealKey.ts';
import { openReach, waysOf } from './reach/reach.ts';
import { Replicas } from './reach/replicas.ts';
import type { Services } from './services.ts';

export interface RunningApi {
  /** Of the public contract. */
  url: string;
  /** Of the TLS node listener, where there is one. */
  nodeTlsPort: number | undefined;
  apps: Apps;
  services: Services;
  /** Lets running requests end, at most `timeoutMs`, then closes everything. */
  stop(timeoutMs: number): Promise<void>;
}

export async function openServices(
  config: ApiConfig,
  at: { clock: Clock; log: Log; ending?: AbortSignal },
): Promise<Services> {
  mkdirSync(config.home, { recursive: true, mode: 0o711 });
  const database = await openDatabase(config.databaseUrl, at);
  const { placement, reclaimAfterSeconds, sourceUrl, metrics, signInDomains } = config;
  const assertions = new Assertions(gatewayKeys(config.home, config.gatewayPublicKey), at.clock);
  const services: Services = {
    database,
    authenticator: new Authenticator(database, at.clock, assertions),
    placement,
    reclaimAfterSeconds,
    metrics,
    sourceUrl,
    signInDomains,
    authority: await authorityFor(config, { database, clock: at.clock }),
    demand: new Demand(at.clock),
    replicas: new Replicas(database, at.clock),
    nodeAddress: nodeAddressOf(config),
    ending: at.ending ?? new AbortController().signal,
    clock: at.clock,
    log: at.log,
  };
  await ensureWorkspace(services, config.quota);
  return services;
}

/** Loaded only where nodes come from other machines: the library of certificates is large. */
async function authorityFor(config: ApiConfig, at: Pick<Services, 'database' | 'clock'>) {
  if (config.nodeListen.tls === undefined) return undefined;
  const { openAuthority } = await import('./nodes/authority.ts');
  return openAuthority({ ...at, sealKeys: readSealKeys(config.home, config) });
}

function nodeAddressOf({ nodeAddress, nodeListen }: ApiConfig): string | undefined {
  if (nodeAddress !== undefined || nodeListen.tls === undefined) return nodeAddress;
  const { hostname, port } = nodeListen.tls;
  return `https://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
}

/** Opens the database, makes the first key, listens and starts the loops. */
export async function startApi(config: ApiConfig, at: { clock: Clock; log: Log }): Promise<RunningApi> {
  const ending = new AbortController();
  const services = await openServices(config, { ...at, ending: ending.signal });
  const keyFile = join(config.home, 'api-key');
  if (await ensureFirstKey(services, keyFile)) at.log.info('first key made', { file: keyFile });
  const linkFile = join(config.home, 'owner-link');
  if (await ensureOwnerLink(services, linkFile)) at.log.info('owner link made', { file: linkFile });
  const reach = await openReach(services, config.home);
  const apps = composeApps(services, {
    rateLimits: config.rateLimits,
    ways: waysOf(reach),
    streamOrigins: config.streamOrigins,
  });
  const publicServer = listenPublic(apps, config);
  const nodeListeners: NodeListeners = await listenNodes(services, apps.node, { listen: config.nodeListen, reach });
  const loops = runLoops(services, {
    usage: apps.usage,
    eventRetentionMs: config.eventRetentionMs,
    pool: config.pool,
    signal: ending.signal,
  });
  const url = `http://${config.listen.hostname.includes(':') ? `[${config.listen.hostname}]` : config.listen.hostname}:${publicServer.port}`;
  at.log.info('api started', { url, nodeSocket: config.nodeListen.socket, nodeTlsPort: nodeListeners.tlsPort });
  return {
    url,
    nodeTlsPort: nodeListeners.tlsPort,
    apps,
    services,
    async stop(timeoutMs) {
      apps.readiness.draining = true;
      ending.abort();
      const graceful = Promise.all([publicServer.stop(false), nodeListeners.close()]);
      await Promise.race([graceful, at.clock.sleep(timeoutMs)]);
      await publicServer.stop(true);
      await Promise.all([loops, reach?.close()]);
      await services.database.close();
      at.log.info('api stopped', {});
    },
  };
}

/** Uploads have no limit here; each operation has its own. */
const maxRequestBodySize = Number.MAX_SAFE_INTEGER;

function listenPublic(apps: Apps, config: ApiConfig) {
  const { hostname, port } = config.listen;
  try {
    return Bun.serve<ServerSocketData>({
      hostname,
      port,
      maxRequestBodySize,
      idleTimeout: 120,
      fetch: (request, server) =>
        apps.streams.answer(request, server) ?? apps.public(request, () => server.timeout(request, 0)),
      websocket: serverSocketHandlers,
    });
  } catch (error) {
    throw new Error(`Cannot listen on ${hostname}:${port}. Stop what uses it, or set LEBUREAU_API_LISTEN.`, {
      cause: error,
    });
  }
}
