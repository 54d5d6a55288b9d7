import type { ProxmoxSettings } from '../hypervisor/proxmox/settings.ts';

/** What differs between the versions of Proxmox VE that are supported, by their major number. */
const agentPrivileges: Readonly<Record<string, readonly string[]>> = {
  '8': ['VM.Monitor'],
  // Refuses the name of 8.
  '9': ['VM.GuestAgent.Unrestricted'],
};

/** The first version of each that is supported; before 8.4 disks cannot be uploaded. */
export const oldestVersions: Readonly<Record<string, string>> = { '8': '8.4', '9': '9.0' };

/** One role on one path. */
export interface Grant {
  path: string;
  role: string;
  privileges: readonly string[];
  propagate: boolean;
}

const poolPrivileges = [
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
  'VM.Migrate',
];

/** All that hostd may: nothing outside its pool, and to read of the node and the datacenter. */
export function grantsFor(settings: ProxmoxSettings, ask: { major: string; storages: readonly string[] }): Grant[] {
  const { pool, bridge, node, importStorage } = settings;
  const audit = { role: 'LeBureauAudit', privileges: ['Sys.Audit'] };
  return [
    {
      path: `/pool/${pool}`,
      role: 'LeBureauPool',
      privileges: [...poolPrivileges, ...(agentPrivileges[ask.major] ?? [])],
      propagate: true,
    },
    ...ask.storages.map((storage) => ({
      path: `/storage/${storage}`,
      role: 'LeBureauStorage',
      privileges: ['Datastore.AllocateSpace', 'Datastore.Audit'],
      propagate: true,
    })),
    {
      // Deleting an upload takes the right to delete anything there, so the storage should hold nothing else.
      path: `/storage/${importStorage}`,
      role: 'LeBureauImport',
      privileges: ['Datastore.Allocate', 'Datastore.AllocateTemplate', 'Datastore.Audit'],
      propagate: true,
    },
    {
      path: `/sdn/zones/localnetwork/${bridge}`,
      role: 'LeBureauBridge',
      privileges: ['SDN.Use'],
      propagate: true,
    },
    { path: `/nodes/${node}`, ...audit, propagate: true },
    // Whether the firewall of the datacenter is on, and the addresses of the nodes.
    { path: '/', ...audit, propagate: false },
  ];
}

/** A token with privilege separation has none of its user's rights until it is given them, too. */
export function grantLines(grant: Grant, tokenId: string): string[] {
  const user = tokenId.split('!')[0]!;
  const acl = `pveum acl modify ${grant.path} --roles ${grant.role} --propagate ${Number(grant.propagate)}`;
  return [roleLine(grant), `${acl} --users ${user}`, `${acl} --tokens '${tokenId}'`];
}

/** Makes the role, or gives it what it lacks. */
export function roleLine({ role, privileges }: Grant): string {
  const words = `${role} --privs "${privileges.join(' ')}"`;
  return `pveum role add ${words} 2>/dev/null || pveum role modify ${words}`;
}
