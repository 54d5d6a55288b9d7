import type { JsonObject } from '../api/reference.ts';

export type Version = '8.4' | '9.2';

/** Everything the double knows, as JSON: written out and read back it is the same cluster after a restart. */
export interface State {
  version: Version;
  nodes: Record<string, NodeState>;
  storages: Record<string, StorageState>;
  bridges: string[];
  pools: Record<string, { comment?: string; members: number[]; storages?: string[] }>;
  roles: Record<string, string[]>;
  users: string[];
  tokens: Record<string, TokenState>;
  acl: AclEntry[];
  vms: Record<string, VmState>;
  /** Volumes without a VM's config line: snippets, left-over disks. */
  volumes: Record<string, VolumeState>;
  /** What was uploaded, by `NODE VOLUME`; of a shared storage by `* VOLUME`. */
  files: Record<string, FileState>;
  tasks: Record<string, TaskState>;
  taskOrder: string[];
  firewalls: Record<string, FirewallState>;
  /** Samples a minute, by VM id. */
  rrd: Record<string, { time: number; values: JsonObject }[]>;
  nextPid: number;
  quorate: boolean;
}

export interface NodeState {
  ip: string;
  online: boolean;
  fingerprint: string;
  bootedAtMs: number;
  cpus: number;
  memoryBytes: number;
  memoryUsedBytes: number;
  /** What /var/tmp takes of an upload; no limit by default. */
  tmpFreeBytes?: number;
  /** The node's clock is this far from ours. */
  clockSkewMs: number;
}

export interface StorageState {
  type: string;
  content: string[];
  path?: string;
  shared: boolean;
  totalBytes: number;
  /** What is used besides the VMs' own volumes. */
  otherBytes: number;
  nodes?: string[];
  disabled?: boolean;
}

export interface TokenState {
  secret: string;
  privsep: boolean;
  revoked?: boolean;
}

export interface AclEntry {
  path: string;
  /** `user@realm` or `user@realm!token`. */
  who: string;
  role: string;
  propagate: boolean;
}

export type Config = Record<string, string>;

export interface VmState {
  vmid: number;
  node: string;
  config: Config;
  pending: Config;
  pendingDelete: string[];
  snapshots: Record<string, Config>;
  run: RunState | null;
  /** pvestatd's last look: what lists show. Absent for a VM it has not seen yet. */
  sample?: JsonObject;
}

export interface RunState {
  pid: number;
  startedAtMs: number;
  paused: boolean;
  /** It halted because its storage had no room for what it wrote. */
  ioError?: boolean;
  /** The configuration QEMU was started with: what changed since is pending. */
  startConfig: Config;
}

export interface VolumeState {
  sizeBytes: number;
  usedBytes: number;
  format: string;
  parent: string | null;
  vmid: number;
  content: string;
  ctime: number;
}

export interface FileState {
  volume: string;
  content: string;
  format: string;
  sizeBytes: number;
  /** Of the disk in it. */
  virtualBytes: number;
  ctime: number;
}

export interface TaskState {
  upid: string;
  node: string;
  pid: number;
  pstart: number;
  starttime: number;
  endtime?: number;
  type: string;
  id: string;
  /** `user@realm!token` or `user@realm`. */
  who: string;
  exitstatus?: string;
  log: string[];
}

export interface FirewallState {
  options: Record<string, string | number>;
  rules: Record<string, string | number>[];
  ipsets: Record<string, { comment?: string; entries: Record<string, string | number>[] }>;
  /** By their names in small letters. */
  aliases: Record<string, { name?: string; cidr: string; comment?: string }>;
  groups: Record<string, { comment?: string; rules: Record<string, string | number>[] }>;
}

export function emptyFirewall(): FirewallState {
  return { options: {}, rules: [], ipsets: {}, aliases: {}, groups: {} };
}
