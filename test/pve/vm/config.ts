import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Json, JsonObject, Property } from '../api/reference.ts';
import { propertyOf } from '../api/verify.ts';
import type { Config, VmState } from '../world/state.ts';

/** Keys of the file that no caller sets: they have no property in the schema. */
const numericInFile = new Set(['template', 'snaptime']);

/** The file as PVE writes it, near enough: its hash is the `digest`. */
export function digestOf(vm: VmState): string {
  const section = (config: Config) =>
    Object.keys(config)
      .toSorted()
      .map((key) => `${key}: ${config[key]}\n`)
      .join('');
  const pending = section(vm.pending) + vm.pendingDelete.join(',');
  const snapshots = Object.entries(vm.snapshots).map(([name, config]) => `[${name}]\n${section(config)}`);
  return createHash('sha1')
    .update(`${section(vm.config)}[PENDING]\n${pending}${snapshots.join('')}`)
    .digest('hex');
}

/** Numbers and booleans of the schema are numbers in an answer, everything else is text. */
export function typed(properties: Record<string, Property>, key: string, raw: string): Json {
  const type = propertyOf(properties, key)?.type;
  if (numericInFile.has(key) || type === 'integer' || type === 'number' || type === 'boolean') return Number(raw);
  return raw;
}

export function shownConfig(properties: Record<string, Property>, config: Config): JsonObject {
  const shown: JsonObject = {};
  for (const [key, raw] of Object.entries(config)) {
    shown[key] = key === 'cipassword' ? '**********' : typed(properties, key, raw);
  }
  return shown;
}

export const diskKey = /^(?:ide[0-3]|sata[0-5]|scsi(?:[12]?\d|30)|virtio(?:1[0-5]|\d)|efidisk0|tpmstate0|unused\d+)$/;

export interface Drive {
  volume: string;
  options: string[];
}

export function parseDrive(raw: string): Drive {
  const [volume = '', ...options] = raw.split(',');
  return { volume: volume.replace(/^file=/, ''), options };
}

export function isCdrom(raw: string): boolean {
  return parseDrive(raw).options.includes('media=cdrom');
}

export function isCloudInit(raw: string): boolean {
  return /(?:^|[:/-])cloudinit(?:\.|,|$)|-cloudinit(?:\.|,|$)/.test(raw.split(',')[0] ?? '');
}

export function drives(config: Config): [string, string][] {
  return Object.entries(config).filter(([key]) => diskKey.test(key));
}

/** Disks proper: no CD-ROM, no cloud-init drive, nothing unused. */
export function realDisks(config: Config): [string, string][] {
  return drives(config).filter(([key, raw]) => !key.startsWith('unused') && !isCdrom(raw));
}

const units: Record<string, number> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

export function sizeBytes(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text);
  return parts ? Math.floor(Number(parts[1]) * (units[parts[2] ?? ''] ?? 1)) : 0;
}

export function sizeText(bytes: number): string {
  for (const unit of ['T', 'G', 'M', 'K']) {
    const one = units[unit] ?? 1;
    if (bytes >= one && bytes % one === 0) return `${bytes / one}${unit}`;
  }
  return String(bytes);
}

export function driveSize(raw: string): number {
  const size = parseDrive(raw).options.find((one) => one.startsWith('size='));
  return size === undefined ? 0 : sizeBytes(size.slice(5));
}

export function maxDisk(config: Config): number {
  const order = /order=([^,]+)/.exec(config.boot ?? '')?.[1]?.split(';') ?? [];
  const disks = new Map(realDisks(config));
  const boot = order.map((key) => disks.get(key)).find((raw) => raw !== undefined) ?? [...disks.values()][0];
  return boot === undefined ? 0 : driveSize(boot);
}

export function randomMac(): string {
  const tail = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase());
  return `BC:24:11:${tail.join(':')}`;
}

const models =
  'e1000|e1000-82540em|e1000-82544gc|e1000-82545em|e1000e|i82551|i82557b|i82559er|ne2k_isa|ne2k_pci|pcnet|rtl8139|virtio|vmxnet3';

/** `virtio,bridge=vmbr0` gets a MAC; what has one keeps it, in capitals. */
export function withMac(raw: string): string {
  const parts = raw.split(',');
  const at = parts.findIndex((part) => new RegExp(`^(?:model=)?(?:${models})(?:=|$)`).test(part));
  const macAt = parts.findIndex((part) => part.startsWith('macaddr='));
  const [model = 'virtio', mac] = (parts[at] ?? 'virtio').replace(/^model=/, '').split('=');
  const given = mac ?? parts[macAt]?.slice(8);
  const rest = parts.filter((_, place) => place !== at && place !== macAt);
  return [`${model}=${(given ?? randomMac()).toUpperCase()}`, ...rest].join(',');
}

export function macOf(net: string | undefined): string | undefined {
  return /(?:[0-9A-F]{2}:){5}[0-9A-F]{2}/i.exec(net ?? '')?.[0];
}

/** Where a network card is plugged in, and into which VLANs of it. */
export function netParts(net: string): { bridge?: string; tag?: string; trunks?: string } {
  return Object.fromEntries(net.split(',').map((part) => part.split('=') as [string, string]));
}

export function bridgeOf(net: string): string | undefined {
  return /(?:^|,)bridge=([^,]+)/.exec(net)?.[1];
}

/** What a clone does not take over, and what it gets anew. */
export function clonedConfig(
  source: Config,
  given: { name?: string; description?: string; sourceVmid: number },
): Config {
  const config: Config = {};
  const dropped =
    /^(?:template|parent|snaptime|vmstate|runningmachine|runningcpu|running-nets-host-mtu|lock|digest|unused\d+)$/;
  for (const [key, raw] of Object.entries(source)) {
    if (dropped.test(key) || diskKey.test(key)) continue;
    config[key] = /^net\d+$/.test(key) ? withMac(raw.replace(/=(?:[0-9A-F]{2}:){5}[0-9A-F]{2}/i, '')) : raw;
  }
  if (config.smbios1 !== undefined) config.smbios1 = config.smbios1.replace(/uuid=[0-9a-f-]+/i, `uuid=${randomUUID()}`);
  if (config.vmgenid !== undefined) config.vmgenid = randomUUID();
  config.name = given.name ?? `Copy-of-VM-${source.name ?? given.sourceVmid}`;
  if (given.description !== undefined && given.description !== '') config.description = given.description;
  return config;
}

export function agentEnabled(config: Config): boolean {
  return /^(?:enabled=)?(?:1|on|yes|true)(?:,|$)/.test(config.agent ?? '');
}
