import { homedir } from 'node:os';
import { join } from 'node:path';
import { integer, oneOf, readConfig } from '@lebureau/kit/config';
import { type Bucket, buckets } from './http/operation.ts';
import type { PlacementPolicy } from './nodes/placement.ts';
import type { RateLimits } from './http/rateLimit.ts';
import type { PoolSettings } from './pool/plan.ts';

export interface ApiConfig {
  home: string;
  listen: { hostname: string; port: number };
  /** Where nodes connect: a Unix socket for this machine, TLS for others, or both. */
  nodeListen: {
    socket?: string;
    /** How long a handshake may take is set by tests only. */
    tls?: { hostname: string; port: number; handshakeTimeoutMs?: number };
  };
  /** How nodes and other replicas reach our TLS listener, `https://host:port`; undefined: as it listens. */
  nodeAddress: string | undefined;
  /** Under which the keys of the node authorities lie in the database; undefined: in the home folder. */
  nodeCaKey: string | undefined;
  /** The one that was replaced by it: what it sealed is sealed anew. */
  nodeCaFormerKey: string | undefined;
  databaseUrl: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  rateLimits: RateLimits;
  placement: Omit<PlacementPolicy, 'turn'>;
  quota: { desktopsMax: number; vcpusMax: number; memoryMiBMax: number; diskGiBMax: number };
  eventRetentionMs: number;
  /** Undefined, for tests: nobody looks after the pool. */
  pool: PoolSettings | undefined;
  reclaimAfterSeconds: number;
  /** Origins of pages that may open streams without the gateway. */
  streamOrigins: readonly string[];
  metrics: boolean;
  sourceUrl: string;
  /** PEM, one block or several; undefined: that of `gateway-key` in the home folder. */
  gatewayPublicKey: string | undefined;
  signInDomains: readonly string[];
}

const rateLimitsDefault: RateLimits = {
  control: 60,
  input: 1200,
  screenshot: 1200,
  exec: 1200,
  files: 2400,
  streams: 1200,
};
function schema(home: string) {
  return {
    LEBUREAU_HOME: { about: 'folder of all state', parse: absolutePath, fallback: home },
    LEBUREAU_API_LISTEN: {
      about: 'address and port of the public contract',
      parse: address,
      fallback: { hostname: '127.0.0.1', port: 7070 },
    },
    LEBUREAU_NODE_LISTEN: {
      about: 'where nodes connect: unix:/path, tls:address:port, or both by comma',
      parse: nodeListen,
      fallback: undefined,
    },
    LEBUREAU_NODE_ADDRESS: {
      about: 'how nodes and other replicas reach the TLS listener: https://host:port',
      parse: httpsOrigin,
      fallback: undefined,
    },
    LEBUREAU_NODE_CA_KEY: {
      about: '32 bytes in base64 that seal the keys of the node authorities; the same for every replica',
      parse: (text: string): string | undefined => text,
      fallback: undefined,
      file: true,
    },
    LEBUREAU_NODE_CA_FORMER_KEY: {
      about: 'what LEBUREAU_NODE_CA_KEY was before it was replaced; what it sealed is sealed anew',
      parse: (text: string): string | undefined => text,
      fallback: undefined,
      file: true,
    },
    LEBUREAU_DATABASE_URL: {
      about: 'sqlite:/path or postgres://…',
      parse: databaseUrl,
      fallback: undefined,
      file: true,
    },
    LEBUREAU_LOG_LEVEL: {
      about: 'how much is logged',
      parse: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
      fallback: 'info' as const,
    },
    LEBUREAU_RATE_LIMITS: {
      about: 'requests a minute for each key, such as control=60,exec=1200; 0 is unlimited; off: none',
      parse: rateLimits,
      fallback: rateLimitsDefault,
    },
    ...promises(),
    LEBUREAU_EVENT_RETENTION_DAYS: { about: 'how long events are kept', parse: integer(1, 3650), fallback: 30 },
    LEBUREAU_RECLAIM_AFTER_SECONDS: {
      about: 'how long a VM that nobody ordered is quarantined',
      // What is reclaimed is gone: there must be time to notice that the API lost its orders.
      parse: integer(300, 31_536_000),
      fallback: 600,
    },
    ...people(),
    LEBUREAU_METRICS: {
      about: 'on, or off: nodes are not asked what their desktops use',
      parse: oneOf(['on', 'off']),
      fallback: 'on' as const,
    },
    LEBUREAU_SOURCE_URL: {
      about: 'where the source code of this version is',
      parse: (text: string) => text,
      fallback: 'https://github.com/lebureau/lebureau',
    },
  };
}

/** Who may come in, and by which way. */
function people() {
  return {
    LEBUREAU_STREAM_ORIGINS: {
      about: 'origins of pages that may open streams here without the gateway, by comma',
      parse: origins,
      fallback: [],
    },
    LEBUREAU_GATEWAY_PUBLIC_KEY: {
      about: 'public key of the gateway in PEM, where it runs on another machine; several for a change of keys',
      parse: (text: string): string | undefined => text,
      fallback: undefined,
      file: true,
    },
    LEBUREAU_SIGN_IN_DOMAINS: {
      about: 'domains whose people may sign themselves in by a provider, by commas',
      parse: domains,
      fallback: [] as string[],
    },
  };
}

/** What may be promised, of nodes and to the workspace. */
function promises() {
  const count = integer(1, 1_000_000_000);
  return {
    LEBUREAU_VCPU_OVERCOMMIT_PERCENT: {
      about: 'virtual processors promised, of those a node has',
      parse: integer(10, 10_000),
      fallback: 1600,
    },
    LEBUREAU_MEMORY_OVERCOMMIT_PERCENT: {
      about: 'memory promised, of what a node has',
      parse: integer(10, 10_000),
      fallback: 150,
    },
    LEBUREAU_DISK_OVERCOMMIT_PERCENT: {
      about: 'disk promised, of what a node has; disks grow only as they are written',
      parse: integer(10, 100_000),
      fallback: 1000,
    },
    LEBUREAU_PLACEMENT: {
      about: 'spread: new desktops go to the emptiest node; pack: to the fullest that has room',
      parse: oneOf(['spread', 'pack']),
      fallback: 'spread' as const,
    },
    LEBUREAU_QUOTA_DESKTOPS: { about: 'desktops of the workspace', parse: count, fallback: 100 },
    LEBUREAU_QUOTA_VCPUS: { about: 'virtual processors of the workspace', parse: count, fallback: 400 },
    LEBUREAU_QUOTA_MEMORY_MIB: { about: 'memory of the workspace', parse: count, fallback: 1_048_576 },
    LEBUREAU_QUOTA_DISK_GIB: { about: 'disk of the workspace', parse: count, fallback: 8000 },
    LEBUREAU_POOL_MEMBERS_MAX: {
      about: 'machines that wait, already awake, for who asks next; 0: none',
      parse: integer(0, 10_000),
      fallback: 4,
    },
    LEBUREAU_POOL_MEMORY_PERCENT: {
      about: 'what they may hold of the memory that may be promised',
      parse: integer(0, 100),
      fallback: 15,
    },
  };
}

/** @param environment usually `process.env`. @throws Error that lists every mistake. */
export function readApiConfig(environment: Record<string, string | undefined> = process.env): ApiConfig {
  const root = process.getuid?.() === 0;
  const values = readConfig(environment, schema(root ? '/var/lib/lebureau' : join(homedir(), '.lebureau')));
  const home = values.LEBUREAU_HOME;
  return {
    home,
    listen: values.LEBUREAU_API_LISTEN,
    nodeListen: values.LEBUREAU_NODE_LISTEN ?? { socket: join(home, 'run', 'api-node.sock') },
    nodeAddress: values.LEBUREAU_NODE_ADDRESS,
    nodeCaKey: values.LEBUREAU_NODE_CA_KEY,
    nodeCaFormerKey: values.LEBUREAU_NODE_CA_FORMER_KEY,
    databaseUrl: values.LEBUREAU_DATABASE_URL ?? `sqlite:${join(home, 'api.db')}`,
    logLevel: values.LEBUREAU_LOG_LEVEL,
    rateLimits: values.LEBUREAU_RATE_LIMITS,
    placement: {
      overcommit: {
        vcpus: values.LEBUREAU_VCPU_OVERCOMMIT_PERCENT / 100,
        memory: values.LEBUREAU_MEMORY_OVERCOMMIT_PERCENT / 100,
        disk: values.LEBUREAU_DISK_OVERCOMMIT_PERCENT / 100,
      },
      strategy: values.LEBUREAU_PLACEMENT,
    },
    quota: {
      desktopsMax: values.LEBUREAU_QUOTA_DESKTOPS,
      vcpusMax: values.LEBUREAU_QUOTA_VCPUS,
      memoryMiBMax: values.LEBUREAU_QUOTA_MEMORY_MIB,
      diskGiBMax: values.LEBUREAU_QUOTA_DISK_GIB,
    },
    pool: { membersMax: values.LEBUREAU_POOL_MEMBERS_MAX, memoryPercent: values.LEBUREAU_POOL_MEMORY_PERCENT },
    eventRetentionMs: values.LEBUREAU_EVENT_RETENTION_DAYS * 86_400_000,
    reclaimAfterSeconds: values.LEBUREAU_RECLAIM_AFTER_SECONDS,
    streamOrigins: values.LEBUREAU_STREAM_ORIGINS,
    metrics: values.LEBUREAU_METRICS === 'on',
    sourceUrl: values.LEBUREAU_SOURCE_URL,
    gatewayPublicKey: values.LEBUREAU_GATEWAY_PUBLIC_KEY,
    signInDomains: values.LEBUREAU_SIGN_IN_DOMAINS,
  };
}

function domains(text: string): string[] {
  const all = text.split(',').map((each) => each.trim().toLowerCase());
  if (!all.every((each) => /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(each))) throw new Error('wants domains by commas');
  return all;
}

function absolutePath(text: string): string {
  if (!text.startsWith('/')) throw new Error('wants an absolute path');
  return text;
}

function address(text: string): { hostname: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname === undefined || Number(port) > 65_535) throw new Error('wants address:port');
  return { hostname, port: Number(port) };
}

function nodeListen(text: string): ApiConfig['nodeListen'] | undefined {
  const listen: ApiConfig['nodeListen'] = {};
  for (const part of text.split(',')) {
    if (part.startsWith('unix:/')) listen.socket = part.slice(5);
    else if (part.startsWith('tls:')) listen.tls = address(part.slice(4));
    else throw new Error('wants unix: and an absolute path, or tls:address:port');
  }
  return listen;
}

function httpsOrigin(text: string): string | undefined {
  if (!/^https:\/\/[^/@\s]+$/.test(text)) throw new Error('wants https://host:port');
  return text;
}

function origins(text: string): readonly string[] {
  const named = text.split(',');
  if (named.some((each) => !/^https?:\/\/[a-z0-9.:[\]-]+$/.test(each))) throw new Error('wants https://host by comma');
  return named;
}

function databaseUrl(text: string): string | undefined {
  if (!/^(sqlite:\/|postgres(ql)?:\/\/)/.test(text)) throw new Error('wants sqlite:/path or postgres://…');
  return text;
}

function rateLimits(text: string): RateLimits {
  const limits: Record<Bucket, number> = { ...rateLimitsDefault };
  if (text === 'off') {
    for (const bucket of buckets) limits[bucket] = 0;
    return limits;
  }
  const parse = integer(0, 10_000_000);
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=');
    if (!buckets.includes(name as Bucket)) throw new Error(`knows ${buckets.join(', ')}`);
    limits[name as Bucket] = parse(value);
  }
  return limits;
}
