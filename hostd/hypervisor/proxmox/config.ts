import { readFileSync } from 'node:fs';
import type { Variable } from '@lebureau/kit/config';
import { checkAddressing } from './addressing.ts';
import type { ProxmoxSettings, VmidRange } from './settings.ts';
import { PveToken } from './token.ts';

const absent = undefined as string | undefined;
const noPort = undefined as number | undefined;

/** Variables of the Proxmox VE driver, in the schema of hostd's configuration. */
export const proxmoxVariables = {
  LEBUREAU_PVE_URL: variable('https://host:8006 of Proxmox VE’s API', parseUrl, absent),
  LEBUREAU_PVE_TOKEN: {
    ...variable('API token USER@REALM!NAME=UUID', (value) => PveToken.parse(value), absent),
    file: true,
  },
  LEBUREAU_PVE_CA: variable('file with the authority of its certificate', text, absent),
  LEBUREAU_PVE_FINGERPRINT: variable('SHA-256 fingerprint of its certificate', parseFingerprint, absent),
  LEBUREAU_PVE_NODE: variable('name of the Proxmox VE node', text, absent),
  LEBUREAU_PVE_STORAGE: variable('storage of the disks, when not that of the template', text, absent),
  LEBUREAU_PVE_IMPORT_STORAGE: variable('storage that templates are uploaded to', text, 'lebureau'),
  LEBUREAU_PVE_BRIDGE: variable('bridge of the guests', text, 'vmbr1'),
  LEBUREAU_PVE_POOL: variable('resource pool of the desktops', text, 'lebureau'),
  LEBUREAU_PVE_VMID_RANGE: variable('VM ids of desktops, FIRST-LAST', parseRange, { first: 100_000, last: 160_000 }),
  LEBUREAU_PVE_NETWORK: variable('IPv4 network of the guests', text, '10.77.0.0/16'),
  LEBUREAU_PVE_GATEWAY: variable('gateway of the guests', text, '10.77.0.1'),
  LEBUREAU_PVE_HOSTD_SOURCE: variable('address from which hostd reaches guests', text, absent),
  LEBUREAU_PVE_BLOCKED: variable('further networks closed to guests, by commas', parseList, []),
  LEBUREAU_PVE_GUEST_VNC: variable(
    'port of a VNC server in each guest, instead of the hypervisor’s display',
    parsePort,
    noPort,
  ),
  LEBUREAU_PVE_UNLOCK_COMMAND: variable('command that frees a cut-off clone, with {vmid}', parseCommand, undefined),
} satisfies Record<string, Variable<unknown>>;

type Values = {
  [Name in keyof typeof proxmoxVariables]: (typeof proxmoxVariables)[Name] extends Variable<infer Value>
    ? Value
    : never;
};

/** Where no resolver is named: Quad9. The node's own is often on a network that guests may not reach. */
const defaultResolver = '9.9.9.9';

/** @throws Error that names what is missing or contradicts. */
export function readProxmoxSettings(
  values: Values,
  beside: { resolver?: string; tokenFile?: string },
): ProxmoxSettings {
  const { LEBUREAU_PVE_URL: url, LEBUREAU_PVE_TOKEN: token, LEBUREAU_PVE_NODE: node } = values;
  if (url === undefined || token === undefined || node === undefined)
    throw new Error('LEBUREAU_DRIVER=proxmox wants LEBUREAU_PVE_URL, LEBUREAU_PVE_TOKEN_FILE and LEBUREAU_PVE_NODE');
  const { LEBUREAU_PVE_CA: caFile, LEBUREAU_PVE_FINGERPRINT: fingerprint } = values;
  const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  const settings: ProxmoxSettings = {
    endpoint: { url, ca, fingerprint },
    token,
    tokenFile: beside.tokenFile,
    node,
    storage: values.LEBUREAU_PVE_STORAGE,
    importStorage: values.LEBUREAU_PVE_IMPORT_STORAGE,
    bridge: values.LEBUREAU_PVE_BRIDGE,
    pool: values.LEBUREAU_PVE_POOL,
    vmids: values.LEBUREAU_PVE_VMID_RANGE,
    guestNetwork: {
      cidr: values.LEBUREAU_PVE_NETWORK,
      gateway: values.LEBUREAU_PVE_GATEWAY,
      resolver: beside.resolver ?? defaultResolver,
      hostdSource: values.LEBUREAU_PVE_HOSTD_SOURCE,
      blocked: values.LEBUREAU_PVE_BLOCKED,
    },
    guestVncPort: values.LEBUREAU_PVE_GUEST_VNC,
    unlockCommand: values.LEBUREAU_PVE_UNLOCK_COMMAND,
  };
  checkAddressing(settings.vmids, settings.guestNetwork);
  return settings;
}

function variable<Value>(about: string, parse: (text: string) => Value, fallback: Value): Variable<Value> {
  return { about, parse, fallback };
}

function text(value: string): string {
  return value;
}

/** Without TLS the token would be readable by everybody on the way. */
function parseUrl(value: string): string {
  const isLoopback = /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(value);
  if (!/^https:\/\/[^/]+$/.test(value) && !isLoopback) throw new Error('wants https://host:8006');
  return value;
}

function parseFingerprint(value: string): string {
  if (!/^([0-9a-f]{2}:){31}[0-9a-f]{2}$/i.test(value)) throw new Error('wants 32 pairs of hexadecimal digits');
  return value.toUpperCase();
}

function parseRange(value: string): VmidRange {
  const match = /^(\d{3,9})-(\d{3,9})$/.exec(value);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || first < 100 || last < first) throw new Error('wants FIRST-LAST, such as 100000-160000');
  return { first, last };
}

function parseList(value: string): string[] {
  return value.split(',').map((each) => each.trim());
}

function parsePort(value: string): number | undefined {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('wants a port');
  return port;
}

function parseCommand(value: string): readonly string[] | undefined {
  if (!value.includes('{vmid}')) throw new Error('wants a command with {vmid}');
  return value.trim().split(/\s+/);
}
