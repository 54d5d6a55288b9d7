import type { PastMetrics, VmMetrics } from '../driver.ts';
import { vmsNamed } from './find.ts';
import type { ListedVm, ListedUse } from './lists.ts';
import { vmApi, type Site } from './site.ts';

const rowMs = 60_000;

/** What Proxmox VE tells of VMs that run, with the list that is asked for anyway. */
export class PveMetrics {
  readonly #site: Site;
  /** The processes of which another share than 0 was told. */
  #busy = new Set<string>();

  constructor(site: Site) {
    this.#site = site;
  }

  async read(): Promise<VmMetrics[]> {
    const running = (await this.#site.lists.ofNode()).filter((vm) => isOurs(vm) && vm.use !== undefined);
    const busy = new Set<string>();
    const seen = running.map((vm) => {
      const life = `${vm.vmid}:${vm.use!.pid ?? 0}`;
      if ((vm.use!.cpu ?? 0) > 0 || this.#busy.has(life)) busy.add(life);
      return metricsOf(vm, life, busy.has(life));
    });
    this.#busy = busy;
    return seen;
  }

  /** One request, of a table that Proxmox VE keeps for each VM id: what is older than the VM's start is another's. */
  async past(vmRef: string): Promise<PastMetrics[]> {
    const site = this.#site;
    const vm = (await vmsNamed(site, vmRef, false))[0];
    if (vm?.use?.uptime === undefined) return [];
    const rows = (await vmApi(site, vm).rrddata.$get({ timeframe: 'hour', cf: 'AVERAGE' })) as unknown as RrdRow[];
    const nodeNowMs = site.clock.nowMs() + (site.client.skewMs() ?? 0);
    return pastOf(rows, { nodeNowMs, startedMs: nodeNowMs - vm.use.uptime * 1000 });
  }
}

function isOurs(vm: ListedVm): boolean {
  return !vm.isTemplate && vm.status === 'running' && vm.name !== undefined;
}

/**
 * The processor's share is measured by whichever worker of Proxmox VE answers, since it last looked at this process; one
 * that never did says 0. So 0 means something only once another share was told.
 */
function metricsOf(vm: ListedVm, life: string, isBusy: boolean): VmMetrics {
  const { cpu, cpus, mem, memhost, diskread, diskwrite, netin, netout } = vm.use!;
  return {
    vmRef: vm.name!,
    life,
    cpuCores: isBusy ? times(cpu, cpus) : undefined,
    memoryUsedKiB: times(mem, 1 / 1024),
    memoryHostKiB: times(memhost, 1 / 1024),
    // `disk` is 0 for every QEMU guest.
    diskReadBytes: diskread,
    diskWrittenBytes: diskwrite,
    networkReceivedBytes: netin,
    networkSentBytes: netout,
  };
}

/** A row holds means of the minute that begins at `time`; of what was not known nothing. */
export interface RrdRow extends Pick<
  ListedUse,
  'cpu' | 'mem' | 'memhost' | 'diskread' | 'diskwrite' | 'netin' | 'netout'
> {
  time: number;
  maxcpu?: number;
}

/** Pure. Rates become what happened in the minute. */
export function pastOf(rows: readonly RrdRow[], at: { nodeNowMs: number; startedMs: number }): PastMetrics[] {
  const seconds = rowMs / 1000;
  return rows.flatMap((row): PastMetrics[] => {
    const beganMs = row.time * 1000;
    const agoMs = at.nodeNowMs - beganMs - rowMs;
    if (row.mem === undefined || beganMs < at.startedMs || agoMs < 0) return [];
    return [
      {
        agoMs,
        overMs: rowMs,
        used: {
          cpuMs: whole(times(times(row.cpu, row.maxcpu), rowMs)),
          memoryUsedKiB: whole(times(row.mem, 1 / 1024)),
          memoryHostKiB: whole(times(row.memhost, 1 / 1024)),
          diskReadBytes: whole(times(row.diskread, seconds)),
          diskWrittenBytes: whole(times(row.diskwrite, seconds)),
          networkReceivedBytes: whole(times(row.netin, seconds)),
          networkSentBytes: whole(times(row.netout, seconds)),
        },
      },
    ];
  });
}

function times(value: number | undefined, factor: number | undefined): number | undefined {
  return value === undefined || factor === undefined ? undefined : value * factor;
}

function whole(value: number | undefined): number | undefined {
  return value === undefined || !Number.isFinite(value) ? undefined : Math.max(0, Math.round(value));
}
