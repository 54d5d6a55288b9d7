import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@lebureau/kit/clock';
import { type Log, silentLog } from '@lebureau/kit/log';
import { expectContract } from '@lebureau/test/contract';
import { type NodeDouble, type NodeDoubleOptions, startNodeDouble } from '@lebureau/test/doubles/node';
import type { ApiConfig } from '../config.ts';
import { allCapabilities } from '../keys/capabilities.ts';
import { newKey } from '../keys/operations.ts';
import { insertKey } from '../keys/store.ts';
import { type RunningApi, startApi } from '../start.ts';
import { firstWorkspace } from '../workspaces/store.ts';
import { testDatabase } from './testDatabase.ts';

/** The whole service in this process, on real sockets and a database of its own, for tests. */
export interface TestApi {
  api: RunningApi;
  config: ApiConfig;
  /** A key with every capability. */
  secret: string;
  /** One request; a body is sent as JSON. */
  ask(method: string, path: string, options?: AskOptions): Promise<Response>;
  /** One request whose answer must be as the contract says and have this status. */
  expect<Body = Record<string, unknown>>(
    operationId: string,
    status: number,
    request: { method: string; path: string } & AskOptions,
  ): Promise<Body>;
  node(options?: Partial<NodeDoubleOptions>): Promise<NodeDouble>;
  stop(): Promise<void>;
}

export interface AskOptions {
  body?: unknown;
  secret?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface TestApiOptions {
  config?: Partial<ApiConfig>;
  clock?: Clock;
  log?: Log;
}

const noLimits = { control: 0, input: 0, screenshot: 0, exec: 0, files: 0, streams: 0 };

export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const home = mkdtempSync(join(tmpdir(), 'lb-api-'));
  const config: ApiConfig = {
    home,
    listen: { hostname: '127.0.0.1', port: 0 },
    nodeListen: { socket: join(home, 'run', 'api-node.sock') },
    nodeAddress: undefined,
    nodeCaKey: undefined,
    nodeCaFormerKey: undefined,
    databaseUrl: (await testDatabase.url?.()) ?? `sqlite:${join(home, 'api.db')}`,
    logLevel: 'silent',
    rateLimits: noLimits,
    placement: { overcommit: { vcpus: 16, memory: 1, disk: 10 }, strategy: 'spread' },
    quota: { desktopsMax: 1000, vcpusMax: 10_000, memoryMiBMax: 10_000_000, diskGiBMax: 1_000_000 },
    eventRetentionMs: 86_400_000,
    pool: undefined,
    reclaimAfterSeconds: 600,
    streamOrigins: [],
    metrics: true,
    sourceUrl: 'https://example.org/source',
    gatewayPublicKey: undefined,
    signInDomains: ['example.org'],
    ...options.config,
  };
  const api = await startApi(config, { clock: options.clock ?? systemClock, log: options.log ?? silentLog });
  const secret = await everythingKey(api);
  const nodes: NodeDouble[] = [];
  const ask: TestApi['ask'] = (method, path, wish = {}) =>
    fetch(api.url + path, {
      method,
      headers: {
        authorization: `Bearer ${wish.secret ?? secret}`,
        ...(wish.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...wish.headers,
      },
      body: wish.body === undefined ? undefined : JSON.stringify(wish.body),
      signal: wish.signal,
    });
  return {
    api,
    config,
    secret,
    ask,
    async expect<Body>(operationId: string, status: number, request: { method: string; path: string } & AskOptions) {
      const response = await ask(request.method, request.path, request);
      if (response.status !== status)
        throw new Error(`${operationId}: ${response.status} instead of ${status}: ${await response.text()}`);
      return expectContract<Body>(response, operationId);
    },
    async node(wish = {}) {
      const node = await startNodeDouble({
        apiSocket: config.nodeListen.socket!,
        guestSocket: join(home, 'run', `guest-${nodes.length}.sock`),
        ...wish,
      });
      nodes.push(node);
      return node;
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
      await api.stop(1000);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function everythingKey(api: RunningApi): Promise<string> {
  const { database, clock } = api.services;
  const workspace = (await firstWorkspace(database.read))!;
  const { row, secret } = newKey({
    workspaceId: workspace.id,
    name: 'test',
    capabilities: allCapabilities,
    restriction: null,
    createdBy: null,
    nowMs: clock.nowMs(),
  });
  await database.write((write) => insertKey(write, row));
  return secret;
}
