import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { integer, oneOf, readConfig, type Variable } from '@lebureau/kit/config';
import { proxmoxVariables, readProxmoxSettings } from './hypervisor/proxmox/config.ts';
import type { ProxmoxSettings } from './hypervisor/proxmox/settings.ts';

export interface HostdConfig {
  home: string;
  /** `unix:/path` or `https://…`, several of these by comma: the API's node listener. Undefined: the one joined, else that of this machine. */
  apiAddress: string | undefined;
  nodeName: string;
  guestSocket: string;
  /** Where hostd serves the guest contract to an API on another machine; undefined: over a tunnel. */
  guestListen: { hostname: string; port: number } | undefined;
  /** How the API reaches that, where it is not as it listens. */
  guestAddress: string | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  driver: 'qemu' | 'proxmox' | 'fake';
  /** Only with the driver `proxmox`. */
  proxmox?: ProxmoxSettings;
  reclaim: 'on' | 'dry-run';
  effectsMax: number;
  bootTimeoutMs: number;
  resolver?: string;
}

const text = (value: string) => value;

const schema = {
  LEBUREAU_HOME: variable('folder of all files of hostd', (value) => resolve(value), undefined as string | undefined),
  LEBUREAU_API_NODE_ADDRESS: variable(
    'unix:/path or https://… of the API’s node listener; several https://… by comma',
    parseAddress,
    undefined as string | undefined,
  ),
  LEBUREAU_NODE_NAME: variable('name of this node', parseNodeName, nodeNameOf(hostname())),
  LEBUREAU_GUEST_SOCKET: variable(
    'Unix socket on which hostd serves the guest contract',
    (value) => resolve(value),
    undefined as string | undefined,
  ),
  LEBUREAU_GUEST_LISTEN: variable(
    'address:port on which hostd serves the guest contract over TLS; left out: hostd keeps a tunnel to the API',
    parseListen,
    undefined as { hostname: string; port: number } | undefined,
  ),
  LEBUREAU_GUEST_ADDRESS: variable(
    'https://host:port by which the API reaches LEBUREAU_GUEST_LISTEN',
    parseHttps,
    undefined as string | undefined,
  ),
  LEBUREAU_LOG_LEVEL: variable(
    'debug, info, warn, error or silent',
    oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    'info' as const,
  ),
  LEBUREAU_DRIVER: variable(
    'qemu, proxmox, or fake for a node without virtual machines',
    oneOf(['qemu', 'proxmox', 'fake']),
    'qemu' as const,
  ),
  LEBUREAU_RECLAIM: variable(
    'on, or dry-run to only log which orphans would be removed',
    oneOf(['on', 'dry-run']),
    'on' as const,
  ),
  LEBUREAU_EFFECTS_MAX: variable('clones, starts, stops and deletes at once', integer(1, 256), 8),
  LEBUREAU_BOOT_TIMEOUT_SECONDS: variable('how long a guest may take to answer after a start', integer(10, 7200), 600),
  LEBUREAU_RESOLVER: variable('IPv4 address of the DNS resolver of guests', text, undefined as string | undefined),
  ...proxmoxVariables,
};

/** @throws Error that lists every mistake at once. */
export function readHostdConfig(environment: Record<string, string | undefined> = process.env): HostdConfig {
  const values = readConfig(environment, schema);
  const home = values.LEBUREAU_HOME ?? defaultHome();
  return {
    home,
    apiAddress: values.LEBUREAU_API_NODE_ADDRESS,
    nodeName: values.LEBUREAU_NODE_NAME,
    guestSocket: values.LEBUREAU_GUEST_SOCKET ?? join(home, 'run', 'guest.sock'),
    guestListen: values.LEBUREAU_GUEST_LISTEN,
    guestAddress: values.LEBUREAU_GUEST_ADDRESS,
    logLevel: values.LEBUREAU_LOG_LEVEL,
    driver: values.LEBUREAU_DRIVER,
    proxmox:
      values.LEBUREAU_DRIVER === 'proxmox'
        ? readProxmoxSettings(values, {
            resolver: values.LEBUREAU_RESOLVER,
            tokenFile: environment['LEBUREAU_PVE_TOKEN_FILE'],
          })
        : undefined,
    reclaim: values.LEBUREAU_RECLAIM,
    effectsMax: values.LEBUREAU_EFFECTS_MAX,
    bootTimeoutMs: values.LEBUREAU_BOOT_TIMEOUT_SECONDS * 1000,
    resolver: values.LEBUREAU_RESOLVER,
  };
}

function variable<Value>(about: string, parse: (text: string) => Value, fallback: Value): Variable<Value> {
  return { about, parse, fallback };
}

function defaultHome(): string {
  return process.getuid?.() === 0 ? '/var/lib/lebureau' : join(homedir(), '.lebureau');
}

function parseAddress(value: string): string {
  if (!/^(unix:\/.+|https:\/\/[^/@\s,]+(,https:\/\/[^/@\s,]+)*)$/.test(value))
    throw new Error('wants unix:/path, or https://host[:port], several of these by comma');
  return value;
}

function parseHttps(value: string): string {
  if (!/^https:\/\/[^/@\s]+$/.test(value)) throw new Error('wants https://host:port');
  return value;
}

function parseListen(value: string): { hostname: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname === undefined || Number(port) > 65_535) throw new Error('wants address:port');
  return { hostname, port: Number(port) };
}

function parseNodeName(value: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value))
    throw new Error('wants 1 to 63 lower-case letters, digits and dashes');
  return value;
}

/** A host name made to fit. */
function nodeNameOf(host: string): string {
  const fitting = host
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
  return fitting.replace(/-+$/, '') || 'node';
}
