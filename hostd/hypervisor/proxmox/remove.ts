import { Fault } from '@lebureau/kit/fault';
import { vmidsToTry } from './addressing.ts';
import { readIfThere, requireQuorum, vmsNamed } from './find.ts';
import { isBeingCloned, readOrReveal, removal, type HalfClones } from './halfClone.ts';
import type { ListedVm } from './lists.ts';
import { powerSeen } from './observe.ts';
import { stopNow } from './power.ts';
import type { Site } from './site.ts';
import { finishTask } from './task.ts';
import { isMissing } from './faults.ts';

/** Removes every VM of this name that is the owner's: only lost answers can have made a second one. */
export async function removeVm(
  parts: { site: Site; halfClones: HalfClones },
  vmRef: string,
  owner: string,
): Promise<void> {
  const { site } = parts;
  const all = await vmsNamed(site, vmRef, true);
  if (all.length === 0) all.push(...(await hiddenVm(parts, vmRef)));
  for (const vm of all) await removeOne(parts, vm, owner);
}

/** A clone that still runs may be this very one, and cannot be seen before it ends; one that was cut off never. */
async function hiddenVm(parts: { site: Site; halfClones: HalfClones }, vmRef: string): Promise<ListedVm[]> {
  const { site, halfClones } = parts;
  const { node, vmids } = site.settings;
  await requireQuorum(site);
  const ids = vmidsToTry(vmRef, vmids);
  const at = (vmid: number): ListedVm => ({ vmid, node, status: 'stopped', isTemplate: false, tags: [] });
  await halfClones.requireIdle(site, at(ids[0]!));
  const ended = await vmsNamed(site, vmRef, true);
  if (ended.length > 0) return ended;
  // The id that its clone got: the first that is not another's.
  const taken = new Set((await site.lists.ofCluster()).map((vm) => vm.vmid));
  const vmid = ids.find((each) => !taken.has(each));
  if (vmid === undefined) return [];
  const found = await readOrReveal(parts, at(vmid));
  return typeof found === 'object' && found.name === vmRef ? [at(vmid)] : [];
}

async function removeOne(
  { site, halfClones }: { site: Site; halfClones: HalfClones },
  vm: ListedVm,
  owner: string,
): Promise<void> {
  // Read now, not remembered: nothing is destroyed on old knowledge.
  let record = await readIfThere(site, vm);
  if (record === undefined) return;
  if (record.marker?.owner !== owner)
    throw new Fault('not_ours', `Virtual machine ${vm.vmid} belongs to another owner, or carries no marker.`);
  if (isBeingCloned(record)) record = await halfClones.settle(site, vm);
  if (record === undefined) return;
  if (powerSeen(vm, record.lock).power !== 'off' || vm.status === 'running') await stopNow(site, vm);
  site.records.forget(vm.vmid);
  try {
    await finishTask(site, await removal(site, record));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  site.records.forget(vm.vmid);
}
