import { describeError, Fault } from '@lebureau/kit/fault';
import { isForbidden } from './faults.ts';
import { readIfThere } from './find.ts';
import type { ListedVm } from './lists.ts';
import type { VmRecord } from './records.ts';
import { vmApi, type Site } from './site.ts';
import { finishTask } from './task.ts';

export function isBeingCloned(record: VmRecord): boolean {
  return record.lock === 'clone' || record.lock === 'create';
}

/** What a clone is called before it has a configuration of its own: Proxmox VE's words. */
export function isCloneDraft(record: VmRecord): boolean {
  return record.marker === undefined && String(record.config.description ?? '').trim() === 'qmclone temporary file';
}

/**
 * Clones that were seen locked, with the clone tasks that ran then. When none of those runs any more and the lock is
 * still there, nobody will ever take it off: the node lost power in the middle.
 */
export class HalfClones {
  readonly #tasksOf = new Map<number, ReadonlySet<string>>();

  /**
   * A clone that ended meanwhile as it is, or undefined when a stale one was removed: nobody ever started it, so nothing
   * is in it.
   * @throws Fault `hypervisor_failed` while it may go on; `needs_operator` when only root can take the lock off.
   */
  async settle(site: Site, vm: ListedVm): Promise<VmRecord | undefined> {
    await this.requireIdle(site, vm);
    const record = await readIfThere(site, vm);
    if (record === undefined || !(isBeingCloned(record) || isCloneDraft(record))) return record;
    if (isBeingCloned(record)) await takeLockOff(site, record);
    await removeUnstarted(site, record);
    return undefined;
  }

  /** @throws Fault `hypervisor_failed` while a clone runs that also ran when this VM was first asked about. */
  async requireIdle(site: Site, vm: ListedVm): Promise<void> {
    const running = await cloneTasks(site, vm.node);
    const atFirst = this.#tasksOf.get(vm.vmid) ?? running;
    this.#tasksOf.set(vm.vmid, atFirst);
    if ([...atFirst].some((upid) => running.has(upid)))
      throw new Fault('hypervisor_failed', `Virtual machine ${vm.vmid} is still being cloned.`);
    this.#tasksOf.delete(vm.vmid);
  }
}

/** What nobody ever started holds nothing of anybody. */
export async function removeUnstarted(site: Site, record: VmRecord): Promise<void> {
  site.records.forget(record.vmid);
  await finishTask(site, await removal(site, record));
  site.records.forget(record.vmid);
}

/** @throws Fault `hypervisor_failed` while it may be a clone of ours that still runs. */
export async function readOrReveal(
  { site, halfClones }: { site: Site; halfClones: HalfClones },
  vm: ListedVm,
): Promise<VmRecord | 'free' | 'others'> {
  const now = await readUnlessForbidden(site, vm);
  return now === 'others' ? revealVm(site, halfClones, vm) : now;
}

/**
 * An id that we may not look at: another's, or a clone that is not in our pool yet (Proxmox VE adds it last).
 * @throws Fault `hypervisor_failed` while it may be a clone of ours that still runs.
 */
async function revealVm(site: Site, halfClones: HalfClones, vm: ListedVm): Promise<VmRecord | 'free' | 'others'> {
  await halfClones.requireIdle(site, vm);
  // It may have become visible while we asked what runs.
  const now = await readUnlessForbidden(site, vm);
  if (now !== 'others' || site.unlock === undefined) return now;
  try {
    // Refuses whatever is not a cut-off clone of our range, and puts it into our pool.
    await site.unlock(vm.vmid);
    return (await readIfThere(site, vm)) ?? 'free';
  } catch (error) {
    site.log.warn('id is not ours', { vmid: vm.vmid, error: describeError(error) });
    return 'others';
  }
}

async function readUnlessForbidden(site: Site, vm: ListedVm): Promise<VmRecord | 'free' | 'others'> {
  try {
    return (await readIfThere(site, vm)) ?? 'free';
  } catch (error) {
    if (isForbidden(error)) return 'others';
    throw error;
  }
}

async function cloneTasks(site: Site, node: string): Promise<ReadonlySet<string>> {
  const tasks = (await site.client.api.nodes
    .$(node)
    .tasks.$get({ source: 'active', typefilter: 'qmclone' })) as unknown as { upid: string; endtime?: number }[];
  return new Set(tasks.filter((task) => task.endtime === undefined).map((task) => task.upid));
}

/** Only root may: a token has no right that helps. */
async function takeLockOff(site: Site, record: VmRecord): Promise<void> {
  if (site.unlock === undefined)
    throw new Fault('needs_operator', `Virtual machine ${record.vmid} is locked by a clone that was cut off.`, {
      hint: `Run "qm unlock ${record.vmid}" on node ${record.node}, or set LEBUREAU_PVE_UNLOCK_COMMAND.`,
    });
  site.log.warn('stale lock was taken off', { vmid: record.vmid, lock: record.lock });
  await site.unlock(record.vmid);
}

export function removal(site: Site, record: VmRecord): Promise<string> {
  return vmApi(site, record).$delete({ purge: true, 'destroy-unreferenced-disks': true });
}
