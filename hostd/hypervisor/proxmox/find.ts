import { Fault } from '@lebureau/kit/fault';
import { isMissing } from './faults.ts';
import type { ListedVm } from './lists.ts';
import type { VmRecord } from './records.ts';
import { homeTag, vmApi, type Site } from './site.ts';

const looksMax = 4;

/** Every VM of this name in our range, on this node or moved to another. @param isFresh looks anew, for effects. */
export async function vmsNamed(site: Site, vmRef: string, isFresh: boolean): Promise<ListedVm[]> {
  const { lists, settings } = site;
  const here = (await (isFresh ? lists.freshOfNode() : lists.ofNode())).filter(
    (vm) => vm.name === vmRef && !vm.isTemplate,
  );
  if (here.length > 0 && !isFresh) return here;
  const cluster = await (isFresh ? lists.freshOfCluster() : lists.ofCluster());
  const elsewhere: ListedVm[] = [];
  for (const vm of cluster) {
    if (vm.node === settings.node || vm.isTemplate) continue;
    if (vm.name !== vmRef && (vm.name !== undefined || !(await isNamed(site, vm, vmRef)))) continue;
    const now = await asItIs(site, vm);
    if (now !== undefined) elsewhere.push(now);
  }
  return [...here, ...elsewhere];
}

/**
 * What `look` finds. It looks again when it finds nothing of what the list of the cluster still has: a VM may go from one
 * node to another between two requests, and would be taken for gone.
 */
export async function findMoving<Found>(
  site: Site,
  vmRef: string,
  look: (isAgain: boolean) => Promise<Found[]>,
): Promise<Found[]> {
  let found = await look(false);
  for (let looks = 1; found.length === 0 && looks < looksMax && (await isListed(site, vmRef)); looks++)
    found = await look(true);
  return found;
}

async function isListed(site: Site, vmRef: string): Promise<boolean> {
  const isIt = (vm: ListedVm) => vm.name === vmRef || (vm.name === undefined && hasHome(vm));
  return (await site.lists.ofCluster()).some((vm) => isIt(vm) && !vm.isTemplate);
}

function hasHome(vm: ListedVm): boolean {
  return vm.tags.some((tag) => tag.startsWith(homeTag('')));
}

/** What a VM on another node does now: the list of the cluster tells it too late. Undefined when it is gone. */
export async function asItIs(site: Site, vm: ListedVm): Promise<ListedVm | undefined> {
  try {
    const { status, qmpstatus, lock } = (await vmApi(site, vm).status.current.$get()) as unknown as {
      status: string;
      qmpstatus?: string;
      lock?: string;
    };
    return { ...vm, status, qmpStatus: qmpstatus, lock };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A VM that moved and whose new node has not told its name yet. */
async function isNamed(site: Site, vm: ListedVm, vmRef: string): Promise<boolean> {
  return hasHome(vm) && (await readIfThere(site, vm))?.name === vmRef;
}

/** Undefined when it is gone. @throws PveError */
export async function readIfThere(site: Site, vm: ListedVm): Promise<VmRecord | undefined> {
  try {
    return await site.records.read(vm);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * The VM of this name with its configuration as it is now. Of several, which only lost answers can leave behind, the
 * one that was started last, then the one that is complete.
 * @throws Fault `vm_missing`
 */
export async function requireVm(site: Site, vmRef: string): Promise<{ vm: ListedVm; record: VmRecord }> {
  const found = await ownedVm(site, vmRef);
  if (found === undefined) throw new Fault('vm_missing', `There is no virtual machine ${vmRef}.`);
  return found;
}

export async function ownedVm(site: Site, vmRef: string): Promise<{ vm: ListedVm; record: VmRecord } | undefined> {
  const all = await findMoving(site, vmRef, async () => {
    const there: { vm: ListedVm; record: VmRecord }[] = [];
    for (const vm of await vmsNamed(site, vmRef, true)) {
      const record = await readIfThere(site, vm);
      if (record !== undefined) there.push({ vm, record });
    }
    return there;
  });
  const rank = ({ record: { marker } }: { record: VmRecord }) =>
    marker === undefined ? -1 : marker.boot * 2 + Number(marker.complete);
  return all.toSorted((a, b) => rank(b) - rank(a) || a.vm.vmid - b.vm.vmid)[0];
}

/** @throws Fault when the cluster cannot be sure of what it holds. */
export async function requireQuorum(site: Site): Promise<void> {
  const rows = (await site.client.api.cluster.status.$get()) as { type?: string; quorate?: boolean | number }[];
  const cluster = rows.find((row) => row.type === 'cluster');
  if (cluster !== undefined && Number(cluster.quorate) !== 1)
    throw new Fault('hypervisor_failed', 'This node of the cluster has no quorum, so nothing is certain.');
}
