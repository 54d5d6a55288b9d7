import type { Clock } from '@lebureau/kit/clock';
import type { PveApi } from './client.ts';
import type { ProxmoxSettings } from './settings.ts';
import { SharedCall } from './sharedCall.ts';
import type { VmPlace } from './site.ts';

/** A VM as a list tells of it. */
export interface ListedVm extends VmPlace {
  /** Missing for some seconds after it was made, and while its node is away. */
  name?: string;
  /** `running`, `stopped`, or `unknown` while its node is away. */
  status: string;
  /** Of QEMU itself: `running`, `paused`, `io-error`, … Only in the list of the own node. */
  qmpStatus?: string;
  lock?: string;
  isTemplate: boolean;
  /** Size of the disk it boots from, where a list told it. */
  diskMiB?: number;
  tags: readonly string[];
  /** Only of one that runs, in the list of the own node. */
  use?: ListedUse;
}

/** What a VM uses, as the list says it: bytes, of disk and network since it was started. */
export interface ListedUse {
  pid?: number;
  /** Seconds. */
  uptime?: number;
  /** Share of `cpus`. */
  cpu?: number;
  cpus?: number;
  mem?: number;
  /** Since Proxmox VE 9. */
  memhost?: number;
  diskread?: number;
  diskwrite?: number;
  netin?: number;
  netout?: number;
}

interface Row extends ListedUse {
  type?: string;
  vmid?: number;
  node?: string;
  name?: string;
  status?: string;
  qmpstatus?: string;
  lock?: string;
  template?: boolean | number;
  tags?: string;
  maxdisk?: number;
}

/** Two calls serve every look at every VM; each is made at most once a second. */
const goodMs = 1_000;

/**
 * The list of the own node is read from the configurations and processes themselves. That of the cluster tells where
 * VMs are, and lags up to ten seconds in what they do (each node reports that often).
 */
export class VmLists {
  readonly #node: SharedCall<ListedVm[]>;
  readonly #cluster: SharedCall<ListedVm[]>;

  constructor(api: PveApi, settings: ProxmoxSettings, clock: Clock) {
    const { node } = settings;
    const inRange = (vm: ListedVm) =>
      vm.isTemplate || (vm.vmid >= settings.vmids.first && vm.vmid <= settings.vmids.last);
    this.#node = new SharedCall(
      async () => {
        const rows = (await api.nodes.$(node).qemu.$get({ full: true })) as Row[];
        return rows.map((row) => ({ ...listed({ ...row, node }), use: useOf(row) })).filter(inRange);
      },
      clock,
      goodMs,
    );
    this.#cluster = new SharedCall(
      async () => {
        const rows = (await api.cluster.resources.$get({ type: 'vm' })) as Row[];
        return rows.map(listed).filter(inRange);
      },
      clock,
      goodMs,
    );
  }

  ofNode(): Promise<ListedVm[]> {
    return this.#node.get();
  }

  ofCluster(): Promise<ListedVm[]> {
    return this.#cluster.get();
  }

  /** Something was changed: what the lists said before counts no more. */
  outdate(): void {
    this.#node.outdate();
    this.#cluster.outdate();
  }

  freshOfNode(): Promise<ListedVm[]> {
    return this.#node.fresh();
  }

  freshOfCluster(): Promise<ListedVm[]> {
    return this.#cluster.fresh();
  }
}

function useOf(row: Row): ListedUse | undefined {
  if (row.status !== 'running') return undefined;
  const { pid, uptime, cpu, cpus, mem, memhost, diskread, diskwrite, netin, netout } = row;
  return { pid, uptime, cpu, cpus, mem, memhost, diskread, diskwrite, netin, netout };
}

function listed(row: Row): ListedVm {
  return {
    vmid: Number(row.vmid),
    node: row.node ?? '',
    name: row.name,
    status: row.status ?? 'unknown',
    qmpStatus: row.qmpstatus,
    lock: row.lock,
    isTemplate: Number(row.template ?? 0) === 1,
    diskMiB: row.maxdisk === undefined ? undefined : Math.floor(row.maxdisk / 2 ** 20),
    tags: row.tags?.split(/[;, ]/).filter((tag) => tag !== '') ?? [],
  };
}
