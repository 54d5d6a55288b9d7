import type { Version } from './state.ts';

/** What differs between the two versions, as seen in the recordings. */
export interface VersionFacts {
  version: string;
  release: string;
  repoid: string;
  /** The agent's privilege in 8 is one; the schema names the finer ones of 9. */
  agentPrivilege?: string;
  privileges: { add: string[]; remove: string[] };
  /** Parameters that the schema of 9.1 has and this version has not. */
  absentParameters: string[];
  /** `memhost` in lists and status, `pressure*` in the status of a running VM. */
  memhost: boolean;
  pressure: boolean;
  /** The clone's config file is there when the UPID comes (8), or only this much later (9). */
  cloneConfigAfterMs: number;
  /** A change of the config is checked before its lock is asked for (9), so that a locked VM refuses at once. */
  configCheckedEarly: boolean;
  digestText: string;
  cloneLogsId: boolean;
  /** What `qemu-img create` of a linked clone is told. */
  linkedImage: string;
  /** The log of a task that is not there: one line (8) or a list of one (9). */
  missingLogIsList: boolean;
  rrdFolder: string;
  /** A bridge that is absent is the task's error (9) or QEMU's (8). */
  bridgeCheckedFirst: boolean;
  hostMtu: boolean;
  resizePreallocation: string;
  snapshotLogsKind: boolean;
  /** After a fast stop and start PVE's cleanup of the former QEMU holds the flock. */
  cleanupHoldsLockMs: number;
  nodeMemoryAvailable: boolean;
  haFencing: boolean;
  nodePressure: boolean;
  machine: string;
  /** Whether the check before a migration names the nodes also for a VM that runs. */
  precheckTellsNodes: boolean;
  /** Until a worker does something. */
  taskStartMs: number;
  suspendMs: number;
  resumeMs: number;
}

export const versionFacts: Record<Version, VersionFacts> = {
  '8.4': {
    version: '8.4.21',
    release: '8.4',
    repoid: '2606ac85',
    agentPrivilege: 'VM.Monitor',
    privileges: { add: ['VM.Monitor'], remove: [] },
    absentParameters: ['allow-ksm', 'intel-tdx', 'nets-host-mtu', 'with-conntrack-state'],
    memhost: false,
    pressure: false,
    cloneConfigAfterMs: 0,
    configCheckedEarly: false,
    digestText: 'checksum missmatch (file change by other user?)',
    cloneLogsId: false,
    linkedImage: 'cluster_size=65536 extended_l2=off',
    missingLogIsList: false,
    rrdFolder: 'pve2-vm',
    bridgeCheckedFirst: false,
    hostMtu: false,
    resizePreallocation: '',
    snapshotLogsKind: false,
    cleanupHoldsLockMs: 0,
    nodeMemoryAvailable: false,
    haFencing: false,
    nodePressure: false,
    machine: 'pc-i440fx-7.2+pve0',
    precheckTellsNodes: false,
    taskStartMs: 40,
    suspendMs: 1000,
    resumeMs: 100,
  },
  '9.2': {
    version: '9.2.11',
    release: '9.2',
    repoid: '14a22df3',
    privileges: {
      add: [
        'VM.GuestAgent.Audit',
        'VM.GuestAgent.FileRead',
        'VM.GuestAgent.FileWrite',
        'VM.GuestAgent.FileSystemMgmt',
        'VM.GuestAgent.Unrestricted',
        'VM.Replicate',
      ],
      remove: ['VM.Monitor'],
    },
    absentParameters: [],
    memhost: true,
    pressure: true,
    cloneConfigAfterMs: 75,
    configCheckedEarly: true,
    digestText: 'checksum mismatch (file change by other user?)',
    cloneLogsId: true,
    linkedImage: 'cluster_size=131072 extended_l2=on preallocation=metadata',
    missingLogIsList: true,
    rrdFolder: 'pve-vm-9.0',
    bridgeCheckedFirst: true,
    hostMtu: true,
    resizePreallocation: " '--preallocation=metadata'",
    snapshotLogsKind: true,
    cleanupHoldsLockMs: 30_000,
    nodeMemoryAvailable: true,
    haFencing: true,
    nodePressure: true,
    machine: 'pc-i440fx-7.2+pve0',
    precheckTellsNodes: true,
    taskStartMs: 15,
    suspendMs: 350,
    resumeMs: 10,
  },
};
