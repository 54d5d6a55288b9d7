import { randomUUID } from 'node:crypto';
import { newVm } from '../vm/lifecycle.ts';
import { randomMac } from '../vm/config.ts';
import type { Config, State, VmState, Version } from './state.ts';
import { versionFacts } from './versions.ts';

const GiB = 1024 ** 3;

/** The rights with which the whole life of a desktop passed, as a role for the pool. */
export function deskPrivileges(version: Version): string[] {
  return [
    'VM.Audit',
    'VM.Clone',
    'VM.Allocate',
    'VM.Config.Disk',
    'VM.Config.CPU',
    'VM.Config.Memory',
    'VM.Config.Network',
    'VM.Config.Cloudinit',
    'VM.Config.Options',
    'VM.Config.HWType',
    'VM.PowerMgmt',
    'VM.Console',
    'VM.Snapshot',
    version === '8.4' ? 'VM.Monitor' : 'VM.GuestAgent.Unrestricted',
  ];
}

const common =
  'Datastore.Allocate Datastore.AllocateSpace Datastore.AllocateTemplate Datastore.Audit Group.Allocate Mapping.Audit Mapping.Modify Mapping.Use Permissions.Modify Pool.Allocate Pool.Audit Realm.Allocate Realm.AllocateUser SDN.Allocate SDN.Audit SDN.Use Sys.AccessNetwork Sys.Audit Sys.Console Sys.Incoming Sys.Modify Sys.PowerMgmt Sys.Syslog User.Modify VM.Allocate VM.Audit VM.Backup VM.Clone VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.Console VM.Migrate VM.PowerMgmt VM.Snapshot VM.Snapshot.Rollback';

export interface SeedOptions {
  version: Version;
  /** Names; the first is the one whose daemon is asked. */
  nodes: string[];
  nowMs: number;
}

/** A small cluster: `local` on each node, one pool, one bridge, a template for cloud-init with an agent. */
export function seedState(options: SeedOptions): State {
  const { version, nodes, nowMs } = options;
  const { privileges } = versionFacts[version];
  const state: State = {
    version,
    nodes: {},
    storages: {
      local: {
        type: 'dir',
        content: ['images', 'rootdir', 'iso', 'vztmpl', 'backup', 'snippets'],
        path: '/var/lib/vz',
        shared: false,
        totalBytes: 400 * GiB,
        otherBytes: GiB,
      },
    },
    bridges: ['vmbr0'],
    pools: { desks: { members: [] } },
    roles: {
      Administrator: [...common.split(' '), ...privileges.add],
      DeskPool: deskPrivileges(version),
      DeskStorage: ['Datastore.AllocateSpace', 'Datastore.Audit'],
      DeskBridge: ['SDN.Use'],
      DeskAudit: ['Sys.Audit'],
    },
    users: ['root@pam'],
    tokens: {},
    acl: [],
    vms: {},
    volumes: {},
    files: {},
    tasks: {},
    taskOrder: [],
    firewalls: {},
    rrd: {},
    nextPid: 2000,
    quorate: true,
  };
  for (const [at, node] of nodes.entries()) {
    state.nodes[node] = {
      ip: `10.10.10.${at + 1}`,
      online: true,
      fingerprint: Array.from({ length: 32 }, () => 'AB').join(':'),
      bootedAtMs: nowMs - 7_000_000,
      cpus: 16,
      memoryBytes: 64 * GiB,
      memoryUsedBytes: 2 * GiB,
      clockSkewMs: 0,
    };
  }
  return state;
}

/** A user, a token of it and what both may do. @returns the header's value after `PVEAPIToken=`. */
export function addToken(state: State, who: string, grants: { path: string; role: string }[]): string {
  const user = who.split('!')[0] ?? who;
  const secret = randomUUID();
  state.users.push(user);
  state.tokens[who] = { secret, privsep: true };
  for (const { path, role } of grants) {
    for (const one of [user, who]) state.acl.push({ path, who: one, role, propagate: true });
  }
  return `${who}=${secret}`;
}

/** What `addToken` needs for a token with no more rights than a desktop's life takes. */
export function deskGrants(state: State): { path: string; role: string }[] {
  return [
    { path: '/pool/desks', role: 'DeskPool' },
    { path: '/storage/local', role: 'DeskStorage' },
    ...state.bridges.map((bridge) => ({ path: `/sdn/zones/localnetwork/${bridge}`, role: 'DeskBridge' })),
    ...Object.keys(state.nodes).map((node) => ({ path: `/nodes/${node}`, role: 'DeskAudit' })),
  ];
}

/** A template with a disk of 1 GiB, a cloud-init drive, a network card and an agent. */
export function addTemplate(
  state: State,
  one: { vmid: number; node: string; name: string; nowMs: number; memoryMiB?: number; size?: string },
): VmState {
  const { vmid } = one;
  const config: Config = {
    agent: '1',
    boot: 'order=scsi0;ide2;net0',
    cores: '1',
    ide2: `local:${vmid}/vm-${vmid}-cloudinit.qcow2,media=cdrom`,
    memory: String(one.memoryMiB ?? 1024),
    meta: `creation-qemu=7.2.22,ctime=${Math.floor(one.nowMs / 1000)}`,
    name: one.name,
    net0: `virtio=${randomMac()},bridge=vmbr0,firewall=1`,
    ostype: 'l26',
    scsi0: `local:${vmid}/base-${vmid}-disk-0.qcow2,size=${one.size ?? '1G'}`,
    scsihw: 'virtio-scsi-single',
    serial0: 'socket',
    smbios1: `uuid=${randomUUID()}`,
    template: '1',
    vga: 'std',
    vmgenid: randomUUID(),
  };
  const vm = newVm(vmid, one.node, config);
  state.vms[vmid] = vm;
  state.pools.desks?.members.push(vmid);
  return vm;
}
