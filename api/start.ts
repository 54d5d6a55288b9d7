import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { type Apps, composeApps } from './app.ts';
import { runLoops } from './background/loops.ts';
import { ensureFirstKey, ensureWorkspace } from './bootstrap.ts';
import type { ApiConfig } from './config.ts';
import { openDatabase } from './db/open.ts';
import { Authenticator } from './keys/auth.ts';
import type { Services } from './services.ts';

export interface RunningApi {
  /** Of the public contract. */
  url: string;
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
  const { overcommit, reclaimAfterSeconds, sourceUrl } = config;
  const services: Services = {
    database,
    authenticator: new Authenticator(database, at.clock),
    overcommit,
    reclaimAfterSeconds,
    sourceUrl,
    ending: at.ending ?? new AbortController().signal,
    clock: at.clock,
    log: at.log,
  };
  await ensureWorkspace(services, config.quota);
  return services;
}

/** Opens the database, makes the first key, listens and starts the loops. */
export async function startApi(config: ApiConfig, at: { clock: Clock; log: Log }): Promise<RunningApi> {
  const ending = new AbortController();
  const services = await openServices(config, { ...at, ending: ending.signal });
  const keyFile = join(config.home, 'api-key');
  if (await ensureFirstKey(services, keyFile)) at.log.info('first key made', { file: keyFile });
  const apps = composeApps(services, { rateLimits: config.rateLimits });
  const publicServer = listenPublic(apps, config);
  const nodeServer = await listenNode(apps, config.nodeSocket);
  const loops = runLoops(services, {
    usage: apps.usage,
    eventRetentionMs: config.eventRetentionMs,
    pool: config.pool,
    signal: ending.signal,
  });
  const url = `http://${config.listen.hostname.includes(':') ? `[${config.listen.hostname}]` : config.listen.hostname}:${publicServer.port}`;
  at.log.info('api started', { url, nodeSocket: config.nodeSocket });
  return {
    url,
    apps,
    services,
    async stop(timeoutMs) {
      apps.readiness.draining = true;
      ending.abort();
      const graceful = Promise.all([publicServer.stop(false), nodeServer.stop(true)]);
      await Promise.race([graceful, at.clock.sleep(timeoutMs)]);
      await publicServer.stop(true);
      await loops;
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
    return Bun.serve({
      hostname,
      port,
      maxRequestBodySize,
      idleTimeout: 120,
      fetch: (request, server) => apps.public(request, () => server.timeout(request, 0)),
    });
  } catch (error) {
    throw new Error(`Cannot listen on ${hostname}:${port}. Stop what uses it, or set LEBUREAU_API_LISTEN.`, {
      cause: error,
    });
  }
}

/** A socket that only its owner may open takes the place of mutual authentication. */
async function listenNode(apps: Apps, path: string) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  if (existsSync(path)) {
    if (await answers(path)) throw new Error(`Another API listens on ${path}. Stop it first.`);
    unlinkSync(path);
  }
  // Made where only its owner comes in, and moved once its mode is set.
  const folder = mkdtempSync(`${path}-`);
  const made = join(folder, 'socket');
  // The types do not know it, but a Unix socket has an idle limit too, and ten seconds would cut the long poll.
  const idleLimit: object = { idleTimeout: 120 };
  const server = Bun.serve({
    unix: made,
    maxRequestBodySize: 8_388_608,
    fetch: (request) => apps.node(request),
    ...idleLimit,
  });
  chmodSync(made, 0o600);
  renameSync(made, path);
  rmSync(folder, { recursive: true });
  return server;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
